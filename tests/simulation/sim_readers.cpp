#include "tests/simulation/sim_readers.h"

#include <algorithm>
#include <utility>

#include "controller/rotation/managed_secret.h"

namespace keyturn::simulation {

using rotation::OnFailure;
using rotation::Policy;
using rotation::PolicyStatus;
using rotation::RetireAfter;
using Way = SimKube::Way;

Readers::Readers(Schedule& schedule, Clock& clock, std::string arn,
                 const SimCluster::Current& current)
    : schedule_(schedule),
      clock_(clock),
      arn_(std::move(arn)),
      kube_(std::make_shared<SimKube>(schedule, clock)) {
  kube_->stands_for = [this](const std::string& ns) { return stands_for(ns); };
  kube_->told_since = [this](const std::string& ns) {
    const auto& targets = policies_.at(ns).policy.status.targets;
    return targets.empty() ? WallTime{} : targets.front().synced_at.value_or(WallTime{});
  };
  Stored& owner = add_policy("shop", current);
  owner.owner = true;
  if (one_in(3)) retire_after(owner, one_in(2) ? RetireAfter::Sync : RetireAfter::Immediately);
  add_readers("shop", one_in(2) ? std::vector{Way::Env} : std::vector{Way::Env, Way::SubPath});
  if (one_in(2)) kube_->add_pod("shop", "", kTarget, Way::Env);
  if (!one_in(3)) {
    add_policy("web", current);
    add_readers("web", one_in(2) ? std::vector{Way::Env} : std::vector{Way::Volume, Way::Env});
  }
  if (!one_in(3)) {
    add_policy("batch", current);
    kube_->add_pod("batch", "", kTarget, Way::Volume);
    kube_->add_pod("batch", "job", kTarget, Way::Env);
  }
}

Duration Readers::a_grace_period() {  // none at all is the hardest
  return one_in(2) ? Duration(0)
                   : Duration(static_cast<std::int64_t>(schedule_.rng().below(600'000)));
}

Duration Readers::a_timeout() {
  return one_in(4) ? Duration(900'000)
                   : Duration(static_cast<std::int64_t>(60'000 + schedule_.rng().below(120'000)));
}

void Readers::retire_after(Stored& owner, RetireAfter after) {
  owner.policy.spec.retirement.after = after;
  laxest_ = std::max(laxest_, after);
}

Stored& Readers::add_policy(const std::string& ns, const SimCluster::Current& current) {
  kube_->namespaces[ns] = {.rereads = one_in(2)};
  if (one_in(4)) refuse_writes(ns);
  Stored& stored = policies_[ns];
  Policy& policy = stored.policy;
  policy.ns = ns;
  policy.name = kTarget;
  policy.uid = "uid-" + ns;
  policy.spec.targets = {{.name = kTarget}};
  policy.spec.rollout.restart = one_in(2) ? rotation::Restart::None : rotation::Restart::Auto;
  policy.spec.rollout.reloads_volumes = kube_->namespaces[ns].rereads && one_in(2);
  policy.spec.rollout.timeout = a_timeout();
  policy.spec.rollout.on_failure = one_in(2) ? OnFailure::Hold : OnFailure::Rollback;
  policy.spec.retirement.grace_period = a_grace_period();
  // Written long ago, and every reader runs with it.
  SimKube::Secret& secret = kube_->secrets[ns + "/" + kTarget];
  secret.metadata = {{"name", kTarget},
                     {"namespace", ns},
                     {"resourceVersion", "7"},
                     {"uid", "uid-orders"},
                     {"labels", {{rotation::kManagedLabel, "true"}}},
                     {"annotations",
                      {{rotation::kPolicyAnnotation, policy.key()},
                       {rotation::kSecretArnAnnotation, arn_},
                       {rotation::kVersionIdAnnotation, current.version}}}};
  secret.value = secret.before = current.value;
  policy.status.secret_arn = arn_;
  policy.status.current_version_id = current.version;
  policy.status.targets = {{.name = kTarget,
                            .version_id = current.version,
                            .rolled_out_version_id = current.version,
                            .synced_at = WallTime{}}};
  return stored;
}

void Readers::add_readers(const std::string& ns, const std::vector<Way>& ways) {
  for (const Way way : ways) {
    SimKube::Workload workload{.ns = ns,
                               .name = "app" + std::to_string(static_cast<int>(way)),
                               .secret = kTarget,
                               .way = way,
                               .replicas = one_in(2) ? 1 : 2,
                               .paused = one_in(12)};
    if (!workload.paused && one_in(6)) {
      workload.kind = "StatefulSet";
      workload.on_delete = true;
    }
    for (int n = 0; n < workload.replicas; ++n) {
      kube_->add_pod(ns, workload.name, kTarget, way);
      kube_->pods.back().revision = workload.revision;
    }
    kube_->workloads.push_back(std::move(workload));
  }
}

bool Readers::stands_for(const std::string& ns) const {
  const auto found = policies_.find(ns);
  if (found == policies_.end() || !found->second.exists) return false;
  const auto& targets = found->second.policy.status.targets;
  return !targets.empty() && !targets.front().version_id.empty() &&
         clock_.now() >= found->second.first_synced + SimKube::kPropagation;
}

std::string Readers::version_in(const SimKube::Secret& secret) {
  return secret.metadata["annotations"].value(rotation::kVersionIdAnnotation, std::string());
}

bool Readers::synced(const Stored& stored, const std::string& version) const {
  const PolicyStatus& status = stored.policy.status;
  return version_in(secret_of(stored.policy.ns)) == version &&
         status.current_version_id == version && !status.targets.empty() &&
         status.targets.front().version_id == version;
}

// --- the truth ---

std::string Readers::wrong_now(const SimCluster::Accepts& accepts) const {
  for (const auto& [ns, stored] : policies_) {
    if (!stands_for(ns) || (laxest_ == RetireAfter::Immediately && !stored.owner)) continue;
    if (!accepts(secret_of(ns).value)) return "I1: the credential in Secret " + ns + " is dead";
  }
  if (laxest_ != RetireAfter::Rollout) return {};  // pods are not waited for
  for (const SimKube::Pod& pod : kube_->pods) {
    if (pod.counts && !pod.done && !accepts(pod.held))
      return "I1: the credential that pod " + pod.ns + "/" + pod.name + " holds is dead";
  }
  return {};
}

std::string Readers::wrong_at_rest(const SimCluster::Current& current) const {
  for (const auto& [ns, stored] : policies_) {
    if (!stored.exists) continue;
    const SimKube::Secret& secret = secret_of(ns);
    if (version_in(secret) != current.version || secret.value != current.value)
      return "I3: the target in " + ns + " does not hold AWSCURRENT";
  }
  for (const SimKube::Pod& pod : kube_->pods) {
    if (pod.counts && !pod.done && pod.held != current.value)
      return "I3: pod " + pod.ns + "/" + pod.name + " does not hold AWSCURRENT";
  }
  return {};
}

// --- people ---

void Readers::one_act_of_a_person() {
  auto at = policies_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(schedule_.rng().below(policies_.size())));
  const std::string& ns = at->first;
  Stored& stored = at->second;
  switch (schedule_.rng().below(9)) {
    case 0:
    case 1:
      return edit(stored);
    case 2:  // a follower goes, or comes back
      if (stored.owner) return;
      if (stored.exists) return remove(stored);
      stored.exists = !kube_->namespaces.at(ns).going;
      return schedule_.tell("a person creates the policy in " + ns + " again");
    case 3:
      if (stored.owner || kube_->namespaces.at(ns).going || !one_in(3)) return;
      schedule_.tell("a person removes namespace " + ns);
      remove(stored);
      return kube_->remove_namespace(ns);
    case 4:
      if (kube_->namespaces.at(ns).going) return;
      schedule_.tell("a person starts a pod in " + ns);
      return kube_->add_pod(ns, "", kTarget, one_in(2) ? Way::Env : Way::Volume);
    case 5:
      return refuse_writes(ns);
    case 6:
      for (SimKube::Workload& workload : kube_->workloads) {
        if (workload.ns != ns || workload.on_delete || !one_in(2)) continue;
        schedule_.tell("a person pauses or resumes " + ns + "/" + workload.name);
        kube_->pause(workload, !workload.paused);
      }
      return;
    default:
      for (SimKube::Workload& workload : kube_->workloads) {
        if (workload.ns != ns || !one_in(2)) continue;
        schedule_.tell("a person restarts " + ns + "/" + workload.name);
        auto annotations = workload.annotations;
        annotations["kubectl.kubernetes.io/restartedAt"] = schedule_.rng().below(1'000'000);
        kube_->restart(workload, annotations);
      }
      return;
  }
}

void Readers::refuse_writes(const std::string& ns) {
  schedule_.tell("a webhook refuses writes of Secrets in " + ns);
  kube_->namespaces.at(ns).refuses_until =
      clock_.mono() + Duration(static_cast<std::int64_t>(schedule_.rng().below(1'200'000)));
}

void Readers::remove(Stored& stored) {
  schedule_.tell("the policy in " + stored.policy.ns + " is deleted");
  stored.exists = false;
  stored.policy.status = {};
  for (SimKube::Pod& pod : kube_->pods) pod.counts = pod.counts && pod.ns != stored.policy.ns;
}

void Readers::edit(Stored& stored) {
  rotation::PolicySpec& spec = stored.policy.spec;
  ++stored.policy.generation;
  schedule_.tell("a person edits the policy in " + stored.policy.ns);
  if (one_in(2)) {
    const bool none = spec.rollout.restart == rotation::Restart::None;
    spec.rollout.restart = none ? rotation::Restart::Auto : rotation::Restart::None;
  }
  if (one_in(2)) {
    spec.rollout.reloads_volumes =
        !spec.rollout.reloads_volumes && kube_->namespaces.at(stored.policy.ns).rereads;
  }
  if (one_in(2)) spec.retirement.grace_period = a_grace_period();
  if (one_in(4)) {
    const bool hold = spec.rollout.on_failure == OnFailure::Hold;
    spec.rollout.on_failure = hold ? OnFailure::Rollback : OnFailure::Hold;
  }
  if (stored.owner && one_in(10))
    retire_after(stored, one_in(2) ? RetireAfter::Sync : RetireAfter::Rollout);
}

}  // namespace keyturn::simulation
