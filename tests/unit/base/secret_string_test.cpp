#include "lib/base/secret_string.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <cstdlib>
#include <new>
#include <sstream>
#include <type_traits>

namespace {

// Looks into every block that this program gives back: does it still hold the marker?
constexpr std::string_view kMarker = "hunter2!";
thread_local bool g_watching = false;
thread_local int g_leaks = 0;

void give_back(void* block) noexcept {
  if (block != nullptr && g_watching) {
    const std::string_view bytes(static_cast<const char*>(block), malloc_usable_size(block));
    if (bytes.find(kMarker) != std::string_view::npos) ++g_leaks;
  }
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  // Zeroed, so that no earlier owner's bytes can be taken for a leak.
  if (void* block = std::calloc(1, size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }

namespace keyturn {
namespace {

class SecretStringTest : public ::testing::Test {
 protected:
  void SetUp() override {
    g_leaks = 0;
    g_watching = true;
  }
  void TearDown() override { g_watching = false; }

  static std::string long_secret() { return std::string(100, 'x') + std::string(kMarker); }
};

// What is left in the memory of an object.
template <class T>
std::string_view raw(const T& storage) {
  return {reinterpret_cast<const char*>(&storage), sizeof(storage)};
}

TEST_F(SecretStringTest, TheWatchSeesAnUnwipedBlock) {
  { const std::string careless = long_secret(); }
  EXPECT_GT(g_leaks, 0);
}

TEST_F(SecretStringTest, WipesLongValuesBeforeGivingThemBack) {
  {
    std::string plain = long_secret();
    SecretString a = SecretString::take(std::move(plain));
    SecretString b = a.clone();
    SecretString c = std::move(a);
    c = std::move(b);  // the value it had is wiped too
    EXPECT_EQ(c.size(), 108u);
    cleanse(plain);
  }
  EXPECT_EQ(g_leaks, 0);
}

TEST_F(SecretStringTest, WipesTheInnerBufferOfShortValues) {
  alignas(SecretString) std::array<std::byte, sizeof(SecretString)> first{};
  alignas(SecretString) std::array<std::byte, sizeof(SecretString)> second{};
  auto* a = new (first.data()) SecretString(kMarker);
  ASSERT_NE(raw(first).find(kMarker), std::string_view::npos) << "else this test shows nothing";
  auto* b = new (second.data()) SecretString(std::move(*a));
  EXPECT_EQ(raw(first).find(kMarker), std::string_view::npos);
  EXPECT_EQ(b->reveal(), kMarker);
  *a = std::move(*b);
  EXPECT_EQ(raw(second).find(kMarker), std::string_view::npos);
  a->~SecretString();
  b->~SecretString();
  EXPECT_EQ(raw(first).find(kMarker), std::string_view::npos);
}

TEST_F(SecretStringTest, TakeWipesTheArgument) {
  std::string plain(kMarker);
  const SecretString s = SecretString::take(std::move(plain));
  EXPECT_EQ(raw(plain).find(kMarker), std::string_view::npos);
  EXPECT_EQ(s.reveal(), kMarker);
}

TEST_F(SecretStringTest, CleanseReachesBytesBehindTheEnd) {
  std::string text = long_secret();
  text.resize(3);
  cleanse(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string_view(text.data(), text.capacity()).find(kMarker), std::string_view::npos);
}

TEST_F(SecretStringTest, SelfMoveKeepsTheValue) {
  SecretString s(kMarker);
  SecretString& same = s;
  s = std::move(same);
  EXPECT_EQ(s.reveal(), kMarker);
}

TEST_F(SecretStringTest, HoldsAnyBytes) {
  const SecretString s(std::string_view("a\0b\xff", 4));
  EXPECT_EQ(s.size(), 4u);
  EXPECT_EQ(s.reveal(), std::string_view("a\0b\xff", 4));
}

TEST_F(SecretStringTest, ComparesValues) {
  EXPECT_TRUE(SecretString("abc") == SecretString("abc"));
  EXPECT_FALSE(SecretString("abc") == SecretString("abd"));
  EXPECT_FALSE(SecretString("abc") == SecretString("abcd"));
  EXPECT_FALSE(SecretString("") == SecretString("a"));
  EXPECT_TRUE(SecretString() == SecretString(""));
}

TEST_F(SecretStringTest, PrintsItsLengthOnly) {
  std::ostringstream out;
  out << SecretString(kMarker);
  EXPECT_EQ(out.str(), "<8 bytes>");
}

static_assert(!std::is_copy_constructible_v<SecretString>);
static_assert(!std::is_convertible_v<SecretString, std::string>);
static_assert(!std::is_convertible_v<std::string, SecretString>);

}  // namespace
}  // namespace keyturn
