#include "controller/rotation/gate_keeper.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/status.h"
#include "lib/base/time.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;
using testing::Reply;

constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf";
constexpr const char* kReplica = "arn:aws:secretsmanager:us-east-1:1:secret:shop/db-AbCdEf";

class GateKeeperTest : public ::testing::Test {
 protected:
  GateKeeperTest() {
    bench.transport->on_request([this](const http::Request& request) {
      if (refuse) return Reply::of(403, kube::status_json(403, "Forbidden", "pods is forbidden"));
      const std::string path = kube::path_of(request);
      asked.push_back(path + "?" + kube::query_of(request, "continue"));
      EXPECT_EQ(kube::query_of(request, "fieldSelector"),
                "status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed");
      const json& pods = pods_by_path[path];
      // One pod a page.
      const std::string token = kube::query_of(request, "continue");
      const std::size_t at = token == "-" ? 0 : std::stoul(token);
      json items = json::array();
      if (pods.is_array() && at < pods.size()) items.push_back(pods.at(at));
      const bool more = pods.is_array() && at + 1 < pods.size();
      return Reply::of(
          200, json{{"metadata",
                     {{"resourceVersion", "1"}, {"continue", more ? std::to_string(at + 1) : ""}}},
                    {"items", items}}
                   .dump());
    });
    written = std::chrono::floor<std::chrono::seconds>(bench.clock.now());
  }
  // A policy whose Secret s holds v2.
  Policy& policy(const std::string& ns, const std::string& name) {
    Policy& p = policies[ns + "/" + name];
    p.ns = ns;
    p.name = name;
    p.spec.targets = {{.name = "s"}};
    p.status.secret_arn = kArn;
    p.status.current_version_id = "v2";
    p.status.targets = {
        {.name = "s", .version_id = "v2", .rolled_out_version_id = "v2", .synced_at = written}};
    return p;
  }
  json reader(const std::string& name, WallTime started) {
    const std::string at = format_rfc3339(started);
    return {
        {"metadata", {{"name", name}}},
        {"spec",
         {{"containers", {{{"name", "app"}, {"envFrom", {{{"secretRef", {{"name", "s"}}}}}}}}}}},
        {"status",
         {{"phase", "Running"},
          {"startTime", at},
          {"containerStatuses",
           {{{"name", "app"}, {"state", {{"running", {{"startedAt", at}}}}}}}}}}};
  }
  Result<GateVerdict> ask(RetireAfter after = RetireAfter::Rollout) {
    return keeper.ask({.arn = kArn,
                       .version_id = "v2",
                       .asker = "shop/owner",
                       .after = after,
                       .propagation = Duration(10'000)});
  }
  Result<GateVerdict> drill(RetireAfter after = RetireAfter::Rollout) {
    return keeper.ask({.arn = kArn,
                       .version_id = "v2",
                       .asker = "shop/owner",
                       .after = after,
                       .propagation = Duration(10'000),
                       .drill_since = written});
  }
  void later() { bench.clock.advance(Duration(20'000)); }

  kube::Bench bench;
  Owners owners;
  std::map<std::string, Policy> policies;
  std::map<std::string, json> pods_by_path;
  std::vector<std::string> asked;
  WallTime written;
  bool refuse = false;
  bool in_sync = true;
  bool may_follow = true;
  GateKeeper keeper{{bench.client, owners,
                     [this](const std::function<void(const Policy&)>& visit) {
                       for (const auto& [unused, p] : policies) visit(p);
                     },
                     [](const Policy& p) { return p.status; },
                     [this](const Policy&) { return may_follow; },
                     [this](const Policy&, const TargetSpec&, const std::string&,
                            const std::string&) { return in_sync; },
                     bench.clock}};
};

TEST_F(GateKeeperTest, PodsOfEveryFollowersNamespaceAreLookedAtPageByPage) {
  policy("shop", "owner");
  policy("reports", "reader");
  policy("elsewhere", "other").status.secret_arn =
      "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf";
  later();
  EXPECT_TRUE(ask()->open);
  EXPECT_EQ(asked, (std::vector<std::string>{"/api/v1/namespaces/reports/pods?-",
                                             "/api/v1/namespaces/shop/pods?-"}));
  pods_by_path["/api/v1/namespaces/reports/pods"] = {reader("new", bench.clock.now()),
                                                     reader("old", written)};
  const auto verdict = ask();
  EXPECT_FALSE(verdict->open);
  EXPECT_EQ(verdict->text(), "Pod reports/old (app: env)");
}

TEST_F(GateKeeperTest, AReplicasFollowersCount) {
  policy("shop", "owner");
  policy("reports", "reader").status.secret_arn = kReplica;
  pods_by_path["/api/v1/namespaces/reports/pods"] = {reader("old", written)};
  later();
  EXPECT_FALSE(ask()->open);
}

TEST_F(GateKeeperTest, NobodyIsAskedForPodsWhileAPolicyIsBehind) {
  policy("shop", "owner");
  policy("reports", "reader").status.targets[0].version_id = "v1";
  later();
  EXPECT_EQ(ask()->text(), "RotationPolicy reports/reader (Secret s is not synced)");
  policies["reports/reader"].status.targets[0].version_id = "v2";
  in_sync = false;  // the annotation of the Secret says otherwise
  EXPECT_FALSE(ask()->open);
  EXPECT_TRUE(asked.empty());
}

TEST_F(GateKeeperTest, ARollOutUnderWayIsWaitedForUnlessAPersonHoldsItBack) {
  policy("shop", "owner");
  Policy& other = policy("reports", "reader");
  other.spec.rollout.restart = Restart::Auto;
  other.status.targets[0].rolled_out_version_id = "v1";
  later();
  EXPECT_EQ(ask()->text(), "RotationPolicy reports/reader (Secret s is not rolled out)");
  EXPECT_TRUE(ask(RetireAfter::Sync)->open);
  set_condition(other.status, kRolledOut, "False", kHeldBack, "paused", written, 1);
  pods_by_path["/api/v1/namespaces/reports/pods"] = {reader("paused", written)};
  EXPECT_EQ(ask()->text(), "Pod reports/paused (app: env)") << "then its pods are";
}

TEST_F(GateKeeperTest, TheNewValueMustHaveSpread) {
  policy("shop", "owner");
  EXPECT_FALSE(ask()->open);
  EXPECT_TRUE(asked.empty());
  later();
  EXPECT_TRUE(ask()->open);
}

TEST_F(GateKeeperTest, DeniedOnesBlockNobodyAndTheirPodsAreNotOurs) {
  policy("shop", "owner");
  Policy& denied = policy("reports", "reader");
  denied.status.targets[0].version_id = "v1";
  later();
  owners.set(kArn, {.key = "reports/reader", .rotates = false, .allowed = false});
  EXPECT_TRUE(ask()->open);
  EXPECT_EQ(ask()->ignored.size(), 1U);
  owners.remove("reports/reader");  // not looked at since the operator started: the rules tell
  EXPECT_FALSE(ask()->open);
  // A rule that is missing for something else, such as a backend, keeps nobody from following.
  set_condition(denied.status, kStalled, "True", "NoAccessRule", "", written, 1);
  EXPECT_FALSE(ask()->open);
  may_follow = false;
  EXPECT_TRUE(ask()->open);
}

TEST_F(GateKeeperTest, ADeletedPolicyCountsOnlyIfItIsTheOneThatAsks) {
  policy("shop", "owner").deleted = written;
  policy("reports", "reader").deleted = written;
  pods_by_path["/api/v1/namespaces/reports/pods"] = {reader("x", written)};
  later();
  EXPECT_TRUE(ask()->open);
  pods_by_path["/api/v1/namespaces/shop/pods"] = {reader("y", written)};
  EXPECT_EQ(ask()->text(), "Pod shop/y (app: env)");
}

TEST_F(GateKeeperTest, ASpecThatCannotBeReadKeepsItsLastTargets) {
  policy("shop", "owner");
  Policy& broken = policy("reports", "reader");
  broken.invalid = invalid("InvalidSpec", "x");
  broken.spec.targets.clear();
  broken.status.targets[0].version_id = "v1";
  later();
  EXPECT_FALSE(ask()->open);
}

TEST_F(GateKeeperTest, WhatCannotBeSeenIsAnError) {
  policy("shop", "owner");
  later();
  refuse = true;
  const auto verdict = ask();
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error().cls, ErrorClass::Denied);
  EXPECT_NE(verdict.error().message.find("pods of namespace shop"), std::string::npos);
  EXPECT_TRUE(ask(RetireAfter::Sync)->open) << "pods are not asked for then";
}

TEST_F(GateKeeperTest, ALeakDrillWaitsForFollowersAndForNoPod) {
  policy("shop", "owner");
  Policy& other = policy("reports", "reader");
  other.spec.rollout.restart = Restart::Auto;
  other.status.targets[0].version_id = "v1";
  pods_by_path["/api/v1/namespaces/reports/pods"] = {reader("old", written)};
  EXPECT_EQ(drill()->text(), "RotationPolicy reports/reader (Secret s is not synced)");
  EXPECT_TRUE(drill(RetireAfter::Immediately)->open) << "no more than any retirement waits for";
  other.status.targets[0].version_id = "v2";
  other.status.targets[0].rolled_out_version_id = "v1";
  EXPECT_EQ(drill()->text(), "RotationPolicy reports/reader (Secret s is not rolled out)");
  EXPECT_TRUE(drill(RetireAfter::Sync)->open);
  other.status.targets[0].rolled_out_version_id = "v2";
  EXPECT_TRUE(drill()->open) << drill()->text();
  EXPECT_TRUE(asked.empty()) << "pods are looked at";
}

TEST_F(GateKeeperTest, ALeakDrillDoesNotWaitForARollOutThatWillNotEnd) {
  policy("shop", "owner");
  Policy& other = policy("reports", "reader");
  other.spec.rollout.restart = Restart::Auto;
  other.status.targets[0].rolled_out_version_id = "v1";
  for (const std::string_view why : {kRolloutTimedOut, kRolloutFailed, kHeldBack}) {
    set_condition(other.status, kRolledOut, "False", why, "x", written, 1);
    EXPECT_TRUE(drill()->open) << why;
    EXPECT_EQ(drill()->left_out(),
              "; not waited for: RotationPolicy reports/reader (Secret s is not rolled out: " +
                  std::string(why) + ")");
    if (why != kHeldBack) {
      EXPECT_FALSE(ask()->open) << "any other retirement waits: " << why;
    }
    in_sync = false;  // the condition is of the version before
    EXPECT_FALSE(drill()->open) << why;
    in_sync = true;
  }
}

TEST_F(GateKeeperTest, ALeakDrillWaitsForAFollowerAsLongAsItsRollOutMayTake) {
  policy("shop", "owner");
  Policy& other = policy("reports", "reader");
  other.spec.rollout.timeout = Duration(60'000);
  other.status.targets[0].version_id = "v1";
  bench.clock.advance(Duration(written + Duration(60'000) - bench.clock.now()) - Duration(1));
  EXPECT_FALSE(drill()->open);
  bench.clock.advance(Duration(1));
  EXPECT_TRUE(drill()->open);
  EXPECT_EQ(drill()->ignored,
            (std::vector<std::string>{"RotationPolicy reports/reader (Secret s is not synced: for "
                                      "longer than its rollout.timeout)"}));
  EXPECT_FALSE(ask()->open) << "any other retirement waits";
}

TEST(NextDaily, IsTheSameInstantEveryDay) {
  const WallTime now = from_epoch_seconds(1'795'000'000);
  const WallTime first = next_daily(kArn, now);
  EXPECT_GT(first, now);
  EXPECT_LE(first, now + std::chrono::hours(24));
  EXPECT_EQ(next_daily(kArn, first), first + std::chrono::hours(24));
  EXPECT_EQ(next_daily(kArn, first - Duration(1)), first);
  EXPECT_NE(next_daily(std::string(kArn) + "x", now), first);
}

TEST_F(GateKeeperTest, WhatTheAskersPassHasDoneCountsBeforeItIsStored) {
  Policy& owner = policy("shop", "owner");
  policy("shop", "reader");
  const PolicyStatus done = owner.status;
  owner.status.targets.front().version_id = "v1";
  in_sync = false;
  GateKeeper::Question question{.arn = kArn,
                                .version_id = "v2",
                                .asker = "shop/owner",
                                .after = RetireAfter::Sync,
                                .own = done,
                                .just_synced = true};
  EXPECT_EQ(keeper.ask(question)->text(), "RotationPolicy shop/reader (Secret s is not synced)");
  policies.erase("shop/reader");
  EXPECT_TRUE(keeper.ask(question)->open);
  question.just_synced = false;
  EXPECT_FALSE(keeper.ask(question)->open) << "somebody edited the Secret";
  question.own.reset();
  in_sync = true;
  EXPECT_FALSE(keeper.ask(question)->open) << "the stored status names another version";
}

}  // namespace
}  // namespace keyturn::rotation
