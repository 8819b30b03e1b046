#include "controller/rotation/workload_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

WorkloadState state(WorkloadPhase phase, std::int64_t ready, std::int64_t wanted,
                    std::string detail) {
  return {phase, ready, wanted, std::move(detail)};
}

std::string fraction(std::int64_t ready, std::int64_t wanted) {
  return std::to_string(ready) + "/" + std::to_string(wanted) + " available";
}

// Absent means 1 (the API server's default, which old objects may lack).
std::int64_t replicas(const json& spec) {
  const json& value = member_of(spec, "replicas");
  return value.is_number_integer() ? value.get<std::int64_t>() : 1;
}

WorkloadState deployment(const json& spec, const json& status, bool observed) {
  const std::int64_t wanted = replicas(spec);
  const std::int64_t updated = integer_of(status, "updatedReplicas");
  const std::int64_t available = std::min(updated, integer_of(status, "availableReplicas"));
  const std::int64_t running = integer_of(status, "replicas");
  if (wanted == 0 && running == 0)
    return state(WorkloadPhase::Available, 0, 0, "has no replicas; nothing runs");
  if (flag_of(spec, "paused")) {
    return state(WorkloadPhase::NotDriven, available, wanted,
                 "is paused; its pods are replaced when it is resumed");
  }
  if (!observed || updated < wanted || running > updated || available < wanted)
    return state(WorkloadPhase::Progressing, available, wanted, fraction(available, wanted));
  return state(WorkloadPhase::Available, available, wanted, fraction(available, wanted));
}

WorkloadState stateful_set(const json& spec, const json& status, bool observed) {
  const std::int64_t wanted = replicas(spec);
  const std::int64_t updated = integer_of(status, "updatedReplicas");
  const std::int64_t available = integer_of(status, "availableReplicas");
  const std::int64_t running = integer_of(status, "replicas");
  if (wanted == 0 && running == 0)
    return state(WorkloadPhase::Available, 0, 0, "has no replicas; nothing runs");
  const json& strategy = member_of(spec, "updateStrategy");
  if (text_of(strategy, "type") == "OnDelete") {
    return state(WorkloadPhase::NotDriven, std::min(updated, available), wanted,
                 "has updateStrategy OnDelete; its pods are replaced when somebody deletes them");
  }
  const std::int64_t partition =
      std::max<std::int64_t>(integer_of(member_of(strategy, "rollingUpdate"), "partition"), 0);
  const std::int64_t reached = wanted > partition ? wanted - partition : 0;
  const bool one_revision = text_of(status, "currentRevision") == text_of(status, "updateRevision");
  if (!observed || updated < reached || available < wanted || running > wanted ||
      (partition == 0 && !one_revision)) {
    const std::int64_t ready = std::min(updated, available);
    return state(WorkloadPhase::Progressing, ready, wanted, fraction(ready, wanted));
  }
  if (partition > 0) {
    return state(WorkloadPhase::NotDriven, reached, wanted,
                 "has a partition of " + std::to_string(partition) +
                     "; the pods below it keep what they read until it is lowered");
  }
  return state(WorkloadPhase::Available, available, wanted, fraction(available, wanted));
}

WorkloadState daemon_set(const json& spec, const json& status, bool observed) {
  const std::int64_t wanted = integer_of(status, "desiredNumberScheduled");
  const std::int64_t updated = integer_of(status, "updatedNumberScheduled");
  const std::int64_t available = std::min(updated, integer_of(status, "numberAvailable"));
  const std::int64_t running = integer_of(status, "currentNumberScheduled");
  if (observed && wanted == 0 && running == 0)
    return state(WorkloadPhase::Available, 0, 0, "has no nodes to run on; nothing runs");
  if (text_of(member_of(spec, "updateStrategy"), "type") == "OnDelete") {
    return state(WorkloadPhase::NotDriven, available, wanted,
                 "has updateStrategy OnDelete; its pods are replaced when somebody deletes them");
  }
  const bool waits = !observed || updated < wanted || available < wanted || running > updated;
  return state(waits ? WorkloadPhase::Progressing : WorkloadPhase::Available, available, wanted,
               fraction(available, wanted));
}

}  // namespace

WorkloadState workload_state(std::string_view kind, const json& workload) {
  const json& spec = member_of(workload, "spec");
  const json& status = member_of(workload, "status");
  const bool observed = integer_of(status, "observedGeneration") >=
                        integer_of(member_of(workload, "metadata"), "generation");
  WorkloadState state = kind == "Deployment"    ? deployment(spec, status, observed)
                        : kind == "StatefulSet" ? stateful_set(spec, status, observed)
                                                : daemon_set(spec, status, observed);
  if (!observed && state.phase == WorkloadPhase::Progressing) {
    state.ready = 0;
    state.detail = "was not looked at by its controller yet";
  }
  return state;
}

}  // namespace keyturn::rotation
