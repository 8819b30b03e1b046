#include "controller/rotation/rollout.h"

#include <algorithm>
#include <set>

#include "controller/rotation/status.h"
#include "controller/rotation/workload_refs.h"
#include "controller/rotation/workload_state.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

constexpr int kRestartsPerPass = 8;  // so that a pass is short even when every request is slow
constexpr std::size_t kNamed = 6;    // workloads named in a message
constexpr int kMostRestarts = 2;     // of one workload for one version by one process
constexpr Duration kNextBatch{1'000};
constexpr Duration kSoon{2'000};
constexpr Duration kLater{10'000};
constexpr Duration kSlowLook{300'000};  // for what only a person can move
constexpr Duration kTimedOutLook{60'000};
constexpr Duration kYoung{60'000};
constexpr int kNeighbourWaits = 2;  // × propagation, beyond our own

// Times in a status are whole seconds, rounded down.
constexpr Duration kRounding{1'000};

WallTime spread_at(WallTime written, Duration propagation) {
  return written + propagation + kRounding;
}

std::string fingerprint(const std::vector<PendingTarget>& pending) {
  std::string text;
  for (const auto& target : pending) text += target.secret + "=" + target.version_id + "\n";
  return text;
}

bool lists(const RolloutSpec& rollout, const WorkloadRef& ref) {
  return std::find(rollout.workloads.begin(), rollout.workloads.end(), ref) !=
         rollout.workloads.end();
}

}  // namespace

struct Rollout::Pass {
  const Policy& policy;
  const PolicyStatus& status;
  Duration propagation;
  WallTime now;
  std::vector<PendingTarget> pending;
  WallTime due{};          // when our own value has spread
  WallTime defer_until{};  // a neighbour's value is worth waiting for
  std::map<WorkloadRef, int> restarts{};
  WallTime since{};  // what the time-out counts from, where the status says nothing later
  int restarted = 0;
  int postponed = 0;  // to be restarted by a later pass
  std::vector<WorkloadRef> waiting;
  std::vector<std::string> lines;
  bool held_back = false;

  // The marks that this workload must carry.
  RestartMarks marks(const Workload& workload) const {
    RestartMarks marks;
    const bool listed = policy.spec.rollout.restart == Restart::Listed;
    for (const auto& target : pending) {
      if (listed || refers_to(workload.pod_spec(), target.secret))
        marks[restart_annotation(target.secret)] = target.version_id;
    }
    return marks;
  }
};

Rollout::Watched Rollout::watched(const Pass& pass) const {
  const std::lock_guard lock(mutex_);
  const auto it = watched_.find(pass.policy.key());
  if (it == watched_.end() || it->second.what != fingerprint(pass.pending)) return {};
  return it->second;
}

void Rollout::forget(const std::string& policy_key) {
  const std::lock_guard lock(mutex_);
  watched_.erase(policy_key);
}

Result<std::vector<Workload>> Rollout::find(const Pass& pass) {
  const RolloutSpec& rollout = pass.policy.spec.rollout;
  if (rollout.restart == Restart::Listed)
    return deps_.workloads.get(pass.policy.ns, rollout.workloads);
  return deps_.workloads.list(pass.policy.ns, [&](const Workload& workload) {
    return std::any_of(pass.pending.begin(), pass.pending.end(), [&](const auto& target) {
      return refers_to(workload.pod_spec(), target.secret);
    });
  });
}

void Rollout::add_neighbours(Pass& pass, const Workload& workload, RestartMarks& marks) const {
  std::set<std::string> seen;
  for (const SecretUse& use : secret_uses(workload.pod_spec())) {
    if (!seen.insert(use.secret).second || marks.contains(restart_annotation(use.secret))) continue;
    const auto secret = deps_.secret(kube::object_key(pass.policy.ns, use.secret));
    if (!secret || secret->policy == pass.policy.key()) continue;
    const PolicyPtr other = deps_.policy(secret->policy);
    if (!other || other->deleted || other->invalid) continue;
    const RolloutSpec& rollout = other->spec.rollout;
    if (rollout.restart == Restart::None ||
        (rollout.restart == Restart::Listed && !lists(rollout, workload.ref)))
      continue;
    for (const auto& target : pending_targets(*other, deps_.status(*other))) {
      if (target.secret != use.secret || target.version_id != secret->version_id) continue;
      const WallTime spread = spread_at(target.written, pass.propagation);
      if (pass.now >= spread) {
        marks[restart_annotation(use.secret)] = target.version_id;
      } else if (spread <= pass.due + kNeighbourWaits * pass.propagation) {
        pass.defer_until = std::max(pass.defer_until, spread);
      }
    }
  }
}

Status Rollout::restart(Pass& pass, const Workload& workload) {
  RestartMarks marks = pass.marks(workload);
  const WallTime before = pass.defer_until;
  pass.defer_until = {};
  add_neighbours(pass, workload, marks);
  const bool defer = pass.defer_until > pass.now;
  pass.defer_until = std::max(before, pass.defer_until);
  if (defer || pass.restarted >= kRestartsPerPass) {
    ++pass.postponed;
    return {};
  }
  auto restarted = deps_.workloads.restart(pass.policy.ns, workload, marks);
  if (!restarted) {
    // Changed or gone since it was read: the next look shows.
    if (restarted.error().cls == ErrorClass::Conflict ||
        restarted.error().cls == ErrorClass::NotFound) {
      ++pass.postponed;
      return {};
    }
    return std::move(restarted).error().with_context("restart of " + workload.text());
  }
  ++pass.restarted;
  ++pass.restarts[workload.ref];
  log::info("workload restarted", {{"namespace", pass.policy.ns},
                                   {"policy", pass.policy.name},
                                   {"workload", workload.text()},
                                   {"versionId", pass.status.current_version_id},
                                   {"step", "rollout"}});
  return {};
}

// Restarts what has to be restarted; says how far the rest is.
Status Rollout::move(Pass& pass, const Workload& workload) {
  const RestartMarks marks = pass.marks(workload);
  const bool marked = std::all_of(marks.begin(), marks.end(), [&](const auto& mark) {
    return workload.restarted_for(mark.first) == mark.second;
  });
  const auto created = workload.created();
  const bool young = created && *created >= pass.due;  // it never saw the old value
  if (marked || young || !workload.wants_pods()) {
    const WorkloadState state = workload_state(workload.ref.kind, workload.object);
    if (state.phase == WorkloadPhase::Progressing) pass.waiting.push_back(workload.ref);
    if (state.phase == WorkloadPhase::NotDriven) pass.held_back = true;
    pass.lines.push_back(workload.text() + " " + state.detail);
    return {};
  }
  pass.waiting.push_back(workload.ref);
  if (pass.restarts[workload.ref] >= kMostRestarts) {
    pass.lines.push_back(workload.text() + " was restarted, but somebody takes annotation " +
                         marks.begin()->first + " off its pod template again");
    return {};
  }
  pass.lines.push_back(workload.text() + " is being restarted");
  return restart(pass, workload);
}

void Rollout::name_missing(Pass& pass, const std::vector<Workload>& found) {
  for (const WorkloadRef& ref : pass.policy.spec.rollout.workloads) {
    if (std::any_of(found.begin(), found.end(), [&](const Workload& w) { return w.ref == ref; }))
      continue;
    pass.held_back = true;
    pass.lines.push_back(ref.kind + "/" + ref.name + " is listed and does not exist");
  }
}

Result<RolloutReport> Rollout::advance(const Policy& policy, const PolicyStatus& status,
                                       Duration propagation) {
  Pass pass{.policy = policy,
            .status = status,
            .propagation = propagation,
            .now = deps_.clock.now(),
            .pending = pending_targets(policy, status)};
  if (pass.pending.empty()) {
    forget(policy.key());
    return RolloutReport{.version_id = status.current_version_id};
  }
  for (const auto& target : pass.pending)
    pass.due = std::max(pass.due, spread_at(target.written, propagation));
  if (pass.now < pass.due) {
    return RolloutReport{.phase = RolloutPhase::Pending,
                         .message = "the workloads are restarted when the new value has spread",
                         .look_again = pass.due - pass.now,
                         .version_id = status.current_version_id};
  }
  Watched before = watched(pass);
  pass.since = before.what.empty() ? pass.now : before.since;
  pass.restarts = std::move(before.restarts);
  if (!before.refs.empty()) {
    auto found = deps_.workloads.get(policy.ns, before.refs);
    if (auto moved = move_all(pass, found); !moved) return std::move(moved).error();
    if (!pass.waiting.empty()) return conclude(pass);
    // Those that were waited for are done; one look at all of them says whether that is all.
    pass.lines.clear();
    pass.held_back = false;
    pass.postponed = 0;
  }
  auto found = find(pass);
  if (auto moved = move_all(pass, found); !moved) return std::move(moved).error();
  name_missing(pass, *found);
  return conclude(pass);
}

Status Rollout::move_all(Pass& pass, const Result<std::vector<Workload>>& found) {
  if (!found) return found.error();
  for (const Workload& workload : *found) {
    if (auto moved = move(pass, workload); !moved) return moved;
  }
  return {};
}

// The status knows when the Secret was written, or when it was told last; the restarts may have
// come later, from an operator that was away. What is told once stays until it ends.
bool Rollout::timed_out(const Pass& pass, WallTime began) {
  const Condition* told = pass.status.condition(kRolledOut);
  const bool already = told && told->reason == kRolloutTimedOut;
  const WallTime start = already ? began : std::max(began, pass.since);
  return pass.now > start + pass.policy.spec.rollout.timeout;
}

RolloutReport Rollout::conclude(Pass& pass) {
  RolloutReport report;
  report.version_id = pass.status.current_version_id;
  report.restarted = pass.restarted;
  report.postponed = pass.postponed;
  if (pass.restarted > 0) pass.since = pass.now;
  {
    const std::lock_guard lock(mutex_);
    watched_[pass.policy.key()] = {fingerprint(pass.pending), pass.waiting, pass.restarts,
                                   pass.since};
  }
  const std::size_t named = std::min(pass.lines.size(), kNamed);
  report.message = join({pass.lines.begin(), pass.lines.begin() + static_cast<long>(named)}, "; ");
  if (pass.lines.size() > named)
    report.message += "; and " + std::to_string(pass.lines.size() - named) + " more";
  if (pass.lines.empty()) report.message = "no workload refers to a target";

  const auto began = rollout_began(pass.status);
  if (pass.waiting.empty()) {
    report.phase = pass.held_back ? RolloutPhase::HeldBack : RolloutPhase::Done;
    report.look_again = kSlowLook;
  } else if (pass.postponed > 0) {
    report.phase = pass.restarted > 0 ? RolloutPhase::Waiting : RolloutPhase::Pending;
    report.look_again = pass.defer_until > pass.now ? pass.defer_until - pass.now : kNextBatch;
  } else if (began && pass.restarted == 0 && timed_out(pass, *began)) {
    report.phase = RolloutPhase::TimedOut;
    report.look_again = kTimedOutLook;
  } else {
    report.phase = RolloutPhase::Waiting;
    report.look_again = !began || pass.now < *began + kYoung ? kSoon : kLater;
  }
  return report;
}

}  // namespace keyturn::rotation
