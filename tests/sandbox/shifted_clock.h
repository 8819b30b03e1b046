// A clock that runs with another one, some way off. Thread rule: any thread.
#pragma once

#include <atomic>

#include "lib/base/clock.h"

namespace keyturn::sandbox {

class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(const Clock& base) : base_(base) {}
  void set_offset(Duration offset) { offset_ = offset; }

  WallTime now() const override { return base_.now() + offset_.load(); }
  MonoTime mono() const override { return base_.mono(); }
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& cv,
                  MonoTime deadline) override {
    if (mono() >= deadline) return false;
    cv.wait_until(lock, deadline);
    return mono() < deadline;
  }

 private:
  const Clock& base_;
  std::atomic<Duration> offset_{Duration(0)};
};

}  // namespace keyturn::sandbox
