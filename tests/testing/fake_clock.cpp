#include "tests/testing/fake_clock.h"

#include <algorithm>
#include <vector>

namespace keyturn::testing {

WallTime FakeClock::now() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return start_ + elapsed_;
}

MonoTime FakeClock::mono() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return mono_locked();
}

bool FakeClock::wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& cv,
                           MonoTime deadline) {
  Waiter self{lock.mutex(), &cv, deadline};
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (mono_locked() >= deadline) return false;
    waiters_.push_back(&self);
    changed_.notify_all();
  }
  cv.wait(lock);
  leave(self, lock);
  return mono() < deadline;
}

void FakeClock::leave(Waiter& waiter, std::unique_lock<std::mutex>& lock) {
  std::unique_lock<std::mutex> guard(mutex_);
  waiters_.remove(&waiter);
  if (waiter.visitors == 0) return;
  // An advance() is about to take our caller's mutex: let it, then our caller may go and destroy
  // it.
  guard.unlock();
  lock.unlock();
  guard.lock();
  changed_.wait(guard, [&] { return waiter.visitors == 0; });
  guard.unlock();
  lock.lock();
}

void FakeClock::advance(Duration by) {
  std::vector<Waiter*> due;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    elapsed_ += by;
    for (Waiter* waiter : waiters_) {
      if (waiter->deadline > mono_locked()) continue;
      waiter->woken = true;
      ++waiter->visitors;
      due.push_back(waiter);
    }
  }
  for (Waiter* waiter : due) {
    {
      const std::lock_guard<std::mutex> theirs(*waiter->mutex);
      waiter->cv->notify_all();
    }
    const std::lock_guard<std::mutex> guard(mutex_);
    --waiter->visitors;
    changed_.notify_all();
  }
}

void FakeClock::jump_wall(Duration by) {
  const std::lock_guard<std::mutex> guard(mutex_);
  start_ += by;
}

std::size_t FakeClock::asleep_locked() const {
  return static_cast<std::size_t>(
      std::count_if(waiters_.begin(), waiters_.end(), [](const Waiter* w) { return !w->woken; }));
}

void FakeClock::await_waiters(std::size_t count) {
  std::unique_lock<std::mutex> guard(mutex_);
  changed_.wait(guard, [&] { return asleep_locked() >= count; });
}

MonoTime FakeClock::next_deadline() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  MonoTime earliest = MonoTime::max();
  for (const Waiter* waiter : waiters_) {
    if (!waiter->woken) earliest = std::min(earliest, waiter->deadline);
  }
  return earliest;
}

bool FakeClock::advance_to_next() {
  const MonoTime next = next_deadline();
  if (next == MonoTime::max()) return false;
  const MonoTime at = mono();
  advance(next > at ? next - at : Duration(0));
  return true;
}

}  // namespace keyturn::testing
