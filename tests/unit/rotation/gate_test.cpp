#include "controller/rotation/gate.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

const WallTime kWritten = from_epoch_seconds(1'795'000'000);
constexpr Duration kPropagation{10'000};
constexpr Duration kSecond{1'000};
const WallTime kFresh = kWritten + kPropagation + kSecond;  // written is rounded down
const WallTime kRefreshed = kWritten + Duration(120'000) + kSecond;
const WallTime kOld = kWritten - Duration(3'600'000);
const WallTime kMuchLater = kWritten + Duration(86'400'000);

json running(WallTime since) { return {{"running", {{"startedAt", format_rfc3339(since)}}}}; }
json ended(WallTime since) {
  return {{"terminated", {{"startedAt", format_rfc3339(since)}, {"exitCode", 0}}}};
}
const json kWaiting = {{"waiting", {{"reason", "CrashLoopBackOff"}}}};

// A pod with one container that reads Secret s in that way.
json pod(const char* way, WallTime pod_start, json state, const char* kind = "containers",
         const char* statuses = "containerStatuses") {
  json container = {{"name", "app"}};
  json spec = json::object();
  const std::string how = way;
  if (how == "env") {
    container["env"] = {{{"valueFrom", {{"secretKeyRef", {{"name", "s"}, {"key", "k"}}}}}}};
  } else {
    json mount = {{"name", "v"}, {"mountPath", "/v"}};
    if (how == "subPath") mount["subPath"] = "k";
    container["volumeMounts"] = {mount};
    spec["volumes"] = {{{"name", "v"}, {"secret", {{"secretName", "s"}}}}};
  }
  spec[kind] = {container};
  return {{"metadata", {{"name", "p"}}},
          {"spec", spec},
          {"status",
           {{"phase", "Running"},
            {"startTime", format_rfc3339(pod_start)},
            {statuses, {{{"name", "app"}, {"state", std::move(state)}}}}}}};
}

std::string held(const json& p, WallTime now = kMuchLater, bool reloads = false) {
  return may_hold(p, {{"s", {kWritten, reloads}}}, kPropagation, now);
}

TEST(MayHold, AnEnvironmentIsReadWhenTheContainerStarts) {
  EXPECT_EQ(held(pod("env", kOld, running(kOld))), "app: env");
  EXPECT_EQ(held(pod("env", kOld, running(kWritten))), "app: env");
  EXPECT_EQ(held(pod("env", kOld, running(kFresh - kSecond))), "app: env") << "may not have spread";
  EXPECT_EQ(held(pod("env", kOld, running(kFresh))), "");
  EXPECT_EQ(held(pod("env", kFresh, running(kFresh))), "");
}

TEST(MayHold, MountedFilesOfAnOldPodAreOldUntilTheKubeletRefreshedThem) {
  for (const char* way : {"volume", "subPath"}) {
    const std::string told = std::string("app: ") + way;
    EXPECT_EQ(held(pod(way, kOld, running(kOld))), told);
    EXPECT_EQ(held(pod(way, kOld, running(kFresh))), told) << "restarted into the old pod's volume";
    EXPECT_EQ(held(pod(way, kOld, running(kRefreshed))), "");
    EXPECT_EQ(held(pod(way, kFresh, running(kFresh))), "") << "a new pod has a new volume";
  }
}

TEST(MayHold, ReloadsVolumesTrustsTheKubeletForPlainVolumesAlone) {
  EXPECT_EQ(held(pod("volume", kOld, running(kOld)), kRefreshed - kSecond, true), "app: volume");
  EXPECT_EQ(held(pod("volume", kOld, running(kOld)), kRefreshed, true), "");
  EXPECT_EQ(held(pod("subPath", kOld, running(kOld)), kMuchLater, true), "app: subPath");
  EXPECT_EQ(held(pod("env", kOld, running(kOld)), kMuchLater, true), "app: env");
}

TEST(MayHold, WhatDoesNotRunHoldsNothing) {
  EXPECT_EQ(held(pod("env", kOld, kWaiting)), "");
  EXPECT_EQ(held(pod("env", kOld, ended(kOld))), "");
  for (const char* phase : {"Succeeded", "Failed"}) {
    json over = pod("env", kOld, running(kOld));
    over["status"]["phase"] = phase;
    EXPECT_EQ(held(over), "") << phase;
  }
  json pending = pod("env", kOld, kWaiting);
  pending["status"] = {{"phase", "Pending"}};
  EXPECT_EQ(held(pending), "");
}

// A pod that was given to a node then, and of whose container nothing is reported.
json bound_pod(const char* way, WallTime since) {
  json p = pod(way, since, kWaiting);
  p["spec"]["nodeName"] = "n1";
  p["status"] = {{"phase", "Pending"},
                 {"conditions",
                  {{{"type", "PodScheduled"},
                    {"status", "True"},
                    {"lastTransitionTime", format_rfc3339(since)}}}}};
  return p;
}

TEST(MayHold, WhatANodeHasNotReportedMayRun) {
  for (const char* way : {"env", "volume", "subPath"}) {
    const std::string told = std::string("app: ") + way + ", not reported by its node";
    json p = bound_pod(way, kFresh - kSecond);
    EXPECT_EQ(held(p), told);
    json unbound = p;
    unbound["spec"].erase("nodeName");
    EXPECT_EQ(held(unbound), "") << way;
    EXPECT_EQ(held(bound_pod(way, kFresh)), "") << way << ": it can only read the new value";
    p["status"]["containerStatuses"] = {{{"name", "app"}, {"state", kWaiting}}};
    EXPECT_EQ(held(p), told) << "the last report may be older";
    for (const json& state : {running(kRefreshed), ended(kOld)}) {
      p["status"]["containerStatuses"][0]["state"] = state;
      EXPECT_EQ(held(p), "") << way << " " << state;
    }
    p["status"] = {{"phase", "Failed"}};
    EXPECT_EQ(held(p), "") << way;
  }
}

TEST(MayHold, WhatRanAndEndedLaterBeginsLater) {
  json p = bound_pod("env", kOld);
  json entry = {{"name", "app"}, {"state", kWaiting}, {"lastState", ended(kOld)}};
  for (const auto& [finished, told] :
       {std::pair{kFresh - kSecond, "app: env, not reported by its node"}, {kFresh, ""}}) {
    entry["lastState"]["terminated"]["finishedAt"] = format_rfc3339(finished);
    p["status"]["containerStatuses"] = {entry};
    EXPECT_EQ(held(p), told);
  }
}

TEST(MayHold, APodWithoutAConditionWasBoundAfterItsCreation) {
  json p = bound_pod("env", kOld);
  p["status"].erase("conditions");
  EXPECT_EQ(held(p), "app: env, not reported by its node") << "unknown";
  p["metadata"]["creationTimestamp"] = format_rfc3339(kFresh);
  EXPECT_EQ(held(p), "");
}

TEST(MayHold, AVolumeThatIsReloadedNeedsNoReport) {
  EXPECT_EQ(held(bound_pod("volume", kOld), kRefreshed - kSecond, true),
            "app: volume, not reported by its node");
  EXPECT_EQ(held(bound_pod("volume", kOld), kRefreshed, true), "");
}

TEST(MayHold, AContainerAboutToRestartFindsWhatTheVolumeHolds) {
  json two = pod("volume", kOld, kWaiting);
  two["spec"]["containers"].push_back({{"name", "other"}});
  two["status"]["containerStatuses"].push_back({{"name", "other"}, {"state", running(kOld)}});
  EXPECT_EQ(held(two, kRefreshed - kSecond), "app: volume");
  EXPECT_EQ(held(two, kRefreshed), "");
}

TEST(MayHold, WhatIsNotKnownIsOld) {
  EXPECT_EQ(held(pod("env", kOld, {{"running", json::object()}})), "app: env");
  json lost = pod("env", kOld, kWaiting);
  lost["status"] = {{"phase", "Unknown"}};
  EXPECT_EQ(held(lost), "app: env");
}

TEST(MayHold, WhatAnInitContainerReadLivesOnInThePod) {
  json p = pod("env", kOld, ended(kOld), "initContainers", "initContainerStatuses");
  EXPECT_EQ(held(p), "") << "nothing runs";
  p["spec"]["containers"] = {{{"name", "main"}}};
  p["status"]["containerStatuses"] = {{{"name", "main"}, {"state", running(kFresh)}}};
  EXPECT_EQ(held(p), "app: env");
  p["status"]["initContainerStatuses"][0]["state"] = ended(kFresh);
  EXPECT_EQ(held(p), "");
  p["status"]["initContainerStatuses"][0]["state"] = running(kOld);  // a sidecar
  EXPECT_EQ(held(p), "app: env");
}

TEST(MayHold, EphemeralContainersCount) {
  EXPECT_EQ(
      held(pod("env", kOld, running(kOld), "ephemeralContainers", "ephemeralContainerStatuses")),
      "app: env");
}

TEST(MayHold, DriversHoldAndPullsDoNot) {
  json p = pod("env", kOld, running(kOld));
  p["spec"] = {{"containers", {{{"name", "app"}}}},
               {"volumes", {{{"csi", {{"nodePublishSecretRef", {{"name", "s"}}}}}}}}};
  EXPECT_EQ(held(p), "volume driver");
  p["status"]["startTime"] = format_rfc3339(kFresh);
  EXPECT_EQ(held(p), "");
  p["spec"] = {{"imagePullSecrets", {{{"name", "s"}}}}};
  p["status"]["startTime"] = format_rfc3339(kOld);
  EXPECT_EQ(held(p), "");
}

TEST(MayHold, OtherSecretsAndOddPodsAreNothing) {
  EXPECT_EQ(may_hold(pod("env", kOld, running(kOld)), {{"t", {kWritten, false}}}, kPropagation,
                     kMuchLater),
            "");
  for (const char* text : {"null", "{}", R"({"spec": 7, "status": []})"})
    EXPECT_EQ(held(json::parse(text)), "") << text;
}

FollowerView follower(const char* name, FollowedTarget target) {
  FollowerView view;
  view.ns = "shop";
  view.name = name;
  view.targets = {std::move(target)};
  return view;
}
FollowedTarget done() {
  return {
      .secret = "s", .ever_synced = true, .in_sync = true, .rolled_out = true, .written = kWritten};
}

TEST(Followers, AllMustHaveSyncedAndRolledOut) {
  EXPECT_TRUE(judge_followers({}, RetireAfter::Rollout).open);
  EXPECT_TRUE(judge_followers({follower("a", done())}, RetireAfter::Rollout).open);
  FollowedTarget stale = done();
  stale.in_sync = false;
  const auto verdict =
      judge_followers({follower("a", done()), follower("b", stale)}, RetireAfter::Rollout);
  EXPECT_FALSE(verdict.open);
  EXPECT_EQ(verdict.text(), "RotationPolicy shop/b (Secret s is not synced)");
  FollowedTarget rolling = done();
  rolling.rolled_out = false;
  EXPECT_EQ(judge_followers({follower("c", rolling)}, RetireAfter::Rollout).text(),
            "RotationPolicy shop/c (Secret s is not rolled out)");
}

TEST(Followers, AfterRelaxesWhatIsWaitedFor) {
  FollowedTarget rolling = done();
  rolling.rolled_out = false;
  EXPECT_TRUE(judge_followers({follower("a", rolling)}, RetireAfter::Sync).open);
  rolling.in_sync = false;
  EXPECT_FALSE(judge_followers({follower("a", rolling)}, RetireAfter::Sync).open);
  EXPECT_TRUE(judge_followers({follower("a", rolling)}, RetireAfter::Immediately).open);
}

TEST(Followers, WhatIsGivenUpIsNamedAndBlocksNobody) {
  FollowedTarget rolling = done();
  rolling.rolled_out = false;
  rolling.given_up = "RolloutTimedOut";
  FollowedTarget stale = rolling;
  stale.in_sync = false;
  stale.given_up = "late";
  const auto verdict =
      judge_followers({follower("a", rolling), follower("b", stale)}, RetireAfter::Rollout);
  EXPECT_TRUE(verdict.open);
  EXPECT_EQ(verdict.left_out(),
            "; not waited for: RotationPolicy shop/a (Secret s is not rolled out: "
            "RolloutTimedOut), RotationPolicy shop/b (Secret s is not synced: late)");
  FollowedTarget fine = done();
  fine.given_up = "HeldBack";
  EXPECT_TRUE(judge_followers({follower("a", fine)}, RetireAfter::Rollout).ignored.empty());
}

TEST(Followers, WhoMayNotOrNeverWorkedIsNamedAndBlocksNobody) {
  FollowedTarget never;
  never.secret = "s";
  FollowerView denied = follower("denied", done());
  denied.targets[0].in_sync = false;
  denied.allowed = false;
  const auto verdict = judge_followers({follower("new", never), denied}, RetireAfter::Rollout);
  EXPECT_TRUE(verdict.open);
  EXPECT_EQ(verdict.ignored,
            (std::vector<std::string>{"RotationPolicy shop/new (Secret s was never synced)",
                                      "RotationPolicy shop/denied (no access rule)"}));
}

TEST(Followers, TheLatestWriteMustHaveSpread) {
  EXPECT_FALSE(all_spread({}, kPropagation));
  FollowedTarget later = done();
  later.written = kWritten + kSecond;
  EXPECT_EQ(all_spread({follower("a", done()), follower("b", later)}, kPropagation),
            kFresh + kSecond);
}

TEST(Followers, ManyAreCounted) {
  GateVerdict verdict;
  for (int i = 0; i < 8; ++i) verdict.waiting_for.push_back("Pod " + std::to_string(i));
  EXPECT_EQ(verdict.text(), "Pod 0, Pod 1, Pod 2, Pod 3, Pod 4 and 3 more");
}

const GateVerdict kOpen{.open = true};
const GateVerdict kClosed{.open = false, .waiting_for = {"Pod shop/x (app: env)"}};
constexpr Duration kGrace{7'200'000};

TEST(Retiring, TheGracePeriodBeginsWhenTheGateOpens) {
  PolicyStatus status;
  note_retiring(status, "v1", kClosed, kGrace, kWritten);
  EXPECT_EQ(status.retiring->waiting_for, "Pod shop/x (app: env)");
  EXPECT_EQ(status.retiring->since, kWritten);
  EXPECT_FALSE(status.retiring->earliest);
  EXPECT_FALSE(grace_over(status, "v1", kMuchLater));

  const WallTime opened = kWritten + Duration(60'500);
  note_retiring(status, "v1", kOpen, kGrace, opened);
  EXPECT_EQ(status.retiring->waiting_for, "");
  EXPECT_EQ(*status.retiring->earliest, kWritten + Duration(61'000) + kGrace) << "never too early";
  note_retiring(status, "v1", kOpen, kGrace, opened + Duration(5'000));
  EXPECT_EQ(*status.retiring->earliest, kWritten + Duration(61'000) + kGrace) << "it does not move";
  EXPECT_FALSE(grace_over(status, "v1", *status.retiring->earliest - kSecond));
  EXPECT_TRUE(grace_over(status, "v1", *status.retiring->earliest));
  EXPECT_FALSE(grace_over(status, "v0", *status.retiring->earliest)) << "of another version";
}

TEST(Retiring, ADifferentGracePeriodCountsFromTheSameBeginning) {
  PolicyStatus status;
  note_retiring(status, "v1", kOpen, kGrace, kWritten);
  note_retiring(status, "v1", kOpen, Duration(60'000), kWritten + kSecond);
  EXPECT_EQ(*status.retiring->earliest, kWritten + Duration(60'000));
}

TEST(Retiring, WhoIsNotWaitedForIsNamedToo) {
  PolicyStatus status;
  GateVerdict verdict = kClosed;
  verdict.ignored = {"RotationPolicy dev/x (no access rule)"};
  note_retiring(status, "v1", verdict, kGrace, kWritten);
  EXPECT_EQ(status.retiring->waiting_for,
            "Pod shop/x (app: env); not waited for: RotationPolicy dev/x (no access rule)");
  verdict = {.open = true, .waiting_for = {}, .ignored = verdict.ignored};
  note_retiring(status, "v1", verdict, kGrace, kWritten);
  EXPECT_EQ(status.retiring->waiting_for, "");
}

TEST(Retiring, AGateThatClosesAgainStartsItAnew) {
  PolicyStatus status;
  note_retiring(status, "v1", kOpen, kGrace, kWritten);
  note_retiring(status, "v1", kClosed, kGrace, kFresh);
  EXPECT_FALSE(status.retiring->earliest);
  EXPECT_EQ(status.retiring->since, kFresh);
  note_retiring(status, "v1", kOpen, kGrace, kRefreshed);
  EXPECT_EQ(*status.retiring->earliest, kRefreshed + kGrace);
}

TEST(Retiring, NoGracePeriodIsNoWait) {
  PolicyStatus status;
  note_retiring(status, "v1", kOpen, Duration(0), kWritten + Duration(300));
  EXPECT_TRUE(grace_over(status, "v1", kWritten + Duration(300)));
}

TEST(Retiring, AnotherVersionIsAnotherRetirement) {
  PolicyStatus status;
  note_retiring(status, "v1", kOpen, kGrace, kWritten);
  note_retiring(status, "v2", kOpen, kGrace, kFresh);
  EXPECT_EQ(status.retiring->version_id, "v2");
  EXPECT_EQ(*status.retiring->earliest, kFresh + kGrace);
}

}  // namespace
}  // namespace keyturn::rotation
