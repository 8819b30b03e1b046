#include "lib/base/clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/testing/fake_clock.h"

namespace keyturn {
namespace {

using std::chrono::seconds;
using testing::FakeClock;

TEST(SystemClock, GoesForward) {
  SystemClock clock;
  const MonoTime before = clock.mono();
  EXPECT_GE(clock.mono(), before);
  EXPECT_GT(clock.now(), WallTime(std::chrono::hours(24 * 365 * 50)));
}

TEST(SystemClock, ReportsAPassedDeadlineAndBearsAFarOne) {
  SystemClock clock;
  std::mutex mutex;
  std::condition_variable cv;
  std::unique_lock<std::mutex> lock(mutex);
  EXPECT_FALSE(clock.wait_until(lock, cv, clock.mono() - seconds(1)));

  bool ready = false;
  std::jthread other([&] {
    const std::lock_guard<std::mutex> guard(mutex);
    ready = true;
    cv.notify_all();
  });
  while (!ready) EXPECT_TRUE(clock.wait_until(lock, cv, MonoTime::max()));
}

TEST(SleepUntil, EndsAtTheDeadline) {
  FakeClock clock;
  std::jthread advancer([&] {
    clock.await_waiters(1);
    clock.advance(Duration(999));
    clock.advance(Duration(1));
  });
  const MonoTime deadline = clock.mono() + seconds(1);
  EXPECT_TRUE(sleep_until(clock, deadline, {}));
  EXPECT_EQ(clock.mono(), deadline);
}

TEST(SleepUntil, EndsWhenStopped) {
  FakeClock clock;
  std::stop_source stop;
  std::jthread stopper([&] {
    clock.await_waiters(1);
    stop.request_stop();
  });
  EXPECT_FALSE(sleep_until(clock, MonoTime::max(), stop.get_token()));
  EXPECT_FALSE(sleep_until(clock, MonoTime::max(), stop.get_token())) << "stopped before";
  EXPECT_FALSE(sleep_until(clock, clock.mono(), stop.get_token())) << "a stop comes first";
}

TEST(FakeClock, MovesBothTimes) {
  FakeClock clock;
  const WallTime wall = clock.now();
  const MonoTime mono = clock.mono();
  clock.advance(seconds(5));
  EXPECT_EQ(clock.now(), wall + seconds(5));
  EXPECT_EQ(clock.mono(), mono + seconds(5));
  clock.jump_wall(-seconds(60));
  EXPECT_EQ(clock.now(), wall - seconds(55));
  EXPECT_EQ(clock.mono(), mono + seconds(5));
}

TEST(FakeClock, AdvancesToTheEarliestDeadline) {
  FakeClock clock;
  EXPECT_FALSE(clock.advance_to_next());
  const MonoTime start = clock.mono();
  std::jthread late([&] { EXPECT_TRUE(sleep_until(clock, start + seconds(9), {})); });
  std::jthread soon([&] { EXPECT_TRUE(sleep_until(clock, start + seconds(4), {})); });
  clock.await_waiters(2);
  EXPECT_TRUE(clock.advance_to_next());
  EXPECT_EQ(clock.mono(), start + seconds(4));
  soon.join();
  EXPECT_EQ(clock.next_deadline(), start + seconds(9));
  EXPECT_TRUE(clock.advance_to_next());
  late.join();
  EXPECT_FALSE(clock.advance_to_next());
}

// Each sleeper's mutex and condition variable live on its own stack and go as soon as it wakes: a
// clock that touched them later, or lost a wake-up, would crash, hang or be seen by a sanitizer.
TEST(FakeClock, LosesNoWakeUpAndTouchesNoDeadWaiter) {
  constexpr int kSleepers = 6;
  constexpr int kNaps = 300;
  FakeClock clock;
  std::atomic<int> running{kSleepers};
  std::vector<std::jthread> sleepers;
  for (int s = 0; s < kSleepers; ++s) {
    sleepers.emplace_back([&, s] {
      for (int i = 0; i < kNaps; ++i) {
        EXPECT_TRUE(sleep_until(clock, clock.mono() + Duration(1 + (s + i) % 3), {}));
      }
      --running;
    });
  }
  while (running > 0) {
    clock.advance(Duration(1));
    std::this_thread::yield();
  }
}

TEST(FakeClock, StopsRacingWithTime) {
  for (int i = 0; i < 300; ++i) {
    FakeClock clock;
    std::stop_source stop;
    const MonoTime deadline = clock.mono() + Duration(1);
    std::jthread sleeper([&] { sleep_until(clock, deadline, stop.get_token()); });
    std::jthread advancer([&] { clock.advance(Duration(1)); });
    stop.request_stop();
  }
}

}  // namespace
}  // namespace keyturn
