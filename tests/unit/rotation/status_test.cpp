#include "controller/rotation/status.h"

#include <gtest/gtest.h>

#include "controller/rotation/rotation_record.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/registry.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::rotation {
namespace {

const WallTime kNow = from_epoch_seconds(1'795'000'000);
const WallTime kLater = kNow + Duration(60'500);

TEST(Conditions, TransitionTimeMovesOnlyWhenTheStatusFlips) {
  PolicyStatus status;
  set_condition(status, kSynced, "False", "A", "a", kNow, 1);
  set_condition(status, kSynced, "False", "B", "b", kLater, 2);
  EXPECT_EQ(status.condition(kSynced)->last_transition, kNow);
  EXPECT_EQ(status.condition(kSynced)->reason, "B");
  EXPECT_EQ(status.condition(kSynced)->observed_generation, 2);
  set_condition(status, kSynced, "True", "C", "c", kLater, 2);
  EXPECT_EQ(status.condition(kSynced)->last_transition, kNow + Duration(60'000))
      << "whole seconds, as they come back from the server";
}

TEST(Conditions, AreSortedByTypeAndUnique) {
  PolicyStatus status;
  for (const auto type : {kSynced, kReady, kStalled, kSynced})
    set_condition(status, type, "True", "R", "", kNow, 1);
  ASSERT_EQ(status.conditions.size(), 3U);
  EXPECT_EQ(status.conditions[0].type, kReady);
  EXPECT_EQ(status.conditions[2].type, kSynced);
}

TEST(Conditions, AProblemIsEitherStalledOrReconciling) {
  PolicyStatus status;
  set_problem(status, make_error(ErrorClass::Transient, "Timeout", "slow"), false, kNow, 1);
  EXPECT_TRUE(status.condition(kReconciling));
  set_problem(status, invalid("BinarySecret", "binary"), true, kNow, 1);
  EXPECT_FALSE(status.condition(kReconciling));
  EXPECT_EQ(status.condition(kStalled)->reason, "BinarySecret");
  clear_problem(status);
  EXPECT_FALSE(status.condition(kStalled));
}

TEST(Conditions, WhateverElseThereIsDoesNotHideAnInactiveCredential) {
  PolicyStatus status;
  const Error inactive = invalid(std::string(engine::kCredentialInactive), "set it active");
  set_problem(status, inactive, true, kNow, 1);
  for (const bool stalled : {false, true}) {
    set_problem(status, make_error(ErrorClass::Denied, "AccessDenied", "no"), stalled, kLater, 2);
    EXPECT_TRUE(told_inactive(status));
    EXPECT_TRUE(told_problem(status, "AccessDenied"));
    ASSERT_TRUE(status.condition(kReconciling));
    conclude(status, kLater, 2);
    EXPECT_EQ(status.condition(kReady)->reason, engine::kCredentialInactive);
  }
  set_problem(status, inactive, true, kLater, 2);
  EXPECT_EQ(status.condition(kStalled)->last_transition, kNow);
  EXPECT_FALSE(status.condition(kReconciling)) << "the other one is over";
  clear_problem(status);
  EXPECT_FALSE(told_inactive(status));
}

TEST(Conclude, ReadyFollowsTheWorstThing) {
  PolicyStatus status;
  conclude(status, kNow, 3);
  EXPECT_EQ(status.condition(kReady)->status, "Unknown");
  EXPECT_EQ(status.observed_generation, 3);
  set_condition(status, kSynced, "True", "InSync", "1 target holds the current version", kNow, 3);
  conclude(status, kNow, 3);
  EXPECT_EQ(status.condition(kReady)->status, "True");
  set_condition(status, kSynced, "False", "TargetInUse", "taken", kNow, 3);
  conclude(status, kNow, 3);
  EXPECT_EQ(status.condition(kReady)->reason, "TargetInUse");
  set_problem(status, invalid("NoAccessRule", "no rule"), true, kNow, 3);
  conclude(status, kNow, 3);
  EXPECT_EQ(status.condition(kReady)->reason, "NoAccessRule");
}

TEST(Conclude, ReadyTakesReasonAndMessageOfWhatIsWrong) {
  PolicyStatus
      status;  // Ready is added before the others: nothing may be read where they stood before
  set_problem(status, invalid("NoAccessRule", "no rule"), true, kNow, 1);
  conclude(status, kNow, 1);
  EXPECT_EQ(status.condition(kReady)->status, "False");
  EXPECT_EQ(status.condition(kReady)->reason, "NoAccessRule");
  EXPECT_EQ(status.condition(kReady)->message, "no rule");
  PolicyStatus unsynced;
  set_condition(unsynced, kSynced, "False", "TargetInUse", "taken", kNow, 1);
  conclude(unsynced, kNow, 1);
  EXPECT_EQ(unsynced.condition(kReady)->reason, "TargetInUse");
}

TEST(History, NewestFirstAtMostTenOneAVersion) {
  PolicyStatus status;
  for (int i = 0; i < 12; ++i) {
    add_history(status, {.version_id = "v" + std::to_string(i),
                         .outcome = "Succeeded",
                         .trigger = "schedule",
                         .started_at = kNow,
                         .finished_at = kNow});
  }
  add_history(status, {.version_id = "v11",
                       .outcome = "Abandoned",
                       .trigger = "schedule",
                       .started_at = kNow,
                       .finished_at = kNow});
  ASSERT_EQ(status.history.size(), 10U);
  EXPECT_EQ(status.history[0].version_id, "v11");
  EXPECT_EQ(status.history[0].outcome, "Abandoned");
  EXPECT_EQ(status.history[1].version_id, "v10");
}

TEST(Record, AResumedRotationKeepsItsStart) {
  PolicyStatus status;
  record_step(status, {"generic", "{}"}, "v1", engine::Step::CreateSecret, "", "request", kNow);
  record_step(status, {"generic", "{}"}, "v1", engine::Step::FinishSecret, "", "", kLater);
  EXPECT_EQ(status.rotation->started_at, kNow);
  EXPECT_EQ(status.rotation->step, "finishSecret");
  record_end(status, "v1", "Succeeded", kLater);
  EXPECT_FALSE(status.rotation);
  ASSERT_EQ(status.history.size(), 1U);
  EXPECT_EQ(status.history[0].trigger, "request");
  EXPECT_EQ(status.history[0].started_at, kNow);
  EXPECT_TRUE(status.last_rotation);
}

// The kind in the spec counts between rotations; the options come with the one that began.
TEST(Record, TheStrategyThatBeganIsAtWorkUntilItsRotationIsOver) {
  const StrategySpec began{"influxdbToken", R"({"url":"https://influx.example:8086"})"};
  Policy policy;
  policy.spec.strategy = began;
  PolicyStatus status;
  EXPECT_EQ(strategy_at_work(policy, status), began);
  record_step(status, began, "v1", engine::Step::CreateSecret, "", "request", kNow);
  policy.spec.strategy = {"syncOnly", "{}"};
  EXPECT_EQ(strategy_at_work(policy, status), began);
  EXPECT_TRUE(rotates(policy, status));
  record_end(status, "v1", "Succeeded", kLater);
  record_aftermath(status, began, "v1", engine::Step::Retire, "", kLater);
  policy.spec.strategy = {"generic", "{}"};
  EXPECT_EQ(strategy_at_work(policy, status), began);
  // Of the same kind the spec's options count: they are how a person corrects them.
  policy.spec.strategy = {"influxdbToken", "{}"};
  EXPECT_EQ(strategy_at_work(policy, status), policy.spec.strategy);
  record_rest(status, "v1", kLater);
  policy.spec.strategy = {"syncOnly", "{}"};
  EXPECT_EQ(strategy_at_work(policy, status), policy.spec.strategy);
  EXPECT_FALSE(rotates(policy, status));
}

TEST(Record, AbandonedAttemptsInARowAreCountedFromTheNewest) {
  PolicyStatus status;
  for (const char* outcome : {"Abandoned", "Succeeded", "Abandoned", "Abandoned"}) {
    const std::string id = std::string("v") + std::to_string(status.history.size());
    add_history(status,
                {.version_id = id,
                 .outcome = outcome,
                 .trigger = "",
                 .started_at = kNow,
                 .finished_at = kNow + Duration(1000) * static_cast<int>(status.history.size())});
  }
  EXPECT_EQ(abandoned_in_a_row(status).count, 2);
  EXPECT_EQ(abandoned_in_a_row(status).last, kNow + Duration(3000));
  record_end(status, "v9", "Succeeded", kLater);
  EXPECT_EQ(abandoned_in_a_row(status).count, 0);
}

// Revoking what an attempt minted comes after giving it up, perhaps much later.
TEST(Record, WhatIsDoneAfterTheEndLeavesTheHistoryAlone) {
  for (const char* outcome : {"Abandoned", "Succeeded"}) {
    PolicyStatus status;
    record_step(status, {"generic", "{}"}, "v1", engine::Step::CreateSecret, "", "request", kNow);
    record_end(status, "v1", outcome, kNow + Duration(1000));
    record_step(status, {"generic", "{}"}, "v1", engine::Step::FinishSecret, "", "schedule",
                kLater);
    ASSERT_TRUE(status.rotation) << "it is shown";
    EXPECT_EQ(status.rotation->started_at, kNow);
    record_end(status, "v1", outcome, kLater);
    EXPECT_FALSE(status.rotation);
    ASSERT_EQ(status.history.size(), 1U);
    EXPECT_EQ(status.history[0].outcome, outcome);
    EXPECT_EQ(status.history[0].trigger, "request");
    EXPECT_EQ(status.history[0].started_at, kNow);
    EXPECT_EQ(status.history[0].finished_at, kNow + Duration(1000));
  }
}

// Nothing of it was put: the next attempt makes the same version.
TEST(Record, AnAttemptThatFailedMayBeginAnew) {
  PolicyStatus status;
  record_step(status, {"generic", "{}"}, "v1", engine::Step::CreateSecret, "", "request", kNow);
  record_end(status, "v1", "Failed", kNow);
  record_step(status, {"generic", "{}"}, "v1", engine::Step::CreateSecret, "", "request", kLater);
  EXPECT_EQ(status.history[0].outcome, "InProgress");
  record_end(status, "v1", "Failed", kLater);
  EXPECT_EQ(status.history[0].finished_at, std::chrono::floor<std::chrono::seconds>(kLater));
}

TEST(Record, ChangedOutsideOnlyWhenOursStoodThereBefore) {
  PolicyStatus status;
  status.secret_arn = "arn";
  status.current_version_id = "ours";
  engine::Labels labels;
  labels.current = "theirs";
  labels.latest = "ours";
  EXPECT_TRUE(changed_outside(status, "arn", labels));
  EXPECT_FALSE(changed_outside(status, "another arn", labels))
      << "a recreated secret is something else";
  labels.current = "ours";
  EXPECT_FALSE(changed_outside(status, "arn", labels));
  labels.current = "newer";
  labels.latest = "newer";
  EXPECT_FALSE(changed_outside(status, "arn", labels)) << "our own rotation";
}

TEST(Record, AChangeOutsideSaysHowOursIsEnded) {
  Policy policy;
  policy.ns = "shop";
  policy.name = "orders";
  engine::Labels labels;
  labels.current = "theirs";
  labels.latest = "ours";
  const auto text = [&](const char* strategy) {
    return outside_change((*engine::make_strategy(strategy, "{}"))->traits(), policy, labels);
  };
  for (const char* strategy : {"influxdbToken", "influxdbUser"}) {
    for (const char* said : {"theirs", "ours", "keyturn rotate orders -n shop"})
      EXPECT_NE(text(strategy).find(said), std::string::npos) << text(strategy);
  }
  EXPECT_NE(text("influxdbToken").find("still valid"), std::string::npos);
  EXPECT_NE(text("influxdbToken").find("revokes it"), std::string::npos);
  EXPECT_EQ(text("influxdbUser").find("revokes"), std::string::npos) << "one password: replaced";
  engine::Traits generic;
  generic.name = "generic";
  EXPECT_NE(outside_change(generic, policy, labels).find("no backend to revoke it at"),
            std::string::npos);
}

// A copy that nothing takes away again would stay for every policy, as long as the process lives.
TEST(StatusBoard, WhatTheWatchShowedBeforeTheReplyIsNotKept) {
  kube::Bench bench;
  auto stored = std::make_shared<Policy>();
  stored->ns = "shop";
  stored->name = "orders";
  stored->uid = "u";
  stored->resource_version = "1";
  const Policy held = *stored;
  StatusBoard board(bench.client, bench.clock, [&](const std::string&) { return stored; });
  bench.transport->on_request([&](const http::Request&) {
    stored = std::make_shared<Policy>(held);
    stored->resource_version = "2";
    stored->status.secret_arn = "ours";
    board.observed(*stored);
    return testing::Reply::of(200, R"({"metadata":{"resourceVersion":"2"}})");
  });
  ASSERT_TRUE(board.update(held, [](PolicyStatus& s, WallTime) { s.secret_arn = "ours"; }).ok());
  stored = std::make_shared<Policy>(*stored);
  stored->status.secret_arn = "what the store shows";
  EXPECT_EQ(board.latest(held).secret_arn, "what the store shows");
}

}  // namespace
}  // namespace keyturn::rotation
