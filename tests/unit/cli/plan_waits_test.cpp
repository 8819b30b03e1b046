#include "controller/cli/plan_waits.h"

#include <gtest/gtest.h>

#include "lib/base/time.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::cli {
namespace {

using rotation::RetireAfter;

class PlanWaits : public ::testing::Test {
 protected:
  // The new version was written 20 s ago and its workloads are not available yet.
  PlanWaits() {
    policy.spec.rollout.restart = rotation::Restart::Auto;
    policy.spec.targets.resize(1);
    policy.spec.targets[0].name = "a";
    policy.status.current_version_id = "new";
    policy.status.targets = {{.name = "a",
                              .version_id = "new",
                              .rolled_out_version_id = "old",
                              .synced_at = now - std::chrono::seconds(20)}};
    policy.status.conditions = {{.type = "RolledOut",
                                 .status = "False",
                                 .reason = "RollingOut",
                                 .message = "Deployment/x 1/3"}};
  }
  engine::Situation judged(RetireAfter after) {
    policy.spec.retirement.after = after;
    engine::Situation situation;
    plan = {};
    judge_waits(policy, requests, labels, std::chrono::seconds(10), now, situation, plan);
    return situation;
  }
  bool goes_on(RetireAfter after) { return judged(after).rolled_out; }

  testing::FakeClock clock;
  const WallTime now = clock.now();
  rotation::Policy policy;
  rotation::PersonRequests requests;
  engine::Labels labels{.current = "new", .previous = "old", .latest = "new", .baton = "old"};
  Plan plan;
};

TEST_F(PlanWaits, OnlyARetirementAfterTheRolloutWaitsForIt) {
  EXPECT_FALSE(goes_on(RetireAfter::Rollout));
  EXPECT_TRUE(goes_on(RetireAfter::Sync));
  EXPECT_EQ(plan.note, "Deployment/x 1/3");  // told all the same
  EXPECT_TRUE(goes_on(RetireAfter::Immediately));
  policy.status.targets[0].rolled_out_version_id = "new";
  EXPECT_TRUE(goes_on(RetireAfter::Rollout));
  EXPECT_EQ(plan.note, "");
}

TEST_F(PlanWaits, ButEachWaitsUntilTheWorkloadsAreTold) {
  policy.status.targets[0].synced_at = now - std::chrono::seconds(5);
  for (const RetireAfter after :
       {RetireAfter::Rollout, RetireAfter::Sync, RetireAfter::Immediately})
    EXPECT_FALSE(goes_on(after));
}

TEST_F(PlanWaits, WhatCannotBeRolledOutHoldsTheOthersNot) {
  policy.status.targets[0].synced_at = now;
  policy.status.conditions[0].reason = "RolloutFailed";
  EXPECT_FALSE(goes_on(RetireAfter::Rollout));
  EXPECT_TRUE(goes_on(RetireAfter::Sync));
  policy.status.conditions[0].reason = "HeldBack";
  EXPECT_TRUE(goes_on(RetireAfter::Rollout));
}

// A leak drill waits for followers, so its gate is closed like any other's until the status says.
TEST_F(PlanWaits, ALeakDrillWaitsForItsGateAPersonsWordForNothing) {
  requests.drill = true;
  EXPECT_FALSE(judged(RetireAfter::Rollout).gate_open);
  policy.status.retiring = rotation::RetiringStatus{
      .version_id = "old", .waiting_for = "RotationPolicy b/x (not synced)"};
  EXPECT_EQ(judged(RetireAfter::Rollout).waiting_for, "RotationPolicy b/x (not synced)");
  policy.status.retiring->earliest = now;
  EXPECT_TRUE(judged(RetireAfter::Rollout).gate_open);
  policy.status.retiring->earliest = now + std::chrono::hours(1);
  EXPECT_FALSE(judged(RetireAfter::Rollout).gate_open);
  EXPECT_TRUE(plan.when.starts_with(format_rfc3339(now + std::chrono::hours(1)))) << plan.when;
  requests = {.revoke = true};
  const engine::Situation on_a_word = judged(RetireAfter::Rollout);
  EXPECT_TRUE(on_a_word.gate_open && on_a_word.rolled_out);
}

}  // namespace
}  // namespace keyturn::cli
