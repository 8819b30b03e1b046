// Standard retry mode of the AWS SDKs: a token bucket shared by all clients of a session, and
// full-jitter back-off.
#pragma once

#include <mutex>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::aws {

// Keeps a failing service from being hit with a multiple of the normal load: a retry has a price,
// successes pay it back, and an empty bucket means no retry. Thread rule: any thread.
class RetryBudget {
 public:
  static constexpr int kCapacity = 500;
  static constexpr int kRetryCost = 5;
  static constexpr int kTimeoutCost = 10;
  static constexpr int kSuccessIncome = 1;  // a success at the first try

  bool take(int cost);  // false: not enough left, nothing taken
  void give(int tokens);
  int left() const;

 private:
  mutable std::mutex mutex_;
  int tokens_ = kCapacity;  // guarded by mutex_
};

// How long to wait before retry number `retry` (0 is the first): rand(0,1) · min(2^retry, 20) s.
// What the service asks for (x-amz-retry-after) is followed up to five seconds beyond that.
Duration retry_delay(int retry, Rng& rng, std::optional<Duration> asked_for);

}  // namespace keyturn::aws
