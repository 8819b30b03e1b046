#include "lib/aws/retry.h"

#include <algorithm>

namespace keyturn::aws {

bool RetryBudget::take(int cost) {
  const std::lock_guard lock(mutex_);
  if (tokens_ < cost) return false;
  tokens_ -= cost;
  return true;
}

void RetryBudget::give(int tokens) {
  const std::lock_guard lock(mutex_);
  tokens_ = std::min(tokens_ + tokens, kCapacity);
}

int RetryBudget::left() const {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

Duration retry_delay(int retry, Rng& rng, std::optional<Duration> asked_for) {
  constexpr int kMaxSeconds = 20;
  const int ceiling = retry < 5 ? std::min(1 << retry, kMaxSeconds) : kMaxSeconds;
  const Duration own(static_cast<Duration::rep>(rng.unit() * ceiling * 1000.0));
  if (!asked_for) return own;
  return std::clamp(*asked_for, own, own + Duration(5000));
}

}  // namespace keyturn::aws
