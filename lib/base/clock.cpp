#include "lib/base/clock.h"

#include <algorithm>

namespace keyturn {

WallTime SystemClock::now() const {
  return std::chrono::floor<Duration>(std::chrono::system_clock::now());
}

MonoTime SystemClock::mono() const {
  return std::chrono::floor<Duration>(std::chrono::steady_clock::now());
}

bool SystemClock::wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& cv,
                             MonoTime deadline) {
  // A far deadline would overflow in the conversion to nanoseconds; waking once an hour is allowed.
  const MonoTime capped = std::min(deadline, mono() + std::chrono::hours(1));
  cv.wait_until(lock, capped);
  return mono() < deadline;
}

bool sleep_until(Clock& clock, MonoTime deadline, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable wake;
  // Taking the mutex orders the notification after the waiter's look at the token.
  std::stop_callback on_stop(stop, [&] {
    const std::lock_guard<std::mutex> guard(mutex);
    wake.notify_all();
  });
  std::unique_lock<std::mutex> lock(mutex);
  while (!stop.stop_requested()) {
    if (clock.mono() >= deadline) return true;
    clock.wait_until(lock, wake, deadline);
  }
  return false;
}

}  // namespace keyturn
