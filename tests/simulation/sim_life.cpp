#include "tests/simulation/sim_life.h"

#include <algorithm>
#include <array>
#include <set>

#include "tests/simulation/sim_process.h"
#include "tests/simulation/sim_readers.h"

namespace keyturn::simulation {
namespace {

using rotation::Policy;
using rotation::PolicyStatus;
using rotation::RetireAfter;
using rotation::RolloutPhase;
constexpr Duration kNever = Duration::max();

class Life final : public SimCluster, private Readers {
 public:
  Life(Schedule& schedule, Clock& clock, std::string arn, const Current& current,
       const Setup& setup)
      : Readers(schedule, clock, std::move(arn), current, setup) {}

  // --- drivers ---

  void judge(std::size_t leader, const engine::View& view, engine::Situation& s) override;
  void retired(std::size_t) override {
    const RetireAfter after = policies_.at("shop").policy.spec.retirement.after;
    schedule_.note(after == RetireAfter::Rollout ? "retired after Rollout"
                   : after == RetireAfter::Sync  ? "retired after Sync"
                                                 : "retired after Immediately");
    PolicyStatus status = policies_.at("shop").policy.status;
    status.retiring.reset();
    (void)publish(policies_.at("shop"), std::move(status));
  }
  void look_at_target(std::size_t) override {}
  bool sync(std::size_t leader, const std::string& version, const std::string& value) override {
    judged_.at(leader).reset();
    seen_.at(leader) = {.wrote = true};
    return write(leader, policies_.at("shop"), {version, value});
  }
  Duration roll_out(std::size_t leader) override;
  void rolls_back(std::size_t leader, const std::string& version) override {
    const auto& rollout = seen_.at(leader).rollout;
    const bool timed_out = rollout && rollout->phase == RolloutPhase::TimedOut;
    if (!rolled_back_.insert(version).second || !timed_out) return;
    ++rollbacks_;
    schedule_.note("rolled back after a roll-out that did not become available");
  }
  void cannot_roll_back(std::size_t leader) override { seen_.at(leader).cannot_roll_back = true; }
  int rollbacks() const override { return rollbacks_; }
  Duration others(std::size_t leader, const Read& read) override {
    judged_.at(leader).reset();
    seen_.at(leader) = {};
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
          return version_in(secret_of(policy.ns)) == version;
        });
    judged_.at(leader).reset();
    seen_.at(leader) = {};
  }

  // --- what happens there ---

  void act(bool calm) override { kube_->act(calm); }
  void one_act_of_a_person() override { Readers::one_act_of_a_person(); }
  bool act_of_a_person(Act what) override { return act_everywhere(what); }
  std::string wrong_now(const Accepts& accepts) const override {
    return Readers::wrong_now(accepts);
  }
  std::string wrong_at_rest(const Current& current) const override {
    return Readers::wrong_at_rest(current);
  }

 private:
  bool write(std::size_t leader, Stored& stored, const Current& current);
  void tell(const Stored& stored, const rotation::RolloutReport& report);
  bool wants_rollback(std::size_t leader, const engine::View& view) const;
  Duration follow(std::size_t leader, Stored& stored);
  Result<rotation::RolloutReport> advance(std::size_t leader, Stored& stored);
  bool publish(Stored& stored, PolicyStatus status);
  rotation::GateVerdict ask_gate(std::size_t leader, const std::string& current);

  std::array<std::unique_ptr<Process>, 2> processes_;
  struct Judged {
    std::string current;
    rotation::GateVerdict verdict;
  };
  std::array<std::optional<Judged>, 2> judged_;  // asked once a pass
  struct Seen {
    bool wrote = false;  // the owner's target
    std::optional<rotation::RolloutReport> rollout;
    bool cannot_roll_back = false;
  };
  std::array<Seen, 2> seen_;           // by the pass under way
  std::set<std::string> rolled_back_;  // versions that were made to go back
  int rollbacks_ = 0;
};

// As the sync lane does: the write, and what the status says of it (controller/rotation/sync_pass).
bool Life::write(std::size_t leader, Stored& stored, const Current& current) {
  const Policy policy = stored.policy;
  rotation::RenderedData data;
  data.emplace_back("value", SecretString(current.value));
  const std::string before = version_in(secret_of(policy.ns));
  rotation::WrittenTarget written;
  if (before != current.version) {
    auto wrote = processes_.at(leader)->targets.write(policy, policy.spec.targets.front(), arn_,
                                                      current.version, data);
    if (!wrote.ok()) return false;
    written = std::move(wrote).value();
  }
  PolicyStatus status = stored.policy.status;
  note_synced(status, policy, arn_, current.version, written, clock_.now());
  return publish(stored, std::move(status));
}

bool Life::publish(Stored& stored, PolicyStatus status) {
  schedule_.said(rotation::status_json(status).dump());
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
  const auto report = advance(leader, stored);
  if (!report.ok()) return Duration(5'000);
  return std::max(report->look_again, Duration(1));
}

Duration Life::roll_out(std::size_t leader) {
  judged_.at(leader).reset();
  std::optional<rotation::RolloutReport>& seen = seen_.at(leader).rollout;
  if (seen) return std::max(seen->look_again, Duration(1));
  auto report = advance(leader, policies_.at("shop"));
  if (!report.ok()) return Duration(5'000);
  seen = std::move(report).value();
  return Duration(0);
}

Result<rotation::RolloutReport> Life::advance(std::size_t leader, Stored& stored) {
  const Policy policy = stored.policy;
  auto report =
      processes_.at(leader)->rollout.advance(policy, policy.status, SimKube::kPropagation);
  if (!report.ok()) return report;
  PolicyStatus status = stored.policy.status;
  if (status.current_version_id != report->version_id) return lost("a status");
  rotation::note_rollout(status, policy, *report, clock_.now());
  if (!publish(stored, std::move(status))) return lost("a status");
  tell(stored, *report);
  return report;
}

void Life::tell(const Stored& stored, const rotation::RolloutReport& report) {
  schedule_.tell("      the roll-out in " + stored.policy.ns + ": " + report.message);
  const auto& spec = stored.policy.spec.rollout;
  if (report.phase == RolloutPhase::TimedOut &&
      (!stored.owner || spec.on_failure == rotation::OnFailure::Hold))
    schedule_.note("a roll-out timed out and is held");
  if (report.phase != RolloutPhase::HeldBack) return;
  for (const SimKube::Workload& workload : kube_->workloads) {
    if (workload.ns != stored.policy.ns) continue;
    if (workload.paused) schedule_.note("a roll-out held back by a paused workload");
    if (workload.on_delete) schedule_.note("a roll-out held back by OnDelete");
  }
}

// As the rotation lane does (controller/rotation/rotation_rollout).
bool Life::wants_rollback(std::size_t leader, const engine::View& view) const {
  const Seen& seen = seen_.at(leader);
  return policies_.at("shop").policy.spec.rollout.on_failure == rotation::OnFailure::Rollback &&
         seen.rollout && seen.rollout->phase == RolloutPhase::TimedOut && !seen.cannot_roll_back &&
         !view.foreign_pending && !rolled_back_.contains(view.labels.current);
}

// As the rotation lane does (controller/rotation/rotation_retire): the gate is asked once a pass.
void Life::judge(std::size_t leader, const engine::View& view, engine::Situation& s) {
  Stored& owner = policies_.at("shop");
  const engine::Labels& l = view.labels;
  s.targets_synced = synced(owner, l.current);
  const auto& rollout = seen_.at(leader).rollout;
  const bool told_is_enough = owner.policy.spec.retirement.after != RetireAfter::Rollout;
  s.rolled_out = rollout ? rollout->over() || (told_is_enough && rollout->told())
                         : rotation::pending_targets(owner.policy, owner.policy.status).empty();
  s.judged = s.targets_synced && (s.rolled_out || rollout);
  s.moved = seen_.at(leader).wrote || (rollout && rollout->restarted > 0);
  if (!s.rollback && wants_rollback(leader, view)) {
    s.rollback = true;
    s.permit = engine::next_version(view);
  }
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
  const Duration grace = drill_ ? Duration(0) : owner.policy.spec.retirement.grace_period;
  rotation::note_retiring(status, l.baton, verdict, grace, clock_.now());
  s.gate_open = verdict.open && rotation::grace_over(status, l.baton, clock_.now());
  if (status != owner.policy.status) (void)publish(owner, std::move(status));
}

rotation::GateVerdict Life::ask_gate(std::size_t leader, const std::string& current) {
  std::optional<Judged>& judged = judged_.at(leader);
  if (judged && judged->current == current) return judged->verdict;
  const Policy& owner = policies_.at("shop").policy;
  std::optional<WallTime> drill_since;
  if (drill_) drill_since = owner.status.retiring ? owner.status.retiring->since : clock_.now();
  for (const auto& [ns, stored] : policies_) {
    if (drill_ && clock_.now() >= *drill_since + stored.policy.spec.rollout.timeout) gave_up();
  }
  auto asked = processes_.at(leader)->gate.ask({.arn = arn_,
                                                .version_id = current,
                                                .asker = owner.key(),
                                                .after = owner.spec.retirement.after,
                                                .propagation = SimKube::kPropagation,
                                                .drill_since = drill_since});
  judged = Judged{.current = current, .verdict = {}};
  if (asked.ok())
    judged->verdict = std::move(asked).value();
  else
    judged->verdict.waiting_for = {"a look at the pods"};
  return judged->verdict;
}

}  // namespace

std::unique_ptr<SimCluster> make_life(Schedule& schedule, Clock& clock, const std::string& arn,
                                      const SimCluster::Current& current, const Setup& setup) {
  return std::make_unique<Life>(schedule, clock, arn, current, setup);
}

}  // namespace keyturn::simulation
