#include "controller/runtime/workqueue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/testing/fake_clock.h"

namespace keyturn::runtime {
namespace {

using std::chrono::seconds;
using testing::FakeClock;

class WorkQueueTest : public ::testing::Test {
 protected:
  // Takes what is ready now, without giving back.
  std::vector<Key> ready() {
    std::vector<Key> keys;
    queue_.add("~tick");  // so that the get() that releases what is due never blocks
    for (auto key = queue_.get(); *key != "~tick"; key = queue_.get()) keys.push_back(*key);
    queue_.done("~tick");
    while (queue_.depth() > 0) keys.push_back(*queue_.get());
    return keys;
  }
  void finish(const Key& key) { queue_.done(key); }

  FakeClock clock_;
  SeededRng rng_{1};
  WorkQueue queue_{clock_, rng_, BackoffOptions{seconds(1), seconds(60)}};
};

using Keys = std::vector<Key>;

TEST_F(WorkQueueTest, HandsKeysOutInOrderAndOnce) {
  queue_.add("a");
  queue_.add("b");
  queue_.add("a");
  EXPECT_EQ(queue_.depth(), 2u);
  EXPECT_EQ(ready(), (Keys{"a", "b"}));
  EXPECT_EQ(ready(), Keys{});
}

TEST_F(WorkQueueTest, AnAddDuringProcessingComesBackAfterDone) {
  queue_.add("a");
  EXPECT_EQ(ready(), Keys{"a"});
  queue_.add("a");
  queue_.add("a");
  EXPECT_EQ(ready(), Keys{}) << "one worker at a time";
  finish("a");
  EXPECT_EQ(ready(), Keys{"a"});
  finish("a");
  EXPECT_EQ(ready(), Keys{});
}

TEST_F(WorkQueueTest, DoneOfAStrangerIsIgnored) {
  queue_.add("a");
  queue_.done("a");
  queue_.done("never");
  EXPECT_EQ(ready(), Keys{"a"});
}

TEST_F(WorkQueueTest, ADelayedKeyIsReadyAtItsTimeAndNotBefore) {
  queue_.add_after("a", seconds(5));
  EXPECT_EQ(queue_.waiting(), 1u);
  clock_.advance(seconds(5) - Duration(1));
  EXPECT_EQ(ready(), Keys{});
  clock_.advance(Duration(1));
  EXPECT_EQ(ready(), Keys{"a"});
  EXPECT_EQ(queue_.waiting(), 0u);
}

TEST_F(WorkQueueTest, TheEarliestDelayOfAKeyWins) {
  queue_.add_after("a", seconds(9));
  queue_.add_after("a", seconds(3));
  queue_.add_after("a", seconds(6));
  EXPECT_EQ(queue_.waiting(), 1u);
  clock_.advance(seconds(3));
  EXPECT_EQ(ready(), Keys{"a"});
  finish("a");
  clock_.advance(seconds(60));
  EXPECT_EQ(ready(), Keys{});
}

TEST_F(WorkQueueTest, NoDelayIsAnAdd) {
  queue_.add_after("a", Duration(0));
  queue_.add_after("b", -seconds(1));
  EXPECT_EQ(ready(), (Keys{"a", "b"}));
}

TEST_F(WorkQueueTest, AnEndlessDelayDoesNotOverflow) {
  queue_.add_after("a", Duration::max());
  EXPECT_EQ(ready(), Keys{});
  Duration delay = queue_.add_backoff("b", Duration::max());
  EXPECT_GT(delay, seconds(60));
  EXPECT_EQ(ready(), Keys{});
}

TEST_F(WorkQueueTest, DueKeysComeInTheOrderOfTheirTimes) {
  queue_.add_after("c", seconds(3));
  queue_.add_after("a", seconds(1));
  queue_.add_after("b", seconds(2));
  clock_.advance(seconds(3));
  EXPECT_EQ(ready(), (Keys{"a", "b", "c"}));
}

TEST_F(WorkQueueTest, BackoffDoublesToItsCapWithJitterOfUpToAHalf) {
  const std::vector<Duration> bases = {seconds(1),  seconds(2),  seconds(4),
                                       seconds(8),  seconds(16), seconds(32),
                                       seconds(60), seconds(60), seconds(60)};
  for (const Duration base : bases) {
    const Duration delay = queue_.add_backoff("a");
    EXPECT_GE(delay, base);
    EXPECT_LE(delay, base + base / 2);
  }
  queue_.forget("a");
  EXPECT_LE(queue_.add_backoff("a"), Duration(1500));
  EXPECT_LE(queue_.add_backoff("b"), Duration(1500)) << "each key has its own";
}

TEST_F(WorkQueueTest, JitterSpreadsKeysThatFailTogether) {
  std::set<Duration> delays;
  for (int i = 0; i < 100; ++i) delays.insert(queue_.add_backoff("k" + std::to_string(i)));
  EXPECT_GT(delays.size(), 50u);
  EXPECT_LT(*delays.begin(), Duration(1050));
  EXPECT_GT(*delays.rbegin(), Duration(1450));
}

TEST_F(WorkQueueTest, BackoffIsAtLeastWhatTheServerAsked) {
  EXPECT_GE(queue_.add_backoff("a", seconds(30)), seconds(30));
  EXPECT_LE(queue_.add_backoff("b", seconds(30)), seconds(30) + Duration(500));
  clock_.advance(seconds(29));
  EXPECT_EQ(ready(), Keys{});
  clock_.advance(seconds(2));
  EXPECT_EQ(ready().size(), 2u);
}

TEST_F(WorkQueueTest, BackoffSurvivesManyFailuresAndOddOptions) {
  for (int i = 0; i < 200; ++i) queue_.add_backoff("a");
  EXPECT_LE(queue_.add_backoff("a"), seconds(90));
  WorkQueue odd(clock_, rng_, BackoffOptions{seconds(10), seconds(5)});
  EXPECT_LE(odd.add_backoff("a"), Duration(7500));
}

TEST_F(WorkQueueTest, DropLeavesNoDelayAndNoBackoff) {
  queue_.add_backoff("a");
  queue_.add_backoff("a");
  queue_.drop("a");
  EXPECT_EQ(queue_.waiting(), 0u);
  clock_.advance(seconds(600));
  EXPECT_EQ(ready(), Keys{});
  EXPECT_LE(queue_.add_backoff("a"), Duration(1500));
}

TEST_F(WorkQueueTest, DropDoesNotTakeAReadyKeyAway) {
  queue_.add("a");
  queue_.drop("a");
  EXPECT_EQ(ready(), Keys{"a"}) << "somebody has to see that the object is gone";
}

TEST_F(WorkQueueTest, DrainingHandsOutWhatIsReadyAndNothingElse) {
  queue_.add("running");
  ASSERT_EQ(*queue_.get(), "running");
  queue_.add("running");
  queue_.add("a");
  queue_.add_after("later", seconds(1));
  queue_.shutdown(true);
  queue_.add("too late");
  queue_.add_after("too late", seconds(1));
  queue_.add_backoff("too late");
  clock_.advance(seconds(100));
  EXPECT_EQ(*queue_.get(), "a");
  queue_.done("running");
  EXPECT_EQ(*queue_.get(), "running");
  EXPECT_EQ(queue_.get(), std::nullopt);
}

TEST_F(WorkQueueTest, ShutdownWithoutDrainHandsOutNothing) {
  queue_.add("a");
  queue_.shutdown(false);
  EXPECT_EQ(queue_.get(), std::nullopt);
  queue_.shutdown(true);
  EXPECT_EQ(queue_.get(), std::nullopt) << "a second call cannot make it milder";
}

TEST_F(WorkQueueTest, KnowsTheLongestRunningKeyAndTheirSum) {
  EXPECT_EQ(queue_.longest_running(), Duration(0));
  EXPECT_EQ(queue_.unfinished_work(), Duration(0));
  queue_.add("a");
  ready();
  clock_.advance(seconds(7));
  queue_.add("b");
  ready();
  clock_.advance(seconds(3));
  EXPECT_EQ(queue_.longest_running(), seconds(10));
  EXPECT_EQ(queue_.unfinished_work(), seconds(13));
  finish("a");
  EXPECT_EQ(queue_.longest_running(), seconds(3));
  EXPECT_EQ(queue_.unfinished_work(), seconds(3));
}

struct Recorder final : QueueObserver {
  std::vector<std::string> calls;
  void on_add(std::size_t depth) override { calls.push_back("add " + std::to_string(depth)); }
  void on_get(std::size_t depth, Duration waited) override {
    calls.push_back("get " + std::to_string(depth) + " " + std::to_string(waited.count()));
  }
  void on_done(Duration worked) override {
    calls.push_back("done " + std::to_string(worked.count()));
  }
  void on_retry() override { calls.push_back("retry"); }
};

TEST(WorkQueueObserver, SeesDepthAndTimes) {
  FakeClock clock;
  SeededRng rng(1);
  Recorder seen;
  WorkQueue queue(clock, rng, BackoffOptions{}, &seen);
  queue.add("a");
  queue.add("a");  // folded: not counted
  clock.advance(Duration(20));
  queue.get();
  queue.add("a");
  clock.advance(Duration(300));
  queue.add_backoff("a");
  queue.done("a");
  queue.get();
  EXPECT_EQ(seen.calls, (Keys{"add 1", "get 0 20", "add 0", "retry", "done 300", "get 0 300"}));
}

// A worker that has the earliest delay in its wait takes an immediate key: another must keep the
// time.
TEST(WorkQueueThreads, NoDelayIsStrandedWhenItsWaiterLeavesWithAKey) {
  FakeClock clock;
  SeededRng rng(1);
  WorkQueue queue(clock, rng, BackoffOptions{});
  std::atomic<int> taken{0};
  std::vector<std::jthread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      while (queue.get()) {  // never gives its key back: busy for good
        ++taken;
        taken.notify_all();
        return;
      }
    });
  }
  clock.await_waiters(2);
  queue.add_after("later", seconds(5));
  queue.add("now");
  for (int n = taken; n < 1; n = taken) taken.wait(n);
  // Not at once: the other worker is still in the wait without an end until it wakes.
  while (clock.next_deadline() != clock.mono() + seconds(5)) std::this_thread::yield();
  clock.advance(seconds(5));
  for (int n = taken; n < 2; n = taken) taken.wait(n);
}

TEST(WorkQueueThreads, AnEarlierDelayShortensTheWaits) {
  FakeClock clock;
  SeededRng rng(1);
  WorkQueue queue(clock, rng, BackoffOptions{});
  queue.add_after("slow", seconds(60));
  std::jthread worker([&] { EXPECT_EQ(*queue.get(), "fast"); });
  clock.await_waiters(1);
  queue.add_after("fast", seconds(1));
  while (clock.next_deadline() != clock.mono() + seconds(1)) std::this_thread::yield();
  clock.advance(seconds(1));
}

TEST(WorkQueueThreads, OneKeyWakesOneWorkerAndManyWakeMany) {
  FakeClock clock;
  SeededRng rng(1);
  WorkQueue queue(clock, rng, BackoffOptions{});
  constexpr int kWorkers = 4;
  std::atomic<int> busy{0};
  std::atomic<bool> release{false};
  std::vector<std::jthread> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.emplace_back([&] {
      while (const auto key = queue.get()) {
        ++busy;
        busy.notify_all();
        release.wait(false);
        queue.done(*key);
      }
    });
  }
  clock.await_waiters(kWorkers);
  for (int i = 0; i < kWorkers; ++i) queue.add("k" + std::to_string(i));
  for (int n = busy; n < kWorkers; n = busy) busy.wait(n);  // all at once, or this hangs
  release = true;
  release.notify_all();
  queue.shutdown(true);
}

TEST(WorkQueueThreads, ShutdownWakesEverybody) {
  FakeClock clock;
  SeededRng rng(1);
  WorkQueue queue(clock, rng, BackoffOptions{});
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] { EXPECT_EQ(queue.get(), std::nullopt); });
  }
  clock.await_waiters(3);
  queue.shutdown(false);
}

// Many producers, many workers, every way to add. Each key counts what was asked for; whoever
// processes it takes the count it sees. At the end nothing asked for may be left, and no key may
// have been in two hands.
TEST(WorkQueueThreads, LosesNothingAndNeverSharesAKey) {
  constexpr int kKeys = 20;
  constexpr int kProducers = 6;
  constexpr int kWorkers = 6;
  constexpr int kAdds = 1500;
  FakeClock clock;
  SeededRng rng(1);
  WorkQueue queue(clock, rng, BackoffOptions{Duration(1), Duration(8)});
  std::array<std::atomic<int>, kKeys> asked{};
  std::array<std::atomic<int>, kKeys> seen{};
  std::array<std::atomic<int>, kKeys> holders{};
  std::array<int, kKeys>
      unguarded{};  // only the queue keeps it free of races: the thread sanitizer looks
  std::atomic<int> producing{kProducers};

  std::vector<std::jthread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      SeededRng mine(100 + static_cast<std::uint64_t>(w));
      while (const auto key = queue.get()) {
        const auto k = static_cast<std::size_t>(std::stoi(*key));
        EXPECT_EQ(++holders[k], 1);
        ++unguarded[k];
        seen[k] = asked[k].load();
        if (mine.below(8) == 0) queue.add_backoff(*key);
        if (mine.below(8) == 0) queue.add(*key);
        if (mine.below(4) == 0) queue.forget(*key);
        --holders[k];
        queue.done(*key);
      }
    });
  }
  {
    std::vector<std::jthread> producers;
    for (int p = 0; p < kProducers; ++p) {
      producers.emplace_back([&, p] {
        SeededRng mine(static_cast<std::uint64_t>(p));
        for (int i = 0; i < kAdds; ++i) {
          const std::size_t k = mine.below(kKeys);
          ++asked[k];
          if (mine.below(3) == 0) {
            queue.add_after(std::to_string(k), Duration(static_cast<int>(mine.below(20))));
          } else {
            queue.add(std::to_string(k));
          }
        }
        --producing;
      });
    }
    while (producing > 0) {
      clock.advance(Duration(1));
      std::this_thread::yield();
    }
  }
  // Delays that are left become due; back-offs made meanwhile, too.
  while (queue.waiting() > 0) {
    clock.advance(Duration(20));
    std::this_thread::yield();
  }
  queue.shutdown(true);
  workers.clear();
  for (std::size_t k = 0; k < kKeys; ++k) EXPECT_EQ(seen[k], asked[k]) << k;
}

}  // namespace
}  // namespace keyturn::runtime
