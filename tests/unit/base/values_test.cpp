// Results, digests, UUIDs and randomness.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "lib/base/boxed.h"
#include "lib/base/digest.h"
#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "lib/base/uuid.h"

namespace keyturn {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = 5;
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 5);
  const Result<int> bad = make_error(ErrorClass::Denied, "AccessDenied", "no");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().describe(), "Denied AccessDenied: no");
  EXPECT_THROW(static_cast<void>(bad.value()), std::bad_variant_access);
}

TEST(Result, MovesItsValueOut) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(3);
  const std::unique_ptr<int> p = *std::move(r);
  EXPECT_EQ(*p, 3);
}

TEST(Error, ContextGoesBeforeTheMessageAndKeepsTheRest) {
  Error e = make_error(ErrorClass::Throttled, "SlowDown", "too fast");
  e.retry_after = std::chrono::milliseconds(5);
  const Error with = e.with_context("secret a");
  EXPECT_EQ(with.message, "secret a: too fast");
  EXPECT_EQ(with.code, "SlowDown");
  EXPECT_EQ(with.retry_after, e.retry_after);
  EXPECT_EQ(std::move(e).with_context("b").message, "b: too fast");
}

// FIPS 180-2 appendix B.1.
TEST(Boxed, IsAValueLikeAnOptional) {
  static_assert(sizeof(Boxed<std::string>) == sizeof(void*));
  Boxed<std::string> empty, full("a");
  EXPECT_FALSE(empty);
  EXPECT_EQ(*full, "a");
  Boxed<std::string> copy = full;
  *copy += "b";
  EXPECT_EQ(*full, "a") << "a copy is deep";
  EXPECT_FALSE(copy == full);
  copy = full;
  EXPECT_TRUE(copy == full);
  EXPECT_FALSE(copy == empty);
  EXPECT_TRUE(empty == Boxed<std::string>());
  copy = std::nullopt;
  EXPECT_FALSE(copy.has_value());
  full = *&full;
  EXPECT_EQ(full->size(), 1u);
}

TEST(Digest, Sha256OfAbc) {
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4231 test cases 2 and 6 (a key longer than a block).
TEST(Digest, HmacSha256) {
  EXPECT_EQ(hex(hmac_sha256(as_bytes_of("Jefe"), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(as_bytes_of(std::string(131, '\xaa')),
                            "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, AnEmptyKeyIsNotTheLastKey) {
  const auto empty = hmac_sha256({}, "x");
  static_cast<void>(hmac_sha256(as_bytes_of("other"), "y"));
  EXPECT_EQ(hmac_sha256({}, "x"), empty);
  EXPECT_EQ(hex(hmac_sha256({}, "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Uuid, HasVersionAndVariant) {
  std::array<std::byte, 16> ones;
  ones.fill(std::byte{0xff});
  EXPECT_EQ(uuid_v8(ones), "ffffffff-ffff-8fff-bfff-ffffffffffff");
  EXPECT_EQ(uuid_v8({}), "00000000-0000-8000-8000-000000000000");
  SeededRng rng(1);
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string id = uuid_v4(rng);
    EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Uuid, KnowsItsShape) {
  EXPECT_TRUE(is_uuid("9C41AF00-0000-8000-8000-000000000000"));
  EXPECT_FALSE(is_uuid("9c41af00-0000-8000-8000-00000000000"));
  EXPECT_FALSE(is_uuid("9c41af000-000-8000-8000-000000000000"));
  EXPECT_FALSE(is_uuid("gc41af00-0000-8000-8000-000000000000"));
}

// Gives the 64-bit words it was told to.
class ScriptedRng final : public Rng {
 public:
  explicit ScriptedRng(std::vector<std::uint64_t> words) : words_(std::move(words)) {}
  void fill(std::span<std::byte> out) override {
    ASSERT_EQ(out.size(), 8u);
    ASSERT_LT(next_, words_.size());
    const auto bytes = std::as_bytes(std::span(&words_[next_++], 1));
    std::copy(bytes.begin(), bytes.end(), out.begin());
  }
  std::size_t used() const { return next_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t next_ = 0;
};

TEST(Rng, BelowDrawsAgainWhereTheModulusWouldBeBiased) {
  // 2^64 mod 10 = 6: the words 0…5 are refused, 6 is the first taken.
  ScriptedRng rng({0, 5, 6, 17});
  EXPECT_EQ(rng.below(10), 6u);
  EXPECT_EQ(rng.used(), 3u);
  EXPECT_EQ(rng.below(10), 7u);
  ScriptedRng power({0});
  EXPECT_EQ(power.below(16), 0u) << "a power of two refuses nothing";
  ScriptedRng unused({});
  EXPECT_EQ(unused.below(1), 0u);
}

TEST(Rng, BelowIsUniform) {
  SeededRng rng(42);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) ++seen[rng.below(7)];
  for (const int n : seen)
    EXPECT_NEAR(n, 10'000, 500);  // five standard deviations; the seed is fixed
}

TEST(Rng, UnitStaysBelowOne) {
  ScriptedRng rng({0, ~0ull});
  EXPECT_EQ(rng.unit(), 0.0);
  const double most = rng.unit();
  EXPECT_LT(most, 1.0);
  EXPECT_GT(most, 0.9999999);
}

TEST(SeededRng, RepeatsItselfAndFillsAnyLength) {
  SeededRng a(9);
  SeededRng b(9);
  SeededRng c(10);
  std::array<std::byte, 13> x{};
  std::array<std::byte, 13> y{};
  std::array<std::byte, 13> z{};
  a.fill(x);
  b.fill(y);
  c.fill(z);
  EXPECT_EQ(x, y);
  EXPECT_NE(x, z);
  // SplitMix64's published first output for seed 0.
  SeededRng zero(0);
  std::array<std::byte, 8> word{};
  zero.fill(word);
  std::reverse(word.begin(), word.end());
  EXPECT_EQ(hex(word), "e220a8397b1dcdaf");
}

TEST(SeededRng, GivesEachThreadItsOwnWords) {
  SeededRng rng(1);
  std::array<std::vector<std::uint64_t>, 4> drawn;
  {
    std::vector<std::jthread> threads;
    for (auto& mine : drawn) {
      threads.emplace_back([&rng, &mine] {
        for (int i = 0; i < 1000; ++i) mine.push_back(rng.below(~0ull));
      });
    }
  }
  std::set<std::uint64_t> all;
  for (const auto& mine : drawn) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 4000u);
}

TEST(SystemRng, FillsEveryByte) {
  SystemRng rng;
  std::vector<std::byte> bytes((1u << 20) + 999);  // more than one call's worth
  rng.fill(bytes);
  std::array<int, 256> seen{};
  for (const std::byte b : bytes) ++seen[std::to_integer<std::size_t>(b)];
  for (const int n : seen) EXPECT_GT(n, 3000);  // 4100 expected, σ = 64
  EXPECT_FALSE(
      std::all_of(bytes.end() - 999, bytes.end(), [](std::byte b) { return b == std::byte{0}; }));
}

}  // namespace
}  // namespace keyturn
