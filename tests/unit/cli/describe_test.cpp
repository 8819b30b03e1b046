#include "controller/cli/describe.h"

#include <gtest/gtest.h>

#include "controller/cli/policy_request.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::cli {
namespace {

using rotation::Policy;

constexpr const char* kNew = "9c41aaaa-0000-8000-8000-000000000000";
constexpr const char* kOld = "5f3abbbb-0000-8000-8000-000000000000";
constexpr const char* kHeld = "Pod/batch-28fzk (env TOKEN, running 3h)";

class DescribeTest : public ::testing::Test {
 protected:
  DescribeTest() {
    policy.ns = "shop";
    policy.name = "orders";
    policy.spec.strategy.name = "influxdbToken";
    policy.spec.targets.resize(2);
    policy.spec.targets[0].name = "a";
    policy.spec.targets[1].name = "b";
    policy.status.current_version_id = kNew;
    policy.status.targets = {{.name = "a", .version_id = kNew}, {.name = "b", .version_id = kNew}};
    policy.status.retiring = rotation::RetiringStatus{
        .version_id = kOld, .waiting_for = kHeld, .since = now - std::chrono::minutes(14)};
    policy.status.conditions = {
        {.type = "RolledOut", .status = "True", .message = "Deployment/orders 3/3"}};
  }
  // The line that bears the mark.
  std::string marked() const {
    const std::string text = describe_retiring(policy, now);
    const auto at = text.find("> ");
    EXPECT_EQ(text.find("> ", at + 1), std::string::npos) << text;
    return at == std::string::npos ? "" : text.substr(at + 2, text.find('\n', at) - at - 2);
  }

  testing::FakeClock clock;
  const WallTime now = clock.now();
  Policy policy;
};

TEST_F(DescribeTest, ARetirementSaysWhatIsDoneWhoHoldsItAndWhatComesThen) {
  const std::string text = describe_policy(policy, {}, now);
  for (const char* part : {"retiring the old credential (version 5f3abbbb…), for 14m",
                           "synced       Secret a, b", "rolled out   Deployment/orders 3/3",
                           "keyturn revoke orders -n shop --yes", "grace period 2h"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_TRUE(marked().starts_with(std::string("still held   ") + kHeld)) << marked();
}

TEST_F(DescribeTest, ARetirementIsToldAsTheLastStepOfItsRotationAnAttemptBeforeIt) {
  policy.status.rotation = rotation::RotationStatus{.version_id = kNew, .step = "retire"};
  EXPECT_NE(describe_policy(policy, {}, now).find("still held"), std::string::npos);
  policy.status.rotation->step = "testSecret";
  const std::string text = describe_policy(policy, {}, now);
  EXPECT_EQ(text.find("still held"), std::string::npos) << text;
  EXPECT_NE(text.find("rotating: version 9c41aaaa… at testSecret"), std::string::npos) << text;
}

TEST_F(DescribeTest, TheMarkStandsAtTheFirstThingThatIsNotDone) {
  policy.status.retiring->waiting_for.clear();
  policy.status.retiring->earliest = now + std::chrono::hours(2);
  EXPECT_TRUE(marked().starts_with("then         revoked at the earliest")) << marked();
  policy.status.conditions[0].status = "False";
  EXPECT_TRUE(marked().starts_with("rolling out  Deployment/orders 3/3")) << marked();
  policy.status.targets[1].version_id = kOld;
  EXPECT_EQ(marked(), "synced       not yet: Secret b holds 5f3abbbb…");
}

TEST_F(DescribeTest, WhoseCredentialWaitsIsReadFromTheLabelsElseFromTheStatus) {
  SecretSight unseen{.labels = {}, .trouble = "no AWS access"};
  EXPECT_EQ(retiring_version(policy, unseen), kOld);
  policy.status.retiring.reset();
  EXPECT_EQ(retiring_version(policy, unseen), "");
  SecretSight seen{.labels = {.current = kNew, .latest = kNew, .baton = kOld}, .trouble = ""};
  EXPECT_EQ(retiring_version(policy, seen), kOld);
  seen.labels.baton.clear();
  EXPECT_EQ(retiring_version(policy, seen), "");
  seen.labels = {.current = kOld, .pending = kNew, .latest = kNew, .baton = kNew};
  EXPECT_EQ(retiring_version(policy, seen), "") << "an attempt, undecided";
  seen.labels.baton = kOld;
  EXPECT_EQ(retiring_version(policy, seen), "") << "an attempt, decided";
}

TEST_F(DescribeTest, WhatARotationWaitsForWithoutALabelCanBeRevoked) {
  SecretSight seen{.labels = {.current = kNew, .previous = kOld, .latest = kNew}, .trouble = ""};
  EXPECT_EQ(revocable_version(policy, seen), kOld);
  EXPECT_EQ(retiring_version(policy, seen), "") << "nothing to roll back to";
  seen.labels.previous = "another";
  EXPECT_EQ(revocable_version(policy, seen), "");
  seen.labels.baton = kOld;
  EXPECT_EQ(revocable_version(policy, seen), kOld);
}

TEST_F(DescribeTest, EachFollowerSaysHowFarItIs) {
  EXPECT_EQ(describe_policy(policy, {}, now).find("followers"), std::string::npos);
  Policy done, behind, slow, denied;
  for (Policy* each : {&done, &behind, &slow, &denied}) {
    each->ns = "reports";
    each->status.current_version_id = kNew;
    each->status.conditions = {{.type = "RolledOut", .status = "True"},
                               {.type = "Synced", .status = "True"}};
  }
  done.name = "done";
  behind.name = "behind";
  behind.status.current_version_id = kOld;
  slow.name = "slow";
  slow.status.conditions[0].status = "False";
  slow.status.conditions[0].message = "Deployment/x 1/3";
  denied.name = "denied";
  denied.status.conditions.push_back(
      {.type = "Stalled", .status = "True", .reason = "NoAccessRule"});
  const std::string text =
      describe_policy(policy, {}, now, {done, behind, slow, denied}, "Forbidden");
  for (const char* line :
       {"  followers RotationPolicy reports/done: synced\n",
        "            RotationPolicy reports/behind: not synced\n",
        "RotationPolicy reports/slow: synced, not rolled out: Deployment/x 1/3\n",
        "RotationPolicy reports/denied: stalled (NoAccessRule)\n",
        "            others not shown: Forbidden\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

}  // namespace
}  // namespace keyturn::cli
