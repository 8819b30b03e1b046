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
  EXPECT_EQ(rolled_out().status, "Unknown");
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

TEST_F(RolloutStatusTest, TheConditionTellsWhenRestartsBegan) {
  synced("v1", "");
  synced("v2", "v1");
  EXPECT_FALSE(rollout_began(status));
  note_rollout(status, policy, report(RolloutPhase::Waiting), kNow);
  EXPECT_EQ(rollout_began(status), kNow);
  note_rollout(status, policy, report(RolloutPhase::TimedOut), kLater);
  EXPECT_EQ(rollout_began(status), kNow) << "a time-out does not start it anew";
  synced("v3", "v2", kLater);
  EXPECT_FALSE(rollout_began(status)) << "another version is another roll-out";
  note_rollout(status, policy, report(RolloutPhase::Waiting), kLater);
  EXPECT_EQ(rollout_began(status), kLater);
  note_rollout(status, policy, report(RolloutPhase::Done), kLater);
  EXPECT_FALSE(pending());
  EXPECT_EQ(status.targets[0].rolled_out_version_id, "v3");
}

TEST_F(RolloutStatusTest, ProgressIsNotWrittenAtEveryLook) {
  synced("v1", "");
  synced("v2", "v1");
  note_rollout(status, policy, report(RolloutPhase::Waiting), kNow);
  auto next = report(RolloutPhase::Waiting);
  next.message = "2/3";
  note_rollout(status, policy, next, kNow + Duration(2000));
  EXPECT_EQ(rolled_out().message, "m");
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
