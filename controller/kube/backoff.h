// Pauses between attempts of a watch: client-go's BackoffManager (0.8 s doubling to 30 s, each
// stretched by up to its own length, forgotten after two quiet minutes), plus a first attempt at
// once when all was quiet. Thread rule: one thread.
#pragma once

#include <algorithm>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::kube {

class Backoff {
 public:
  Backoff(Clock& clock, Rng& rng) : clock_(clock), rng_(rng) {}

  // The pause before the next attempt.
  Duration next() {
    touch();
    const Duration base = std::min(delay_, kLongest);
    delay_ = std::min(delay_ * 2, kLongest);
    return base +
           Duration(static_cast<Duration::rep>(static_cast<double>(base.count()) * rng_.unit()));
  }

  // No pause for the first trouble in a quiet time, next() for those that follow: one hiccup costs
  // nothing, a storm is paced.
  Duration next_unless_quiet() {
    const bool quiet = !last_ || clock_.mono() - *last_ > kQuiet;
    if (!quiet) return next();
    touch();
    return Duration(0);
  }

 private:
  static constexpr Duration kShortest{800}, kLongest{30'000}, kQuiet{120'000};

  void touch() {
    const MonoTime now = clock_.mono();
    if (last_ && now - *last_ > kQuiet) delay_ = kShortest;
    last_ = now;
  }

  Clock& clock_;
  Rng& rng_;
  Duration delay_ = kShortest;
  std::optional<MonoTime> last_;
};

}  // namespace keyturn::kube
