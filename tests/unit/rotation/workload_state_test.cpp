#include "controller/rotation/workload_state.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace keyturn::rotation {
namespace {

using nlohmann::json;
using Phase = WorkloadPhase;

struct Case {
  const char* name;
  const char* spec;
  const char* status;
  Phase phase;
};

void expect(const char* kind, std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    const json object = {{"metadata", {{"generation", 5}}},
                         {"spec", json::parse(c.spec)},
                         {"status", json::parse(c.status)}};
    const WorkloadState state = workload_state(kind, object);
    EXPECT_EQ(static_cast<int>(state.phase), static_cast<int>(c.phase))
        << kind << ", " << c.name << ": " << state.detail;
    EXPECT_FALSE(state.detail.empty()) << c.name;
  }
}

TEST(WorkloadStateOf, Deployment) {
  expect(
      "Deployment",
      {{"all are new", R"({"replicas": 3})",
        R"({"observedGeneration": 5, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3})",
        Phase::Available},
       {"the status is of an older generation", R"({"replicas": 3})",
        R"({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3})",
        Phase::Progressing},
       {"one is not updated", R"({"replicas": 3})",
        R"({"observedGeneration": 5, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3})",
        Phase::Progressing},
       {"an old one still runs beside the new ones", R"({"replicas": 3})",
        R"({"observedGeneration": 5, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 4})",
        Phase::Progressing},
       {"a new one is not available", R"({"replicas": 3})",
        R"({"observedGeneration": 5, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2})",
        Phase::Progressing},
       {"no status yet", R"({"replicas": 1})", "{}", Phase::Progressing},
       {"one replica by default", "{}",
        R"({"observedGeneration": 5, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1})",
        Phase::Available},
       {"paused", R"({"replicas": 3, "paused": true})",
        R"({"observedGeneration": 5, "replicas": 3, "availableReplicas": 3})", Phase::NotDriven},
       {"scaled to zero", R"({"replicas": 0})", R"({"observedGeneration": 5})", Phase::Available},
       {"scaled to zero and paused", R"({"replicas": 0, "paused": true})", "{}", Phase::Available},
       {"scaling to zero", R"({"replicas": 0})",
        R"({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3})",
        Phase::Progressing}});
}

TEST(WorkloadStateOf, StatefulSet) {
  expect(
      "StatefulSet",
      {{"all are new", R"({"replicas": 2})",
        R"({"observedGeneration": 5, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
               "currentRevision": "b", "updateRevision": "b"})",
        Phase::Available},
       {"the revision is not settled", R"({"replicas": 2})",
        R"({"observedGeneration": 5, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
               "currentRevision": "a", "updateRevision": "b"})",
        Phase::Progressing},
       {"one is old", R"({"replicas": 2})",
        R"({"observedGeneration": 5, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2})",
        Phase::Progressing},
       {"not observed", R"({"replicas": 2})",
        R"({"observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2})",
        Phase::Progressing},
       {"OnDelete", R"({"replicas": 2, "updateStrategy": {"type": "OnDelete"}})",
        R"({"observedGeneration": 5, "replicas": 2, "availableReplicas": 2})", Phase::NotDriven},
       {"the part above the partition is not done",
        R"({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}})",
        R"({"observedGeneration": 5, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3})",
        Phase::Progressing},
       {"the part above the partition is done",
        R"({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}})",
        R"({"observedGeneration": 5, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3,
               "currentRevision": "a", "updateRevision": "b"})",
        Phase::NotDriven},
       {"a partition that is no number of pods is none",
        R"({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": -1}}})",
        R"({"observedGeneration": 5, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
               "currentRevision": "b", "updateRevision": "b"})",
        Phase::Available},
       {"scaled to zero", R"({"replicas": 0})", R"({"observedGeneration": 5})", Phase::Available}});
}

TEST(WorkloadStateOf, DaemonSet) {
  expect("DaemonSet",
         {{"all are new", "{}",
           R"({"observedGeneration": 5, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
               "updatedNumberScheduled": 2, "numberAvailable": 2})",
           Phase::Available},
          {"one is old", "{}",
           R"({"observedGeneration": 5, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
               "updatedNumberScheduled": 1, "numberAvailable": 2})",
           Phase::Progressing},
          {"one is not available", "{}",
           R"({"observedGeneration": 5, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
               "updatedNumberScheduled": 2, "numberAvailable": 1})",
           Phase::Progressing},
          {"not observed", "{}", R"({"observedGeneration": 4})", Phase::Progressing},
          {"no node fits", "{}", R"({"observedGeneration": 5})", Phase::Available},
          {"OnDelete", R"({"updateStrategy": {"type": "OnDelete"}})",
           R"({"observedGeneration": 5, "desiredNumberScheduled": 2, "currentNumberScheduled": 2})",
           Phase::NotDriven}});
}

TEST(WorkloadStateOf, CountsForPeople) {
  const json object = {{"metadata", {{"generation", 1}}},
                       {"spec", {{"replicas", 3}}},
                       {"status",
                        {{"observedGeneration", 1},
                         {"replicas", 4},
                         {"updatedReplicas", 2},
                         {"availableReplicas", 3}}}};
  const WorkloadState state = workload_state("Deployment", object);
  EXPECT_EQ(state.ready, 2);
  EXPECT_EQ(state.wanted, 3);
  EXPECT_EQ(state.detail, "2/3 available");
}

}  // namespace
}  // namespace keyturn::rotation
