// Time, injected everywhere so that tests own it.
//
// Two notions: wall time (what people and AWS say; may jump) and monotonic time (deadlines,
// back-off, "how long ago did I see this"). Never compare one with the other.
//
// Thread rule: every method may be called from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace keyturn {

using Duration = std::chrono::milliseconds;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual MonoTime mono() const = 0;

  // Waits on `cv` until notified or until mono() >= deadline. `lock` is held on entry and on
  // return, and may be let go and taken again in between. Returns false when the deadline has
  // passed. May wake for no reason, as any wait does. MonoTime::max(): no deadline.
  virtual bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& cv,
                          MonoTime deadline) = 0;
};

// The machine's clocks.
class SystemClock final : public Clock {
 public:
  WallTime now() const override;
  MonoTime mono() const override;
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& cv,
                  MonoTime deadline) override;
};

// Blocks until mono() >= deadline (true) or until a stop is requested (false).
bool sleep_until(Clock& clock, MonoTime deadline, const std::stop_token& stop);

}  // namespace keyturn
