// What one process of the operator is made of, as far as readers go: the real writes of targets,
// the real roll-out, the real gate. Its memory is lost with it. Thread rule: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/rotation/gate_keeper.h"
#include "controller/rotation/rollout.h"
#include "controller/rotation/target_sync.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::simulation {

struct Process {
  using Visit = std::function<void(const rotation::Policy&)>;
  using InSync = std::function<bool(const rotation::Policy&, const std::string& version)>;
  Process(std::shared_ptr<http::Transport> wire, Clock& clock,
          std::function<void(const Visit&)> policies, const InSync& in_sync)
      : client(std::move(wire), std::make_shared<kube::FixedConnection>(), clock),
        informer({.client = &client, .type = kube::kSecrets}, {}, rotation::decode_managed_secret,
                 nullptr),
        targets(client, informer, [](const std::string&, const std::string&) { return true; }),
        workloads(client),
        rollout({.workloads = workloads,
                 .policy = [](const std::string&) { return rotation::PolicyPtr(); },
                 .secret = [this](const std::string& key) { return targets.find(key); },
                 .status = [](const rotation::Policy& policy) { return policy.status; },
                 .clock = clock}),
        gate({.client = client,
              .owners = owners,
              .for_each_policy = std::move(policies),
              .status = [](const rotation::Policy& policy) { return policy.status; },
              .allowed = [](const rotation::Policy&) { return true; },
              .in_sync = [in_sync](const rotation::Policy& policy, const rotation::TargetSpec&,
                                   const std::string&,
                                   const std::string& version) { return in_sync(policy, version); },
              .clock = clock}) {}

  kube::Client client;
  rotation::TargetSync::SecretInformer informer;  // never started: writes are remembered
  rotation::TargetSync targets;
  rotation::Workloads workloads;
  rotation::Rollout rollout;
  rotation::Owners owners;  // knows nobody: followers are found by their status
  rotation::GateKeeper gate;
};

// What the sync lane puts into the status after it wrote (controller/rotation/sync_pass).
inline void note_synced(rotation::PolicyStatus& status, const rotation::Policy& policy,
                        const std::string& arn, const std::string& version,
                        const rotation::WrittenTarget& written, WallTime now) {
  if (status.targets.empty())
    status.targets.push_back({.name = policy.spec.targets.front().name,
                              .version_id = "",
                              .rolled_out_version_id = "",
                              .synced_at = {}});
  rotation::TargetStatus& entry = status.targets.front();
  const bool new_version = entry.version_id != version;
  rotation::note_written(policy, entry, version, written.replaced);
  entry.version_id = version;
  entry.synced_at = std::chrono::floor<std::chrono::seconds>(now);
  status.secret_arn = arn;
  status.current_version_id = version;
  rotation::note_targets(status, policy, new_version, now);
}

}  // namespace keyturn::simulation
