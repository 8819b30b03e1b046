// How far the roll-out of a workload is, from the object alone: whether its pods run what its
// template says now.
//
// Facts: apps/v1 status fields; the rules are those of `kubectl rollout status`, with
// availableReplicas for readiness, and observedGeneration before anything else (a status of an
// older generation says nothing). Thread rule: pure functions on plain values.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace keyturn::rotation {

enum class WorkloadPhase {
  Available,    // every pod is of the new template and available (or there shall be none)
  Progressing,  // wait
  NotDriven,    // Kubernetes will not replace (all of) the pods by itself: `detail` says why
};

struct WorkloadState {
  WorkloadPhase phase = WorkloadPhase::Progressing;
  std::int64_t ready = 0;   // new and available
  std::int64_t wanted = 0;  // replicas, or nodes of a DaemonSet
  std::string detail;       // for people: "2/3 available", "is paused; …"
};

// `workload`: a Deployment, StatefulSet or DaemonSet as the API server has it.
WorkloadState workload_state(std::string_view kind, const nlohmann::json& workload);

}  // namespace keyturn::rotation
