#include "controller/kube/sleep.h"

#include <condition_variable>
#include <mutex>

namespace keyturn::kube {

bool sleep_for(Clock& clock, Duration duration, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable woken;
  // Under the mutex, so that a stop between the check and the wait is not lost.
  const std::stop_callback on_stop(stop, [&] {
    const std::lock_guard<std::mutex> guard(mutex);
    woken.notify_all();
  });
  std::unique_lock<std::mutex> lock(mutex);
  const MonoTime deadline = clock.mono() + duration;
  while (!stop.stop_requested()) {
    if (!clock.wait_until(lock, woken, deadline)) return !stop.stop_requested();
  }
  return false;
}

}  // namespace keyturn::kube
