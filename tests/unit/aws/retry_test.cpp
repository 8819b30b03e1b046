#include "lib/aws/retry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace keyturn::aws {
namespace {

TEST(RetryBudgetTest, EmptyMeansNo) {
  RetryBudget budget;
  for (int i = 0; i < RetryBudget::kCapacity / RetryBudget::kRetryCost; ++i) {
    EXPECT_TRUE(budget.take(RetryBudget::kRetryCost));
  }
  EXPECT_EQ(budget.left(), 0);
  EXPECT_FALSE(budget.take(1));
  budget.give(4);
  EXPECT_FALSE(budget.take(5));
  EXPECT_EQ(budget.left(), 4);
  budget.give(1);
  EXPECT_TRUE(budget.take(5));
}

TEST(RetryBudgetTest, NeverAboveItsCapacity) {
  RetryBudget budget;
  budget.give(100);
  EXPECT_EQ(budget.left(), RetryBudget::kCapacity);
}

TEST(RetryDelayTest, FullJitterUnderADoublingCeiling) {
  SeededRng rng(1);
  for (int retry = 0; retry < 8; ++retry) {
    const int ceiling = std::min(1 << retry, 20) * 1000;
    Duration longest{0};
    for (int i = 0; i < 200; ++i) {
      const Duration d = retry_delay(retry, rng, std::nullopt);
      EXPECT_GE(d.count(), 0);
      EXPECT_LT(d.count(), ceiling);
      longest = std::max(longest, d);
    }
    EXPECT_GT(longest.count(), ceiling * 9 / 10);  // seeded: the whole range is used
  }
}

TEST(RetryDelayTest, WhatTheServiceAsksForCountsWithinFiveSeconds) {
  const auto delay = [](std::optional<Duration> asked_for) {
    SeededRng rng(1);  // the same jitter each time
    return retry_delay(0, rng, asked_for);
  };
  const Duration own = delay(std::nullopt);
  EXPECT_EQ(delay(Duration(60'000)), own + Duration(5000));
  EXPECT_EQ(delay(Duration(0)), own);
  EXPECT_EQ(delay(own + Duration(1234)), own + Duration(1234));
}

}  // namespace
}  // namespace keyturn::aws
