#include "controller/runtime/lanes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "lib/base/log.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::runtime {
namespace {

using std::chrono::seconds;
using testing::FakeClock;

Error throttled(Duration after) {
  Error error = make_error(ErrorClass::Throttled, "SlowDown", "later");
  error.retry_after = after;
  return error;
}

class LaneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log::set_sink([this](std::string_view line) { logged_ += std::string(line) + "\n"; });
  }
  void TearDown() override { log::set_sink({}); }

  // The next outcomes, by order of passes; Done afterwards.
  Lane::Work scripted(std::vector<Outcome> outcomes) {
    script_ = std::move(outcomes);
    return [this](const Key&) {
      const std::lock_guard<std::mutex> guard(mutex_);
      return passes_ < script_.size() ? script_[passes_] : Outcome::done();
    };
  }
  Lane::OnOutcome counter() {
    return [this](const Key&, const Outcome& outcome) {
      const std::lock_guard<std::mutex> guard(mutex_);
      ++passes_;
      last_ = outcome;
      changed_.notify_all();
    };
  }
  void await_passes(std::size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return passes_ >= count; });
  }

  std::string logged_;
  FakeClock clock_;
  SeededRng rng_{1};
  WorkQueue queue_{clock_, rng_, BackoffOptions{seconds(1), seconds(60)}};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Outcome> script_;
  std::size_t passes_ = 0;
  Outcome last_;
};

TEST_F(LaneTest, DoneWaitsForTheNextChange) {
  Lane lane("sync", queue_, 1, scripted({}), counter());
  lane.start();
  queue_.add("a");
  await_passes(1);
  clock_.await_waiters(1);
  EXPECT_EQ(queue_.waiting(), 0u);
  queue_.add("a");
  await_passes(2);
}

TEST_F(LaneTest, AfterLooksAgainThenAndForgetsFailures) {
  Lane lane("sync", queue_, 1,
            scripted({Outcome::retry(throttled(seconds(0))), Outcome::after(seconds(30)),
                      Outcome::retry(throttled(seconds(0)))}),
            counter());
  lane.start();
  queue_.add("a");
  await_passes(1);
  clock_.await_waiters(1);
  EXPECT_TRUE(clock_.advance_to_next());
  await_passes(2);
  clock_.await_waiters(1);
  EXPECT_EQ(clock_.next_deadline(), clock_.mono() + seconds(30));
  clock_.advance(seconds(30));
  await_passes(3);
  clock_.await_waiters(1);
  EXPECT_LE(clock_.next_deadline(), clock_.mono() + Duration(1500)) << "the back-off begins anew";
}

TEST_F(LaneTest, RetryHonoursTheServersWish) {
  Lane lane("sync", queue_, 1, scripted({Outcome::retry(throttled(seconds(40)))}), counter());
  lane.start();
  queue_.add("a");
  await_passes(1);
  clock_.await_waiters(1);
  EXPECT_GE(clock_.next_deadline(), clock_.mono() + seconds(40));
  clock_.advance(seconds(41));
  await_passes(2);
}

TEST_F(LaneTest, DoneIsNotTriedAgainAndStartsAfreshOnAChange) {
  Lane lane("sync", queue_, 1,
            scripted({Outcome::retry(throttled(seconds(0))), Outcome::done(),
                      Outcome::retry(throttled(seconds(0)))}),
            counter());
  lane.start();
  queue_.add("a");
  await_passes(1);
  clock_.await_waiters(1);
  EXPECT_TRUE(clock_.advance_to_next());
  await_passes(2);
  clock_.await_waiters(1);
  EXPECT_EQ(queue_.waiting(), 0u);
  queue_.add("a");
  await_passes(3);
  clock_.await_waiters(1);
  EXPECT_LE(clock_.next_deadline(), clock_.mono() + Duration(1500));
}

TEST_F(LaneTest, AnExceptionIsCountedAndRetriedAndItsTextKeptOutOfTheLog) {
  std::atomic<bool> thrown{false};
  const auto work = [&](const Key&) -> Outcome {
    if (!thrown.exchange(true)) throw std::runtime_error("parse error near 'hunter2'");
    return Outcome::done();
  };
  Lane lane("sync", queue_, 1, work, counter());
  lane.start();
  queue_.add("shop/a");
  await_passes(1);
  EXPECT_EQ(lane.exceptions(), 1u);
  EXPECT_EQ(last_.kind, Outcome::Kind::Retry);
  EXPECT_EQ(last_.error.code, "Exception");
  clock_.await_waiters(1);
  EXPECT_TRUE(clock_.advance_to_next());
  await_passes(2);
  lane.stop(true);
  EXPECT_NE(logged_.find("shop/a"), std::string::npos);
  EXPECT_NE(logged_.find("runtime_error"), std::string::npos);
  EXPECT_EQ(logged_.find("hunter2"), std::string::npos);
  EXPECT_EQ(last_.kind, Outcome::Kind::Done);
}

TEST_F(LaneTest, SomethingThrownThatIsNoExceptionIsCaughtToo) {
  std::atomic<int> calls{0};
  Lane lane(
      "sync", queue_, 1,
      [&](const Key&) -> Outcome {
        if (calls++ == 0) throw 42;
        return Outcome::done();
      },
      counter());
  lane.start();
  queue_.add("a");
  await_passes(1);
  EXPECT_EQ(lane.exceptions(), 1u);
}

TEST_F(LaneTest, StopWithDrainFinishesWhatIsReady) {
  Lane lane("sync", queue_, 2, scripted({}), counter());
  for (int i = 0; i < 50; ++i) queue_.add("k" + std::to_string(i));
  lane.start();
  lane.stop(true);
  EXPECT_EQ(passes_, 50u);
  lane.stop(true);
}

TEST_F(LaneTest, StopWithoutDrainFinishesWhatRuns) {
  std::mutex mutex;
  std::condition_variable changed;
  bool running = false;
  bool release = false;
  std::atomic<int> finished{0};
  Lane lane("sync", queue_, 1, [&](const Key&) {
    std::unique_lock<std::mutex> lock(mutex);
    running = true;
    changed.notify_all();
    changed.wait(lock, [&] { return release; });
    ++finished;
    return Outcome::done();
  });
  lane.start();
  queue_.add("a");
  queue_.add("b");
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return running; });
    queue_.shutdown(false);
    release = true;
    changed.notify_all();
  }
  lane.stop(false);
  EXPECT_EQ(finished, 1);
}

TEST_F(LaneTest, RunsAsManyAtOnceAsItHasThreads) {
  constexpr int kThreads = 3;
  std::atomic<int> running{0};
  std::atomic<bool> all{false};
  Lane lane("sync", queue_, kThreads, [&](const Key&) {
    if (++running == kThreads) {
      all = true;
      all.notify_all();
    }
    all.wait(false);  // hangs unless three run together
    return Outcome::done();
  });
  lane.start();
  for (int i = 0; i < kThreads; ++i) queue_.add("k" + std::to_string(i));
  all.wait(false);
  lane.stop(true);
  EXPECT_EQ(running, kThreads);
}

// A pass may be long, as long as it gets on.
TEST_F(LaneTest, AWorkerIsStuckWhenItGetsNothingDoneNotWhenAPassIsLong) {
  std::mutex gate;
  std::condition_variable told;
  int steps = 0, done = 0;
  const auto await = [&](int& what, int value) {
    std::unique_lock<std::mutex> lock(gate);
    told.wait(lock, [&] { return what >= value; });
  };
  const auto say = [&](int& what) {
    const std::lock_guard<std::mutex> lock(gate);
    ++what;
    told.notify_all();
  };
  Lane lane(
      "sync", queue_, 1,
      [&](const Key&) {
        say(done);
        for (int i = 1; i <= 3; ++i) {
          await(steps, i);
          note_progress();
          say(done);
        }
        await(steps, 4);
        return Outcome::done();
      },
      counter());
  const auto healthy = [&] { return check_progress({&queue_}, seconds(180)); };
  lane.start();
  queue_.add("a");
  await(done, 1);
  for (int i = 1; i <= 3; ++i) {
    clock_.advance(seconds(170));
    EXPECT_TRUE(healthy().ok()) << i;
    say(steps);
    await(done, i + 1);
  }
  EXPECT_EQ(queue_.longest_running(), seconds(510));
  clock_.advance(seconds(180));
  EXPECT_TRUE(healthy().ok());
  clock_.advance(Duration(1));
  ASSERT_FALSE(healthy().ok());
  EXPECT_EQ(healthy().error().code, "WorkerStuck");
  say(steps);
  await_passes(1);
  lane.stop(true);
  EXPECT_TRUE(healthy().ok()) << "nobody works";
  note_progress();  // a thread that is no lane's
}

}  // namespace
}  // namespace keyturn::runtime
