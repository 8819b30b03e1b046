#include "controller/kube/informer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/unit/kube/reflector_testing.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;
using testing::Reply;
using Lines = std::vector<std::string>;

struct Thing {
  std::string resource_version;
};

Result<Thing> decode(const json& object) {
  const json& metadata = object.at("metadata");
  if (metadata.contains("bad")) return invalid("Bad", "bad");
  return Thing{metadata.at("resourceVersion").get<std::string>()};
}

struct InformerBench : ReflectorBench {
  std::mutex mutex;
  Lines changes;
  std::unique_ptr<Informer<Thing>> informer;

  void start_informer() {
    informer = std::make_unique<Informer<Thing>>(
        options, decode, [this](const std::string& key, const auto& before, const auto& after) {
          // The store is up to date and free to be read when the handler runs.
          EXPECT_EQ(informer->get(key), after);
          const std::lock_guard<std::mutex> guard(mutex);
          changes.push_back(key + " " + (before ? before->resource_version : "-") + "→" +
                            (after ? after->resource_version : "-"));
        });
    ASSERT_TRUE(informer->start());
  }
  Lines seen() {
    const std::lock_guard<std::mutex> guard(mutex);
    return changes;
  }
};

TEST(Informer, KeepsWhatListAndWatchSay) {
  InformerBench bench;
  bench.list("10", object_json("a", "1") + "," + object_json("b", "2"));
  bench.open_watch({event_line("MODIFIED", object_json("a", "11")),
                    event_line("DELETED", object_json("b", "12"))});
  bench.start_informer();
  bench.await_open();
  EXPECT_TRUE(bench.informer->synced());
  EXPECT_EQ(bench.seen(), (Lines{"shop/a -→1", "shop/b -→2", "shop/a 1→11", "shop/b 2→-"}));
  EXPECT_EQ(bench.informer->get("shop/a")->resource_version, "11");
  EXPECT_EQ(bench.informer->get("shop/b"), nullptr);
  EXPECT_EQ(bench.informer->size(), 1u);
  EXPECT_EQ(bench.informer->keys(), Lines{"shop/a"});
  bench.informer->stop();
}

TEST(Informer, RelistReportsOnlyWhatChanged) {
  InformerBench bench;
  bench.list("10", object_json("same", "1") + "," + object_json("new", "2") + "," +
                       object_json("gone", "3"));
  bench.reply(status_reply(410, "Expired"));
  bench.list("20", object_json("same", "1") + "," + object_json("new", "15"));
  bench.open_watch();
  bench.start_informer();
  bench.await_open();
  const Lines changes = bench.seen();
  EXPECT_EQ(Lines(changes.begin() + 3, changes.end()), (Lines{"shop/new 2→15", "shop/gone 3→-"}));
  bench.informer->stop();
}

TEST(Informer, ObjectsThatCannotBeReadLeaveTheStore) {
  InformerBench bench;
  bench.list("10", object_json("a", "1") + "," + object_json("b", "2", R"(,"bad":1)"));
  bench.open_watch(
      {event_line("MODIFIED", object_json("a", "11", R"(,"bad":1)")),
       event_line("MODIFIED", R"({"metadata":{"name":"no-version","namespace":"shop"}})"),
       event_line("MODIFIED", object_json("b", "12"))});
  bench.start_informer();
  bench.await_open();
  EXPECT_EQ(bench.seen(), (Lines{"shop/a -→1", "shop/a 1→-", "shop/b -→12"}));
  EXPECT_EQ(bench.informer->keys(), Lines{"shop/b"});
  bench.informer->stop();
}

// For the thread sanitizer: readers of every kind beside a busy watch.
TEST(Informer, ManyReadersBesideTheWatch) {
  constexpr int kEvents = 600;
  InformerBench bench;
  Lines events;
  for (int i = 0; i < kEvents; ++i) {
    const std::string name = "o" + std::to_string(i % 50);
    const bool last = i >= kEvents - 50;
    events.push_back(event_line(!last && i % 7 == 3 ? "DELETED" : "MODIFIED",
                                object_json(name, std::to_string(100 + i))));
  }
  bench.list("10");
  bench.open_watch(std::move(events));
  bench.start_informer();
  std::atomic<bool> done{false};
  std::atomic<std::size_t> bad{0};
  std::vector<std::jthread> readers;
  for (int r = 0; r < 4; ++r) {
    readers.emplace_back([&, r] {
      for (; !done; std::this_thread::yield()) {
        const auto one = bench.informer->get("shop/o" + std::to_string(r));
        if (one && one->resource_version.empty()) ++bad;
        if (bench.informer->size() > 50 || bench.informer->keys().size() > 50) ++bad;
        bench.informer->for_each([&](const std::string& key, const auto& object) {
          if (key.empty() || !object) ++bad;
        });
      }
    });
  }
  bench.await_open();
  done = true;
  readers.clear();
  bench.informer->stop();
  EXPECT_EQ(bad, 0u);
  EXPECT_EQ(bench.informer->size(), 50u);
}

}  // namespace
}  // namespace keyturn::kube
