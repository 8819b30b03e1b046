// A clock that moves only when told to. Wakes every wait whose deadline is reached.
//
// How no wake-up is lost: a waiter enters itself and looks at the time while it holds its own
// mutex; advance() first moves the time, then takes each due waiter's mutex before it notifies. So
// a waiter either sees the new time or already waits. Lock order: a waiter's mutex, then the
// clock's; advance() holds the clock's never while it takes a waiter's.
//
// Thread rule: any thread; advance() must not be called with a mutex that somebody waits with.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>

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

  // Wall and monotonic time together.
  void advance(Duration by);
  // The wall clock alone, either way: someone set it. Wakes nobody.
  void jump_wall(Duration by);

  // Blocks until at least `count` threads wait on this clock: how a test knows that a worker
  // sleeps. One that advance() has woken counts again only once it waits again; one that somebody
  // else notified counts until it runs.
  void await_waiters(std::size_t count);
  // The earliest deadline that is waited for; MonoTime::max() when there is none.
  MonoTime next_deadline() const;
  // Moves to the earliest awaited deadline; false (and no move) when nobody waits for one.
  bool advance_to_next();

 private:
  struct Waiter {
    std::mutex* mutex;
    std::condition_variable* cv;
    MonoTime deadline;
    bool woken = false;  // by advance(); no longer counts as waiting
    int visitors = 0;    // advance() calls that still use mutex and cv: the waiter may not leave
  };

  MonoTime mono_locked() const { return MonoTime(Duration(1'000'000) + elapsed_); }
  std::size_t asleep_locked() const;
  void leave(Waiter& waiter, std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // waiters_ or their fields
  WallTime start_;
  Duration elapsed_{0};
  std::list<Waiter*> waiters_;
};

}  // namespace keyturn::testing
