#include "tests/simulation/sim_life.h"

#include <algorithm>
#include <array>
#include <map>

#include "controller/rotation/gate_keeper.h"
#include "controller/rotation/rollout.h"
#include "controller/rotation/target_sync.h"
#include "tests/simulation/sim_kube.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::simulation {
namespace {

using rotation::Policy;
using rotation::PolicyStatus;
using Way = SimKube::Way;

constexpr const char* kTarget = "orders";
constexpr Duration kNever = Duration::max();

// A policy as the API server has it: the status is what leaders read and write.
struct Stored {
  Policy policy;
  bool exists = true;
  bool owner = false;
  WallTime first_synced{};  // since it was made: from then on it stands for its readers
};

// What one process of the operator is made of.
struct Process {
  using Visit = std::function<void(const Policy&)>;
  using InSync = std::function<bool(const Policy&, const std::string& version)>;
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
                 .status = [](const Policy& policy) { return policy.status; },
                 .clock = clock}),
        gate({.client = client,
              .owners = owners,
              .for_each_policy = std::move(policies),
              .status = [](const Policy& policy) { return policy.status; },
              .allowed = [](const Policy&) { return true; },
              .in_sync = [in_sync](const Policy& policy, const rotation::TargetSpec&,
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

class Life final : public SimCluster {
 public:
  Life(Schedule& schedule, Clock& clock, std::string arn, const Current& current)
      : schedule_(schedule),
        clock_(clock),
        arn_(std::move(arn)),
        kube_(std::make_shared<SimKube>(schedule, clock)) {
    kube_->stands_for = [this](const std::string& ns) { return stands_for(ns); };
    kube_->told_since = [this](const std::string& ns) {
      const auto& targets = policies_.at(ns).policy.status.targets;
      return targets.empty() ? WallTime{} : targets.front().synced_at.value_or(WallTime{});
    };
    add_policy("shop", current).owner = true;
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

  // --- drivers ---

  void judge(std::size_t leader, const engine::View& view, engine::Situation& s) override;
  void retired(std::size_t) override {
    PolicyStatus status = policies_.at("shop").policy.status;
    status.retiring.reset();
    (void)publish(policies_.at("shop"), std::move(status));
  }
  void look_at_target(std::size_t) override {}
  bool sync(std::size_t leader, const std::string& version, const std::string& value) override {
    judged_.at(leader).reset();
    return write(leader, policies_.at("shop"), {version, value});
  }
  Duration roll_out(std::size_t leader) override {
    judged_.at(leader).reset();
    return advance(leader, policies_.at("shop"));
  }
  Duration others(std::size_t leader, const Read& read) override {
    judged_.at(leader).reset();
    Duration next = kNever;
    if (policies_.size() == 1) return next;
    const auto current = read();
    if (!current.ok()) return next;
    for (auto& [ns, stored] : policies_) {
      if (stored.owner || !stored.exists) continue;
      const bool done = synced(stored, current->version) || write(leader, stored, *current);
      if (done) next = std::min(next, follow(leader, stored));
    }
    return next;
  }
  void forget(std::size_t leader) override {
    processes_.at(leader) = std::make_unique<Process>(
        kube_, clock_,
        [this](const Process::Visit& visit) {
          for (const auto& [ns, stored] : policies_) {
            if (stored.exists) visit(stored.policy);
          }
        },
        [this](const Policy& policy, const std::string& version) {
          return version_in(kube_->secrets.at(policy.ns + "/" + kTarget)) == version;
        });
    judged_.at(leader).reset();
  }

  // --- what happens there ---

  void act(bool calm) override { kube_->act(calm); }
  void one_act_of_a_person() override;

  std::string wrong_now(const Accepts& accepts) const override {
    for (const auto& [ns, stored] : policies_) {
      if (!stands_for(ns)) continue;
      const auto& secret = kube_->secrets.at(ns + "/" + kTarget);
      if (!accepts(secret.value)) return "I1: the credential in Secret " + ns + " is dead";
    }
    for (const SimKube::Pod& pod : kube_->pods) {
      if (pod.counts && !pod.done && !accepts(pod.held))
        return "I1: the credential that pod " + pod.ns + "/" + pod.name + " holds is dead";
    }
    return {};
  }
  std::string wrong_at_rest(const Current& current) const override {
    for (const auto& [ns, stored] : policies_) {
      if (!stored.exists) continue;
      const auto& secret = kube_->secrets.at(ns + "/" + kTarget);
      if (version_in(secret) != current.version || secret.value != current.value)
        return "I3: the target in " + ns + " does not hold AWSCURRENT";
    }
    for (const SimKube::Pod& pod : kube_->pods) {
      if (pod.counts && !pod.done && pod.held != current.value)
        return "I3: pod " + pod.ns + "/" + pod.name + " does not hold AWSCURRENT";
    }
    return {};
  }

 private:
  bool one_in(std::uint64_t n) { return schedule_.rng().below(n) == 0; }

  void refuse_writes(const std::string& ns) {
    schedule_.tell("a webhook refuses writes of Secrets in " + ns);
    kube_->namespaces.at(ns).refuses_until =
        clock_.mono() + Duration(static_cast<std::int64_t>(schedule_.rng().below(1'200'000)));
  }
  Duration a_grace_period() {  // none at all is the hardest
    return one_in(2) ? Duration(0)
                     : Duration(static_cast<std::int64_t>(schedule_.rng().below(600'000)));
  }
  Stored& add_policy(const std::string& ns, const Current& current) {
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
  void add_readers(const std::string& ns, const std::vector<Way>& ways) {
    for (const Way way : ways) {
      SimKube::Deployment deployment{.ns = ns,
                                     .name = "app" + std::to_string(static_cast<int>(way)),
                                     .secret = kTarget,
                                     .way = way,
                                     .replicas = one_in(2) ? 1 : 2};
      for (int n = 0; n < deployment.replicas; ++n) {
        kube_->add_pod(ns, deployment.name, kTarget, way);
        kube_->pods.back().revision = deployment.revision;
      }
      kube_->deployments.push_back(std::move(deployment));
    }
  }

  bool stands_for(const std::string& ns) const {
    const auto found = policies_.find(ns);
    if (found == policies_.end() || !found->second.exists) return false;
    const auto& targets = found->second.policy.status.targets;
    return !targets.empty() && !targets.front().version_id.empty() &&
           clock_.now() >= found->second.first_synced + SimKube::kPropagation;
  }
  static std::string version_in(const SimKube::Secret& secret) {
    return secret.metadata["annotations"].value(rotation::kVersionIdAnnotation, std::string());
  }
  bool synced(const Stored& stored, const std::string& version) const {
    const PolicyStatus& status = stored.policy.status;
    return version_in(kube_->secrets.at(stored.policy.ns + "/" + kTarget)) == version &&
           status.current_version_id == version && !status.targets.empty() &&
           status.targets.front().version_id == version;
  }

  bool write(std::size_t leader, Stored& stored, const Current& current);
  Duration follow(std::size_t leader, Stored& stored);
  Duration advance(std::size_t leader, Stored& stored);
  bool publish(Stored& stored, PolicyStatus status);
  rotation::GateVerdict ask_gate(std::size_t leader, const std::string& current);
  void edit(Stored& stored);

  Schedule& schedule_;
  Clock& clock_;
  const std::string arn_;
  const std::shared_ptr<SimKube> kube_;
  std::map<std::string, Stored> policies_;  // by namespace: one in each
  std::array<std::unique_ptr<Process>, 2> processes_;
  struct Judged {
    std::string current;
    rotation::GateVerdict verdict;
  };
  std::array<std::optional<Judged>, 2> judged_;  // asked once a pass
};

// As the sync lane does: the write, and what the status says of it (controller/rotation/sync_pass).
bool Life::write(std::size_t leader, Stored& stored, const Current& current) {
  const Policy policy = stored.policy;
  rotation::RenderedData data;
  data.emplace_back("value", SecretString(current.value));
  const std::string before = version_in(kube_->secrets.at(policy.ns + "/" + kTarget));
  rotation::WrittenTarget written;
  if (before != current.version) {
    auto wrote = processes_.at(leader)->targets.write(policy, policy.spec.targets.front(), arn_,
                                                      current.version, data);
    if (!wrote.ok()) return false;
    written = std::move(wrote).value();
  }
  PolicyStatus status = stored.policy.status;
  if (status.targets.empty()) status.targets.push_back({.name = kTarget});
  rotation::TargetStatus& entry = status.targets.front();
  const bool new_version = entry.version_id != current.version;
  rotation::note_written(policy, entry, current.version, written.replaced);
  entry.version_id = current.version;
  entry.synced_at = std::chrono::floor<std::chrono::seconds>(clock_.now());
  status.secret_arn = arn_;
  status.current_version_id = current.version;
  rotation::note_targets(status, policy, new_version, clock_.now());
  return publish(stored, std::move(status));
}

bool Life::publish(Stored& stored, PolicyStatus status) {
  const Schedule::Fate fate = schedule_.send("apply status " + stored.policy.ns, false);
  if (fate != Schedule::Fate::Carried && fate != Schedule::Fate::LostReply) return false;
  if (!stored.exists) return false;
  if (stored.policy.status.targets.empty()) stored.first_synced = clock_.now();
  stored.policy.status = std::move(status);
  schedule_.arrive();
  return fate == Schedule::Fate::Carried;
}

Duration Life::follow(std::size_t leader, Stored& stored) {
  if (rotation::pending_targets(stored.policy, stored.policy.status).empty()) return kNever;
  return std::max(advance(leader, stored), Duration(1));
}

Duration Life::advance(std::size_t leader, Stored& stored) {
  const Policy policy = stored.policy;
  auto report =
      processes_.at(leader)->rollout.advance(policy, policy.status, SimKube::kPropagation);
  if (!report.ok()) return Duration(5'000);
  PolicyStatus status = stored.policy.status;
  if (status.current_version_id != report->version_id) return Duration(1);
  rotation::note_rollout(status, policy, *report, clock_.now());
  if (!publish(stored, std::move(status))) return Duration(1'000);
  return report->phase == rotation::RolloutPhase::Done ? Duration(0)
                                                       : std::max(report->look_again, Duration(1));
}

// As the rotation lane does (controller/rotation/rotation_retire): the gate is asked once a pass.
void Life::judge(std::size_t leader, const engine::View& view, engine::Situation& s) {
  Stored& owner = policies_.at("shop");
  const engine::Labels& l = view.labels;
  s.targets_synced = synced(owner, l.current);
  s.rolled_out = rotation::pending_targets(owner.policy, owner.policy.status).empty();
  s.gate_open = false;
  const bool retiring = !l.baton.empty() && l.baton != l.current && l.baton != l.latest;
  s.clean_up = s.clean_up && l.baton.empty();
  if (!s.targets_synced || !s.rolled_out) return;
  if (!retiring && (!l.baton.empty() || (!s.clean_up && s.permit.empty()))) return;
  const rotation::GateVerdict verdict = ask_gate(leader, l.current);
  s.gate_still_open = [this, leader, current = l.current] {
    judged_.at(leader).reset();
    return ask_gate(leader, current).open;
  };
  s.gate_open = verdict.open;
  s.waiting_for = verdict.text();
  if (!s.waiting_for.empty()) schedule_.tell("      the gate waits for " + s.waiting_for);
  if (!retiring) return;
  PolicyStatus status = owner.policy.status;
  rotation::note_retiring(status, l.baton, verdict, owner.policy.spec.retirement.grace_period,
                          clock_.now());
  s.gate_open = verdict.open && rotation::grace_over(status, l.baton, clock_.now());
  if (status != owner.policy.status) (void)publish(owner, std::move(status));
}

rotation::GateVerdict Life::ask_gate(std::size_t leader, const std::string& current) {
  std::optional<Judged>& judged = judged_.at(leader);
  if (judged && judged->current == current) return judged->verdict;
  const Policy& owner = policies_.at("shop").policy;
  auto asked = processes_.at(leader)->gate.ask({.arn = arn_,
                                                .version_id = current,
                                                .asker = owner.key(),
                                                .after = owner.spec.retirement.after,
                                                .propagation = SimKube::kPropagation});
  judged = Judged{.current = current, .verdict = {}};
  if (asked.ok())
    judged->verdict = std::move(asked).value();
  else
    judged->verdict.waiting_for = {"a look at the pods"};
  return judged->verdict;
}

void Life::one_act_of_a_person() {
  auto at = policies_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(schedule_.rng().below(policies_.size())));
  const std::string& ns = at->first;
  Stored& stored = at->second;
  switch (schedule_.rng().below(8)) {
    case 0:
    case 1:
      return edit(stored);
    case 2: {  // a follower goes, or comes back
      if (stored.owner) return;
      stored.exists = !stored.exists && !kube_->namespaces.at(ns).going;
      stored.policy.status = {};
      schedule_.tell("a person " + std::string(stored.exists ? "creates" : "deletes") +
                     " the policy in " + ns);
      for (SimKube::Pod& pod : kube_->pods) pod.counts = pod.counts && pod.ns != ns;
      return;
    }
    case 3: {
      if (stored.owner || kube_->namespaces.at(ns).going || !one_in(3)) return;
      schedule_.tell("a person removes namespace " + ns);
      stored.exists = false;
      for (SimKube::Pod& pod : kube_->pods) pod.counts = pod.counts && pod.ns != ns;
      return kube_->remove_namespace(ns);
    }
    case 4:
      if (kube_->namespaces.at(ns).going) return;
      schedule_.tell("a person starts a pod in " + ns);
      return kube_->add_pod(ns, "", kTarget, one_in(2) ? Way::Env : Way::Volume);
    case 5:
      return refuse_writes(ns);
    default:
      for (SimKube::Deployment& deployment : kube_->deployments) {
        if (deployment.ns != ns || !one_in(2)) continue;
        schedule_.tell("a person restarts " + ns + "/" + deployment.name);
        auto annotations = deployment.annotations;
        annotations["kubectl.kubernetes.io/restartedAt"] = schedule_.rng().below(1'000'000);
        kube_->restart(deployment, annotations);
      }
      return;
  }
}

void Life::edit(Stored& stored) {
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
  if (one_in(2)) {
    spec.retirement.grace_period = a_grace_period();
  }
}

}  // namespace

std::unique_ptr<SimCluster> make_life(Schedule& schedule, Clock& clock, const std::string& arn,
                                      const SimCluster::Current& current) {
  return std::make_unique<Life>(schedule, clock, arn, current);
}

}  // namespace keyturn::simulation
