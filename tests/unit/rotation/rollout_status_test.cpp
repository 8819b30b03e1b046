#include "controller/rotation/rollout_status.h"

#include <gtest/gtest.h>

#include "controller/rotation/status.h"
#include "controller/rotation/sync_pass.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

const WallTime kNow = from_epoch_seconds(1'795'000'000);
const WallTime kLater = kNow + Duration(60'000);

class RolloutStatusTest : public ::testing::Test {
 protected:
  RolloutStatusTest() {
    policy.spec.targets = {{.name = "s"}};
    policy.spec.rollout.restart = Restart::Auto;
  }
  // A sync that left the Secret with `version`.
  void synced(const std::string& version, const std::string& replaced, WallTime at = kNow,
              bool wrote = true) {
    SyncReport report;
    report.version_id = version;
    report.targets = {
        {.name = "s", .in_sync = true, .wrote = wrote, .replaced = replaced, .error = {}}};
    SyncPass::report_to(status, policy, report, at);
  }
  RolloutReport report(RolloutPhase phase) {
    return {.phase = phase, .message = "m", .version_id = status.current_version_id};
  }
  const Condition& rolled_out() { return *status.condition(kRolledOut); }
  bool pending() { return !pending_targets(policy, status).empty(); }

  Policy policy;
  PolicyStatus status;
};

TEST_F(RolloutStatusTest, TheFirstWriteRestartsNothing) {
  synced("v1", "");
  EXPECT_FALSE(pending());
  EXPECT_EQ(status.targets[0].rolled_out_version_id, "v1");
  EXPECT_EQ(rolled_out().status, "True");
}

TEST_F(RolloutStatusTest, AReplacedVersionIsToBeRolledOut) {
  synced("v1", "");
  synced("v2", "v1");
  ASSERT_TRUE(pending());
  EXPECT_EQ(pending_targets(policy, status)[0].version_id, "v2");
  EXPECT_EQ(pending_targets(policy, status)[0].written, kNow);
  EXPECT_EQ(rolled_out().status, "False");
  EXPECT_EQ(rolled_out().reason, "RollingOut");
  synced("v2", "", kLater);  // once more: still to do
  EXPECT_TRUE(pending());
}

TEST_F(RolloutStatusTest, AWipedStatusTakesTheVersionFromTheSecret) {
  synced("v2", "v1");
  EXPECT_TRUE(pending());
}

// The process that wrote the Secret died before it could say so: the version is new to the status,
// and readers count from when it was found.
TEST_F(RolloutStatusTest, AVersionFoundWrittenIsRolledOutFromNow) {
  synced("v1", "");
  synced("v2", "", kLater, /*wrote=*/false);
  ASSERT_TRUE(pending());
  EXPECT_EQ(pending_targets(policy, status)[0].written, kLater);
}

TEST_F(RolloutStatusTest, ASecretDeletedMeanwhileIsNotAFirstWrite) {
  synced("v1", "");
  synced("v2", "");  // there was none to replace, but workloads read v1 from the one before
  EXPECT_TRUE(pending());
}

TEST_F(RolloutStatusTest, WithoutRestartsNothingIsEverToDo) {
  policy.spec.rollout.restart = Restart::None;
  synced("v1", "");
  synced("v2", "v1");
  EXPECT_FALSE(pending());
  EXPECT_EQ(rolled_out().reason, "NotRequested");
  EXPECT_EQ(status.targets[0].rolled_out_version_id, "");
  policy.spec.rollout.restart = Restart::Auto;  // from now on: what was before restarts nothing
  synced("v2", "", kLater);
  EXPECT_FALSE(pending());
  EXPECT_EQ(rolled_out().reason, "RolledOut");
  synced("v3", "v2", kLater);
  EXPECT_TRUE(pending());
}

// A forced write, or the repair of what a person changed: readers since kNow hold the version.
TEST_F(RolloutStatusTest, AnotherWriteOfTheSameVersionMovesNoTime) {
  synced("v1", "");
  synced("v1", "", kLater);
  EXPECT_EQ(status.targets[0].synced_at, kNow);
}

TEST_F(RolloutStatusTest, ASecretThatWasPutBackToAnOlderVersionCountsFromItsRepair) {
  synced("v2", "v1");
  synced("v2", "v1", kLater);
  EXPECT_EQ(status.targets[0].synced_at, kLater);
}

TEST_F(RolloutStatusTest, TheConditionTellsWhenTheRollOutBegan) {
  synced("v1", "");
  EXPECT_FALSE(rollout_began(status));
  synced("v2", "v1");
  EXPECT_EQ(rollout_began(status), kNow);
  auto restarts = report(RolloutPhase::Waiting);
  restarts.restarted = 2;
  note_rollout(status, policy, restarts, kNow + Duration(10'000));
  EXPECT_EQ(rollout_began(status), kNow) << "soon after";
  note_rollout(status, policy, report(RolloutPhase::TimedOut), kLater);
  EXPECT_EQ(rollout_began(status), kNow) << "a time-out does not start it anew";
  synced("v3", "v2", kLater);
  EXPECT_EQ(rollout_began(status), kLater) << "another version is another roll-out";
  note_rollout(status, policy, report(RolloutPhase::Done), kLater);
  EXPECT_FALSE(pending());
  EXPECT_EQ(status.targets[0].rolled_out_version_id, "v3");
}

// An operator that was away for the time of the time-out does not find it over at its first
// restart.
TEST_F(RolloutStatusTest, RestartsThatComeLateBeginTheRollOut) {
  synced("v1", "");
  synced("v2", "v1");
  const WallTime back = kNow + std::chrono::hours(1);
  auto late = report(RolloutPhase::Waiting);
  note_rollout(status, policy, late, back);
  EXPECT_EQ(rollout_began(status), kNow) << "nothing was restarted";
  late.restarted = 1;
  note_rollout(status, policy, late, back);
  EXPECT_EQ(rollout_began(status), back);
}

TEST_F(RolloutStatusTest, WhatSpreadsIsARollOutUnderWay) {
  synced("v1", "");
  synced("v2", "v1");
  const PolicyStatus before = status;
  note_rollout(status, policy, report(RolloutPhase::Pending), kNow);
  auto restarts = report(RolloutPhase::Waiting);
  restarts.restarted = 1;
  note_rollout(status, policy, restarts, kNow + Duration(11'000));
  EXPECT_EQ(status, before) << "one write of the status serves both";
}

TEST_F(RolloutStatusTest, NobodyIsToldAsLongAsARestartIsLeftToALaterPass) {
  RolloutReport some = report(RolloutPhase::Waiting);
  EXPECT_TRUE(some.told());
  some.postponed = 1;
  EXPECT_FALSE(some.told());
  EXPECT_FALSE(report(RolloutPhase::Pending).told());
}

TEST_F(RolloutStatusTest, ProgressIsNotWrittenAtEveryLook) {
  synced("v1", "");
  synced("v2", "v1");
  note_rollout(status, policy, report(RolloutPhase::Waiting), kNow);
  auto next = report(RolloutPhase::Waiting);
  next.message = "2/3";
  note_rollout(status, policy, next, kNow + Duration(2000));
  EXPECT_NE(rolled_out().message, "2/3");
  note_rollout(status, policy, next, kLater);
  EXPECT_EQ(rolled_out().message, "2/3");
}

TEST_F(RolloutStatusTest, OnlyWhatWentWrongMakesThePolicyNotReady) {
  synced("v1", "");
  synced("v2", "v1");
  const auto ready = [&] {
    conclude(status, kNow, 1);
    return status.condition(kReady)->status;
  };
  EXPECT_EQ(ready(), "True");
  for (const auto phase : {RolloutPhase::Waiting, RolloutPhase::HeldBack}) {
    note_rollout(status, policy, report(phase), kNow);
    EXPECT_EQ(ready(), "True");
  }
  note_rollout(status, policy, report(RolloutPhase::TimedOut), kNow);
  EXPECT_EQ(ready(), "False");
  note_failure(status, policy, make_error(ErrorClass::Denied, "Forbidden", "no"), kNow);
  EXPECT_EQ(ready(), "False");
}

}  // namespace
}  // namespace keyturn::rotation
