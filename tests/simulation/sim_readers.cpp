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

namespace {

class Draw {
 public:
  explicit Draw(Rng& rng) : rng_(rng) {}
  bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }
  Duration below(std::uint64_t ms) { return Duration(static_cast<std::int64_t>(rng_.below(ms))); }
  Duration grace() { return one_in(2) ? Duration(0) : below(600'000); }  // none is the hardest

  Home home(const std::string& ns, const std::vector<Way>& ways) {
    Home home{.ns = ns, .rereads = one_in(2)};
    if (one_in(4)) home.refuses = below(1'200'000);
    home.rollout.restart = one_in(2) ? rotation::Restart::None : rotation::Restart::Auto;
    home.rollout.reloads_volumes = home.rereads && one_in(2);
    home.rollout.timeout = one_in(4) ? Duration(900'000) : Duration(60'000) + below(120'000);
    home.rollout.on_failure = one_in(2) ? OnFailure::Hold : OnFailure::Rollback;
    home.grace = grace();
    for (const Way way : ways) {
      Home::App app{.way = way, .replicas = one_in(2) ? 1 : 2, .paused = one_in(12)};
      app.on_delete = !app.paused && one_in(6);
      home.apps.push_back(app);
    }
    return home;
  }

 private:
  Rng& rng_;
};

}  // namespace

Setup draw_setup(Rng& rng) {
  Draw draw(rng);
  Setup setup;
  setup.influx.hides_tokens = draw.one_in(2);
  setup.influx.single = draw.one_in(2);
  setup.influx.by_url = draw.one_in(2);
  if (draw.one_in(3)) setup.after = draw.one_in(2) ? RetireAfter::Sync : RetireAfter::Immediately;
  setup.homes.push_back(draw.home(
      "shop", draw.one_in(2) ? std::vector{Way::Env} : std::vector{Way::Env, Way::SubPath}));
  if (draw.one_in(2)) setup.homes.back().bare = {Way::Env};
  if (!draw.one_in(3))
    setup.homes.push_back(draw.home(
        "web", draw.one_in(2) ? std::vector{Way::Env} : std::vector{Way::Volume, Way::Env}));
  if (!draw.one_in(3)) {
    setup.homes.push_back(draw.home("batch", {}));
    setup.homes.back().bare = {Way::Volume};
    setup.homes.back().job = true;
  }
  return setup;
}

Readers::Readers(Schedule& schedule, Clock& clock, std::string arn,
                 const SimCluster::Current& current, const Setup& setup)
    : schedule_(schedule),
      clock_(clock),
      arn_(std::move(arn)),
      kube_(std::make_shared<SimKube>(schedule, clock)),
      drill_(setup.drill) {
  kube_->stands_for = [this](const std::string& ns) { return stands_for(ns); };
  kube_->told_since = [this](const std::string& ns) {
    const auto& targets = policies_.at(ns).policy.status.targets;
    return targets.empty() ? WallTime{} : targets.front().synced_at.value_or(WallTime{});
  };
  for (const Home& home : setup.homes) {
    add_policy(home, current);
    add_readers(home);
  }
  Stored& owner = policies_.at(setup.homes.front().ns);
  owner.owner = true;
  retire_after(owner, setup.after);
  if (drill_) laxest_ = RetireAfter::Sync;  // no pod is waited for
}

void Readers::retire_after(Stored& owner, RetireAfter after) {
  owner.policy.spec.retirement.after = after;
  laxest_ = std::max(laxest_, after);
}

void Readers::add_policy(const Home& home, const SimCluster::Current& current) {
  const std::string& ns = home.ns;
  kube_->namespaces[ns] = {.rereads = home.rereads, .refuses_until = clock_.mono() + home.refuses};
  Stored& stored = policies_[ns];
  stored.exists = home.exists;
  Policy& policy = stored.policy;
  policy.ns = ns;
  policy.name = kTarget;
  policy.uid = "uid-" + ns;
  policy.spec.targets = {{.name = kTarget}};
  policy.spec.rollout = home.rollout;
  policy.spec.retirement.grace_period = home.grace;
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
  if (!home.exists) return;
  policy.status.secret_arn = arn_;
  policy.status.current_version_id = current.version;
  policy.status.targets = {{.name = kTarget,
                            .version_id = current.version,
                            .rolled_out_version_id = current.version,
                            .synced_at = WallTime{}}};
}

void Readers::add_readers(const Home& home) {
  for (const Home::App& app : home.apps) {
    SimKube::Workload workload{.ns = home.ns,
                               .name = "app" + std::to_string(static_cast<int>(app.way)),
                               .secret = kTarget,
                               .way = app.way,
                               .replicas = app.replicas,
                               .kind = app.on_delete ? "StatefulSet" : "Deployment",
                               .on_delete = app.on_delete,
                               .paused = app.paused,
                               .fails_once = app.fails_once};
    for (int n = 0; n < workload.replicas; ++n) {
      kube_->add_pod(home.ns, workload.name, kTarget, app.way);
      kube_->pods.back().revision = workload.revision;
    }
    kube_->workloads.push_back(std::move(workload));
  }
  for (const Way way : home.bare) kube_->add_pod(home.ns, "", kTarget, way);
  if (!home.job) return;
  kube_->add_pod(home.ns, "job", kTarget, Way::Env);
  if (home.job_ends > Duration(0)) kube_->pods.back().ends_at = clock_.mono() + home.job_ends;
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
  const Stored& stored = at->second;
  switch (schedule_.rng().below(9)) {
    case 0:
    case 1:
      if (one_in(2)) (void)act_in(ns, Act::EditsRestart);
      if (one_in(2)) (void)act_in(ns, Act::EditsReloads);
      if (one_in(2)) (void)act_in(ns, Act::EditsGrace);
      if (one_in(4)) (void)act_in(ns, Act::EditsOnFailure);
      if (one_in(10)) (void)act_in(ns, Act::EditsAfter);
      return;
    case 2:
      return (void)act_in(ns, stored.exists ? Act::FollowerGoes : Act::FollowerComes);
    case 3:
      if (one_in(3)) (void)act_in(ns, Act::NamespaceGoes);
      return;
    case 4:
      return (void)act_in(ns, Act::StartsPod);
    case 5:
      return (void)act_in(ns, Act::RefusesWrites);
    case 6:
      return (void)act_in(ns, Act::Pauses);
    default:
      return (void)act_in(ns, Act::Restarts);
  }
}

bool Readers::act_everywhere(Act what) {
  bool done = false;
  for (const auto& [ns, stored] : policies_) done = act_in(ns, what) || done;
  return done;
}

bool Readers::act_in(const std::string& ns, Act what) {
  Stored& stored = policies_.at(ns);
  SimKube::Namespace& home = kube_->namespaces.at(ns);
  switch (what) {
    case Act::FollowerGoes:
      if (stored.owner || !stored.exists) return false;
      remove(stored);
      return true;
    case Act::FollowerComes:
      if (stored.owner || stored.exists || home.going) return false;
      schedule_.tell("a person creates the policy in " + ns);
      stored.exists = true;
      return true;
    case Act::NamespaceGoes:
      if (stored.owner || home.going) return false;
      schedule_.tell("a person removes namespace " + ns);
      remove(stored);
      kube_->remove_namespace(ns);
      return true;
    case Act::StartsPod:
      if (home.going) return false;
      schedule_.tell("a person starts a pod in " + ns);
      kube_->add_pod(ns, "", kTarget, schedule_.likely(0.5) ? Way::Env : Way::Volume);
      return true;
    case Act::RefusesWrites:
      schedule_.tell("a webhook refuses writes of Secrets in " + ns);
      home.refuses_until =
          clock_.mono() + Duration(static_cast<std::int64_t>(schedule_.rng().below(1'200'000)));
      return true;
    case Act::NodeRestarts:
      schedule_.tell("all containers in " + ns + " crash");
      home.crash_at = clock_.mono();
      return true;
    case Act::Pauses:
    case Act::Restarts:
      return act_on_workloads(ns, what);
    default:
      return edit(stored, what);
  }
}

bool Readers::act_on_workloads(const std::string& ns, Act what) {
  bool done = false;
  for (SimKube::Workload& workload : kube_->workloads) {
    if (workload.ns != ns || !schedule_.likely(0.5)) continue;
    if (what == Act::Pauses && workload.on_delete) continue;
    done = true;
    if (what == Act::Pauses) {
      schedule_.tell("a person pauses or resumes " + ns + "/" + workload.name);
      kube_->pause(workload, !workload.paused);
      continue;
    }
    schedule_.tell("a person restarts " + ns + "/" + workload.name);
    auto annotations = workload.annotations;
    annotations["kubectl.kubernetes.io/restartedAt"] = schedule_.rng().below(1'000'000);
    kube_->restart(workload, annotations);
  }
  return done;
}

void Readers::remove(Stored& stored) {
  schedule_.tell("the policy in " + stored.policy.ns + " is deleted");
  stored.exists = false;
  stored.policy.status = {};
  for (SimKube::Pod& pod : kube_->pods) pod.counts = pod.counts && pod.ns != stored.policy.ns;
}

bool Readers::edit(Stored& stored, Act what) {
  rotation::PolicySpec& spec = stored.policy.spec;
  rotation::RolloutSpec& rollout = spec.rollout;
  Duration& grace = spec.retirement.grace_period;
  switch (what) {
    case Act::EditsRestart: {
      const bool none = rollout.restart == rotation::Restart::None;
      rollout.restart = none ? rotation::Restart::Auto : rotation::Restart::None;
      break;
    }
    case Act::EditsReloads:
      if (!kube_->namespaces.at(stored.policy.ns).rereads) return false;
      rollout.reloads_volumes = !rollout.reloads_volumes;
      break;
    case Act::EditsGrace:
      grace = grace > Duration(0)
                  ? Duration(0)
                  : Duration(static_cast<std::int64_t>(schedule_.rng().below(600'000)));
      break;
    case Act::EditsOnFailure: {
      const bool hold = rollout.on_failure == OnFailure::Hold;
      rollout.on_failure = hold ? OnFailure::Rollback : OnFailure::Hold;
      break;
    }
    case Act::EditsAfter:
      if (!stored.owner) return false;
      retire_after(stored, schedule_.likely(0.5) ? RetireAfter::Sync : RetireAfter::Rollout);
      break;
    default:
      return false;
  }
  ++stored.policy.generation;
  schedule_.tell("a person edits the policy in " + stored.policy.ns);
  return true;
}

}  // namespace keyturn::simulation
