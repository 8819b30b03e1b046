#include "controller/rotation/rollout.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "controller/rotation/status.h"
#include "controller/rotation/workload_refs.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;
using testing::Reply;

constexpr Duration kPropagation{10'000};

// Workloads behind an API server that applies template annotations as server-side apply does for
// one manager: what the manager owned and does not name now is dropped.
class Cluster {
 public:
  json& deployment(const std::string& name, const std::string& secret) {
    json& object = objects_["/apis/apps/v1/namespaces/shop/deployments/" + name];
    object = {{"metadata",
               {{"name", name},
                {"uid", "u-" + name},
                {"resourceVersion", "1"},
                {"generation", 1},
                {"creationTimestamp", "2026-01-01T00:00:00Z"}}},
              {"spec",
               {{"replicas", 1},
                {"template",
                 {{"metadata", {{"annotations", {{"made-by", "people"}}}}},
                  {"spec",
                   {{"containers",
                     {{{"name", "a"}, {"envFrom", {{{"secretRef", {{"name", secret}}}}}}}}}}}}}}}};
    become_available(name);
    return object;
  }
  json& at(const std::string& name) {
    return objects_.at("/apis/apps/v1/namespaces/shop/deployments/" + name);
  }
  void become_available(const std::string& name) {
    json& object = at(name);
    object["status"] = {{"observedGeneration", object["metadata"]["generation"]},
                        {"replicas", 1},
                        {"updatedReplicas", 1},
                        {"availableReplicas", 1}};
  }
  std::string mark(const std::string& name, const std::string& secret) {
    return at(name)["spec"]["template"]["metadata"]["annotations"].value(restart_annotation(secret),
                                                                         "");
  }

  Reply answer(const http::Request& request) {
    const std::string path = kube::path_of(request);
    if (request.method == "PATCH") return apply(path, json::parse(request.body));
    if (path.find("/deployments/") != std::string::npos) {
      ++gets;
      return objects_.contains(path) ? Reply::of(200, objects_.at(path).dump()) : missing();
    }
    ++lists;
    json items = json::array();
    if (path.ends_with("/deployments")) {
      for (const auto& [unused, object] : objects_) items.push_back(object);
    }
    return Reply::of(200, json{{"metadata", {{"resourceVersion", "9"}}}, {"items", items}}.dump());
  }

  int lists = 0, gets = 0, applies = 0;
  bool refuse_once = false;

 private:
  static Reply missing() {
    return Reply::of(404, kube::status_json(404, "NotFound", "no such object"));
  }
  Reply apply(const std::string& path, const json& body) {
    ++applies;
    if (std::exchange(refuse_once, false))
      return Reply::of(409, kube::status_json(409, "Conflict", "changed"));
    json& object = objects_.at(path);
    EXPECT_EQ(body.at("metadata").at("uid"), object["metadata"]["uid"]);
    EXPECT_EQ(body.at("metadata").at("resourceVersion"), object["metadata"]["resourceVersion"]);
    EXPECT_EQ(body.at("spec").size(), 1U);
    EXPECT_EQ(body["spec"]["template"].size(), 1U);
    EXPECT_EQ(body["spec"]["template"]["metadata"].size(), 1U);
    json& annotations = object["spec"]["template"]["metadata"]["annotations"];
    const json before = annotations;
    for (const auto& [name, value] : before.items()) {
      if (name.starts_with(kRestartAnnotationPrefix)) annotations.erase(name);
    }
    annotations.update(body["spec"]["template"]["metadata"]["annotations"]);
    object["metadata"]["generation"] = object["metadata"]["generation"].get<int>() + 1;
    object["metadata"]["resourceVersion"] = std::to_string(++revision_);
    return Reply::of(200, object.dump());
  }
  std::map<std::string, json> objects_;
  int revision_ = 1;
};

class RolloutTest : public ::testing::Test {
 protected:
  RolloutTest() {
    bench.transport->on_request([this](const http::Request& r) { return cluster.answer(r); });
    start(policy, status, "orders", "s");
  }
  // A policy whose Secret went from v1 to v2 just now.
  void start(Policy& p, PolicyStatus& st, const std::string& name, const std::string& secret) {
    p.ns = "shop";
    p.name = name;
    p.spec.targets = {{.name = secret}};
    p.spec.rollout.restart = Restart::Auto;
    st.current_version_id = "v2";
    st.targets = {{.name = secret,
                   .version_id = "v2",
                   .rolled_out_version_id = "v1",
                   .synced_at = std::chrono::floor<std::chrono::seconds>(bench.clock.now())}};
  }
  void spread() { bench.clock.advance(kPropagation + Duration(1000)); }
  RolloutReport pass() {
    auto report = rollout.advance(policy, status, kPropagation);
    EXPECT_TRUE(report.ok()) << report.error().message;
    note_rollout(status, policy, *report, bench.clock.now());
    return *report;
  }

  kube::Bench bench;
  Cluster cluster;
  Policy policy;
  PolicyStatus status;
  std::shared_ptr<Policy> neighbour;
  PolicyStatus neighbour_status;
  Workloads workloads{bench.client};
  Rollout rollout{{workloads,
                   [this](const std::string& key) -> PolicyPtr {
                     return neighbour && neighbour->key() == key ? neighbour : nullptr;
                   },
                   [this](const std::string& key) -> std::shared_ptr<const ManagedSecret> {
                     if (!neighbour || key != "shop/" + neighbour->spec.targets[0].name)
                       return nullptr;
                     auto secret = std::make_shared<ManagedSecret>();
                     secret->policy = neighbour->key();
                     secret->version_id = neighbour_status.current_version_id;
                     return secret;
                   },
                   [this](const Policy&) { return neighbour_status; }, bench.clock}};
};

TEST_F(RolloutTest, NothingToDoCostsNothing) {
  status.targets[0].rolled_out_version_id = "v2";
  EXPECT_EQ(pass().phase, RolloutPhase::Done);
  EXPECT_EQ(bench.transport->request_count(), 0U);
}

TEST_F(RolloutTest, WaitsUntilTheValueHasSpread) {
  cluster.deployment("a", "s");
  const RolloutReport report = pass();
  EXPECT_EQ(report.phase, RolloutPhase::Pending);
  EXPECT_EQ(report.look_again, kPropagation + Duration(1000)) << "times are rounded down";
  EXPECT_EQ(bench.transport->request_count(), 0U);
  bench.clock.advance(report.look_again);
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  EXPECT_EQ(cluster.mark("a", "s"), "v2");
}

TEST_F(RolloutTest, RestartsReadersAndWaitsForThemAlone) {
  cluster.deployment("a", "s");
  cluster.deployment("b", "s");
  cluster.deployment("other", "t");
  spread();
  EXPECT_EQ(pass().restarted, 2);
  EXPECT_EQ(cluster.mark("other", "s"), "");
  EXPECT_EQ(cluster.at("a")["spec"]["template"]["metadata"]["annotations"]["made-by"], "people");
  const int lists = cluster.lists;
  cluster.become_available("a");
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  EXPECT_EQ(cluster.lists, lists) << "only those that are waited for are read";
  cluster.become_available("b");
  EXPECT_EQ(pass().phase, RolloutPhase::Done);
  EXPECT_EQ(cluster.lists, lists + 3) << "one look at all at the end";
  EXPECT_EQ(cluster.applies, 2);
  EXPECT_EQ(status.targets[0].rolled_out_version_id, "v2");
}

TEST_F(RolloutTest, AnotherProcessGoesOnWithoutRestartingAgain) {
  cluster.deployment("a", "s");
  spread();
  pass();
  rollout.forget(policy.key());  // as a new process knows nothing
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  EXPECT_EQ(cluster.applies, 1);
}

TEST_F(RolloutTest, WhoNeverSawTheOldValueIsNotRestarted) {
  cluster.deployment("a", "s")["metadata"]["creationTimestamp"] = "2099-01-01T00:00:00Z";
  cluster.deployment("z", "s")["spec"]["replicas"] = 0;
  cluster.at("z")["status"] = json::object();
  spread();
  EXPECT_EQ(pass().phase, RolloutPhase::Done);
  EXPECT_EQ(cluster.applies, 0);
}

TEST_F(RolloutTest, ListedOnesAreRestartedAndMissingOnesNamed) {
  cluster.deployment("a", "unrelated");
  cluster.deployment("b", "s");
  policy.spec.rollout.restart = Restart::Listed;
  policy.spec.rollout.workloads = {{"Deployment", "a"}, {"Deployment", "gone"}};
  spread();
  pass();
  EXPECT_EQ(cluster.mark("a", "s"), "v2");
  EXPECT_EQ(cluster.mark("b", "s"), "");
  cluster.become_available("a");
  const RolloutReport report = pass();
  EXPECT_EQ(report.phase, RolloutPhase::HeldBack);
  EXPECT_NE(report.message.find("Deployment/gone is listed and does not exist"), std::string::npos);
  EXPECT_EQ(cluster.lists, 0);
}

TEST_F(RolloutTest, ManyAreRestartedInBatches) {
  for (int i = 0; i < 20; ++i) cluster.deployment("d" + std::to_string(i), "s");
  spread();
  EXPECT_EQ(pass().restarted, 8);
  EXPECT_EQ(pass().restarted, 8);
  EXPECT_EQ(pass().restarted, 4);
  EXPECT_EQ(cluster.applies, 20);
}

TEST_F(RolloutTest, AConflictIsLookedAtAgain) {
  cluster.deployment("a", "s");
  cluster.refuse_once = true;
  spread();
  EXPECT_EQ(pass().phase, RolloutPhase::Pending);
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  EXPECT_EQ(cluster.mark("a", "s"), "v2");
}

TEST_F(RolloutTest, TakesTooLong) {
  policy.spec.rollout.timeout = Duration(60'000);
  cluster.deployment("a", "s");
  spread();
  pass();
  bench.clock.advance(Duration(60'000));
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  bench.clock.advance(Duration(1'000));
  const RolloutReport report = pass();
  EXPECT_EQ(report.phase, RolloutPhase::TimedOut);
  EXPECT_EQ(report.message, "Deployment/a was not looked at by its controller yet");
  cluster.become_available("a");
  EXPECT_EQ(pass().phase, RolloutPhase::Done) << "late is not never";
}

TEST_F(RolloutTest, AnOperatorThatComesLateGivesWhatWasRestartedItsTime) {
  policy.spec.rollout.timeout = Duration(60'000);
  cluster.deployment("a", "s");
  spread();
  pass();
  bench.clock.advance(Duration(3'600'000));
  rollout.forget(policy.key());  // another process
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  bench.clock.advance(Duration(61'000));
  EXPECT_EQ(pass().phase, RolloutPhase::TimedOut);
  rollout.forget(policy.key());
  EXPECT_EQ(pass().phase, RolloutPhase::TimedOut) << "what is told stays told";
}

// Another controller that owns the template takes the annotation away: each restart would be
// followed by a second one, for ever.
TEST_F(RolloutTest, ARestartThatSomebodyUndoesIsNotRepeatedForEver) {
  cluster.deployment("a", "s");
  spread();
  for (int i = 0; i < 10; ++i) {
    pass();
    cluster.at("a")["spec"]["template"]["metadata"]["annotations"].erase(restart_annotation("s"));
    cluster.become_available("a");
  }
  EXPECT_EQ(cluster.applies, 2);
  const RolloutReport report = pass();
  EXPECT_EQ(report.phase, RolloutPhase::Waiting);
  EXPECT_NE(report.message.find("somebody takes annotation"), std::string::npos) << report.message;
}

TEST_F(RolloutTest, ANeighbourIsServedByTheSameRestart) {
  json& shared = cluster.deployment("a", "s");
  shared["spec"]["template"]["spec"]["imagePullSecrets"] = {{{"name", "t"}}};
  neighbour = std::make_shared<Policy>();
  bench.clock.advance(Duration(4'000));
  start(*neighbour, neighbour_status, "second", "t");  // written four seconds after ours
  bench.clock.advance(kPropagation - Duration(3'000));
  EXPECT_EQ(pass().phase, RolloutPhase::Pending) << "worth the wait";
  EXPECT_EQ(cluster.applies, 0);
  bench.clock.advance(Duration(4'000));
  pass();
  EXPECT_EQ(cluster.applies, 1);
  EXPECT_EQ(cluster.mark("a", "s"), "v2");
  EXPECT_EQ(cluster.mark("a", "t"), "v2");
}

TEST_F(RolloutTest, ANeighbourThatComesLateIsNotWaitedFor) {
  json& shared = cluster.deployment("a", "s");
  shared["spec"]["template"]["spec"]["imagePullSecrets"] = {{{"name", "t"}}};
  bench.clock.advance(5 * kPropagation);
  neighbour = std::make_shared<Policy>();
  start(*neighbour, neighbour_status, "second", "t");
  EXPECT_EQ(pass().phase, RolloutPhase::Waiting);
  EXPECT_EQ(cluster.mark("a", "t"), "");
}

// An apply drops what its manager does not name: the marks of other policies must be named.
TEST_F(RolloutTest, MarksOfOtherSecretsStay) {
  cluster.deployment(
      "a", "s")["spec"]["template"]["metadata"]["annotations"][restart_annotation("t")] = "v7";
  spread();
  pass();
  EXPECT_EQ(cluster.mark("a", "t"), "v7");
  EXPECT_EQ(cluster.mark("a", "s"), "v2");
}

}  // namespace
}  // namespace keyturn::rotation
