// A clock that moves only when told to. Wakes every wait whose deadline is reached.
// Thread rule: any thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "lib/base/clock.h"

namespace keyturn::testing {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime start = WallTime(Duration(1'795'000'000'000)))  // 2026-11-18
      : start_(start) {}

  WallTime now() const override;
  MonoTime mono() const override;
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& cv,
                  MonoTime deadline) override;

  void advance(Duration by);
  // Blocks until at least `count` threads wait on this clock: how a test knows that a worker sleeps.
  void await_waiters(std::size_t count);

 private:
  mutable std::mutex mutex_;
  std::condition_variable waiters_changed_;
  WallTime start_;
  Duration elapsed_{0};
  struct Waiter {
    std::mutex* mutex;
    std::condition_variable* cv;
  };
  std::multiset<const Waiter*> waiters_;
};

}  // namespace keyturn::testing
