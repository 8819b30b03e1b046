#include "lib/base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "lib/base/secret_string.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn {
namespace {

using nlohmann::json;

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log::configure(log::Level::Info, log::Format::Json);
    log::set_sink([this](std::string_view line) { lines_.emplace_back(line); });
  }
  void TearDown() override {
    log::set_sink({});
    log::configure(log::Level::Info, log::Format::Auto);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesOneJsonObjectALineInOrder) {
  log::info("secret rotated", {{"namespace", "shop"}, {"count", 3}});
  ASSERT_EQ(lines_.size(), 1u);
  const auto line = nlohmann::ordered_json::parse(lines_[0]);
  std::vector<std::string> keys;
  for (const auto& item : line.items()) keys.push_back(item.key());
  EXPECT_EQ(keys, (std::vector<std::string>{"time", "level", "msg", "namespace", "count"}));
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["msg"], "secret rotated");
  EXPECT_EQ(line["count"], "3");
  EXPECT_TRUE(parse_rfc3339(line["time"].get<std::string>()).ok());
}

TEST_F(LogTest, EscapesWhateverAFieldHolds) {
  const std::string odd("quote\" back\\ line\n nul\0 bad\xff ä", 31);
  log::warn("x\ny", {{"odd", odd}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].find('\n'), std::string::npos);
  const json line = json::parse(lines_[0]);
  EXPECT_EQ(line["msg"], "x\ny");
  const auto text = line["odd"].get<std::string>();
  EXPECT_TRUE(is_utf8(text));
  EXPECT_EQ(text.substr(0, 24), odd.substr(0, 24)) << "only the bad byte is replaced";
}

TEST_F(LogTest, DropsWhatIsBelowTheLevel) {
  log::debug("a");
  EXPECT_FALSE(log::enabled(log::Level::Debug));
  log::configure(log::Level::Error, log::Format::Json);
  log::info("b");
  log::warn("c");
  log::error("d");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(json::parse(lines_[0])["msg"], "d");
}

TEST_F(LogTest, TextFormCannotSteerATerminal) {
  log::configure(log::Level::Info, log::Format::Text);
  log::info("hello\x1b[2J", {{"a", "b c"}, {"d", "\n"}, {"e", ""}, {"f", "g"}});
  ASSERT_EQ(lines_.size(), 1u);
  const std::string& line = lines_[0];
  EXPECT_EQ(line.substr(20), " info  hello\\x1b[2J  a=\"b c\"  d=\\x0a  e=\"\"  f=g");
}

static_assert(!std::is_constructible_v<log::Field, std::string_view, SecretString>);
static_assert(!std::is_constructible_v<log::Field, std::string_view, const SecretString&>);

// The real descriptor, from many threads: every line comes out whole.
TEST(Log, LinesOfManyThreadsDoNotInterleave) {
  constexpr int kThreads = 4;
  constexpr int kLines = 25;
  log::configure(log::Level::Info, log::Format::Json);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const int saved = ::dup(STDERR_FILENO);
  ASSERT_EQ(::dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  ::close(ends[1]);

  std::string all;
  std::thread reader([&] {
    std::array<char, 4096> buffer;
    ssize_t n = 0;
    while ((n = ::read(ends[0], buffer.data(), buffer.size())) > 0) {
      all.append(buffer.data(), static_cast<std::size_t>(n));
    }
  });
  {
    std::vector<std::jthread> writers;
    for (int t = 0; t < kThreads; ++t) {
      writers.emplace_back([t] {
        const std::string filler(5000, static_cast<char>('a' + t));  // more than PIPE_BUF
        for (int i = 0; i < kLines; ++i) log::info(filler);
      });
    }
  }
  ::dup2(saved, STDERR_FILENO);  // closes the pipe's last writer
  ::close(saved);
  reader.join();
  ::close(ends[0]);

  int lines = 0;
  for (const std::string& line : split(all, '\n')) {
    if (line.empty()) continue;
    ++lines;
    const json parsed = json::parse(line, nullptr, false);
    ASSERT_FALSE(parsed.is_discarded()) << line.substr(0, 100);
    const auto message = parsed["msg"].get<std::string>();
    ASSERT_EQ(message, std::string(5000, message[0]));
  }
  EXPECT_EQ(lines, kThreads * kLines);
}

}  // namespace
}  // namespace keyturn
