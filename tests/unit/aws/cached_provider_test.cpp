#include "lib/aws/cached_provider.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/unit/aws/aws_fixture.h"

namespace keyturn::aws {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class CachedProviderTest : public ::testing::Test {
 protected:
  Result<Credentials> fetch() {
    ++fetches;
    if (failure) return *failure;
    return keys("AKID" + std::to_string(fetches), "T",
                lifetime ? std::optional(clock.now() + *lifetime) : std::nullopt);
  }
  std::string id() {
    const auto got = provider.get();
    return got.ok() ? (*got)->access_key_id : got.error().code;
  }

  FakeClock clock;
  SeededRng rng{3};
  int fetches = 0;
  std::optional<Duration> lifetime = minutes(60);
  std::optional<Error> failure;
  const Error outage = make_error(ErrorClass::Transient, "Timeout", "STS does not answer");
  CachedProvider provider{"test", [this] { return fetch(); }, clock, rng};
};

TEST_F(CachedProviderTest, KeepsFreshKeys) {
  EXPECT_EQ(id(), "AKID1");
  clock.advance(minutes(44));
  EXPECT_EQ(id(), "AKID1");
  clock.advance(minutes(1));  // 15 left
  EXPECT_EQ(id(), "AKID2");
  EXPECT_EQ(fetches, 2);
}

TEST_F(CachedProviderTest, KeysWithoutExpiryStayUntilRefused) {
  lifetime.reset();
  EXPECT_EQ(id(), "AKID1");
  clock.advance(std::chrono::hours(10'000));
  EXPECT_EQ(id(), "AKID1");
  provider.invalidate(keys("AKID9", "T"));  // others
  EXPECT_EQ(id(), "AKID1");
  provider.invalidate(keys("AKID1", "T"));
  EXPECT_EQ(id(), "AKID2");
  provider.invalidate(keys("AKID1", "T"));  // late news about keys long gone
  EXPECT_EQ(id(), "AKID2");
}

TEST_F(CachedProviderTest, ShortLivedKeysAreNotFetchedAllTheTime) {
  lifetime = minutes(15);
  EXPECT_EQ(id(), "AKID1");
  clock.advance(minutes(11));
  EXPECT_EQ(id(), "AKID1");
  clock.advance(seconds(15));  // a quarter left
  EXPECT_EQ(id(), "AKID2");
}

TEST_F(CachedProviderTest, AFailedFetchKeepsTheLastGoodKeysUntilTheyExpire) {
  EXPECT_EQ(id(), "AKID1");
  failure = outage;
  clock.advance(minutes(46));  // advisory
  EXPECT_EQ(id(), "AKID1");
  clock.advance(minutes(6));  // mandatory
  EXPECT_EQ(id(), "AKID1");
  clock.advance(minutes(7) + seconds(59));
  EXPECT_EQ(id(), "AKID1");
  clock.advance(seconds(61));  // expired: an error, never old or blank keys
  EXPECT_EQ(id(), "Timeout");
  failure.reset();
  clock.advance(minutes(1));
  const std::string renewed = id();
  EXPECT_EQ(renewed, "AKID" + std::to_string(fetches));
}

TEST_F(CachedProviderTest, AfterAFailureItRestsLongerEachTime) {
  failure = outage;
  EXPECT_EQ(id(), "Timeout");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(id(), "Timeout");
  EXPECT_EQ(fetches, 1);
  clock.advance(seconds(1));
  EXPECT_EQ(id(), "Timeout");
  EXPECT_EQ(fetches, 2);
  for (int i = 0; i < 20; ++i) {
    clock.advance(minutes(1));
    id();
  }
  EXPECT_EQ(fetches, 22);
  clock.advance(seconds(29));  // by now it rests for at least half a minute
  id();
  EXPECT_EQ(fetches, 22);
  failure.reset();
  clock.advance(seconds(31));
  EXPECT_EQ(id(), "AKID23");
}

TEST_F(CachedProviderTest, BlankOrExpiredKeysAreErrors) {
  CachedProvider blank(
      "blank", [] { return Result<Credentials>(Credentials()); }, clock, rng);
  EXPECT_EQ(blank.get().error().code, "BlankCredentials");
  lifetime = Duration(0);
  EXPECT_EQ(id(), "ExpiredCredentials");
}

TEST_F(CachedProviderTest, AThrowingSourceIsAnError) {
  CachedProvider bad(
      "bad", []() -> Result<Credentials> { throw std::runtime_error("boom"); }, clock, rng);
  EXPECT_EQ(bad.get().error().code, "CredentialsSource");
  EXPECT_EQ(bad.get().error().cls, ErrorClass::Transient);
}

// A source that answers when the test says so.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void await_waiting() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST_F(CachedProviderTest, ManyCallersOneFetch) {
  Gate gate;
  std::atomic<int> calls{0};
  CachedProvider slow(
      "slow",
      [&]() -> Result<Credentials> {
        ++calls;
        gate.wait();
        return keys("AKID1", "T", clock.now() + minutes(60));
      },
      clock, rng);
  std::atomic<int> good{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] { good += slow.get().ok() ? 1 : 0; });
  }
  gate.await_waiting();
  gate.open();
  callers.clear();  // joins
  EXPECT_EQ(good, 8);
  EXPECT_EQ(calls, 1);
}

TEST_F(CachedProviderTest, WhileOneRefreshesEarlyOthersGoOn) {
  Gate gate;
  std::atomic<int> calls{0};
  CachedProvider slow(
      "slow",
      [&]() -> Result<Credentials> {
        const int call = ++calls;
        if (call == 2) gate.wait();
        return keys("AKID" + std::to_string(call), "T", clock.now() + minutes(60));
      },
      clock, rng);
  ASSERT_TRUE(slow.get().ok());
  clock.advance(minutes(46));
  std::jthread refresher([&] { EXPECT_EQ((*slow.get())->access_key_id, "AKID2"); });
  gate.await_waiting();
  EXPECT_EQ((*slow.get())->access_key_id, "AKID1");  // does not block
  gate.open();
}

}  // namespace
}  // namespace keyturn::aws
