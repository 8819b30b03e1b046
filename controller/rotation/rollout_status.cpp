#include "controller/rotation/rollout_status.h"

#include <algorithm>

#include "controller/rotation/status.h"

namespace keyturn::rotation {
namespace {

constexpr std::string_view kRollingOut = "RollingOut";
constexpr Duration kToldAfter{60'000};
constexpr std::string_view kSpreading = "the workloads are restarted when the new value has spread";

// A roll-out begins now, whatever the condition said of another one.
void begin_now(PolicyStatus& status, WallTime now) {
  for (Condition& condition : status.conditions) {
    if (condition.type == kRolledOut)
      condition.last_transition = std::chrono::floor<std::chrono::seconds>(now);
  }
}

bool is_target(const Policy& policy, const std::string& name) {
  const auto& all = policy.spec.targets;
  return std::any_of(all.begin(), all.end(), [&](const TargetSpec& t) { return t.name == name; });
}

}  // namespace

std::vector<PendingTarget> pending_targets(const Policy& policy, const PolicyStatus& status) {
  std::vector<PendingTarget> pending;
  if (policy.spec.rollout.restart == Restart::None) return pending;
  for (const TargetStatus& target : status.targets) {
    const bool current =
        !target.version_id.empty() && target.version_id == status.current_version_id;
    if (!current || target.rolled_out_version_id.empty() ||
        target.rolled_out_version_id == target.version_id || !is_target(policy, target.name))
      continue;
    pending.push_back({target.name, target.version_id, target.synced_at.value_or(WallTime{})});
  }
  return pending;
}

void note_written(const Policy& policy, TargetStatus& entry, const std::string& version_id,
                  const std::string& replaced) {
  if (policy.spec.rollout.restart == Restart::None) {
    entry.rolled_out_version_id.clear();
    return;
  }
  // What the workloads run with: known, or the version that stood in the Secret, or the one that
  // the status remembers of a Secret that is gone meanwhile.
  std::string& runs_with = entry.rolled_out_version_id;
  if (!runs_with.empty() || entry.version_id == version_id) return;
  runs_with = !replaced.empty()           ? replaced
              : !entry.version_id.empty() ? entry.version_id
                                          : version_id;
}

void note_targets(PolicyStatus& status, const Policy& policy, bool new_version, WallTime now) {
  const auto set = [&](std::string_view value, std::string_view reason, std::string_view message) {
    set_condition(status, kRolledOut, value, reason, message, now, policy.generation);
  };
  if (policy.spec.rollout.restart == Restart::None)
    return set("True", "NotRequested", "this policy restarts no workloads");
  const Condition* condition = status.condition(kRolledOut);
  if (!pending_targets(policy, status).empty()) {
    if (new_version || !condition || condition->status == "True") {
      set("False", kRollingOut, kSpreading);
      begin_now(status, now);
    }
  } else if (!condition || condition->status != "True" || condition->reason == "NotRequested") {
    set("True", "RolledOut", "nothing to restart");
  }
}

void note_rollout(PolicyStatus& status, const Policy& policy, const RolloutReport& report,
                  WallTime now) {
  const auto set = [&](std::string_view value, std::string_view reason) {
    set_condition(status, kRolledOut, value, reason, report.message, now, policy.generation);
  };
  switch (report.phase) {
    case RolloutPhase::Pending:
    case RolloutPhase::Waiting: {
      // How far each one is changes every moment: told when it takes long.
      const Condition* told = status.condition(kRolledOut);
      const bool young = told && told->status == "False" && told->reason == kRollingOut &&
                         now < told->last_transition + kToldAfter;
      if (young) return;
      set("False", kRollingOut);
      // The time-out counts from the restarts, which may have waited for an operator that was away.
      if (report.restarted > 0) begin_now(status, now);
      return;
    }
    case RolloutPhase::TimedOut:
      return set("False", kRolloutTimedOut);
    case RolloutPhase::HeldBack:
      return set("False", kHeldBack);
    case RolloutPhase::Done:
      break;
  }
  for (TargetStatus& target : status.targets) {
    if (target.version_id == report.version_id && !target.rolled_out_version_id.empty())
      target.rolled_out_version_id = target.version_id;
  }
  set("True", "RolledOut");
}

void note_failure(PolicyStatus& status, const Policy& policy, const Error& error, WallTime now) {
  set_condition(status, kRolledOut, "False", kRolloutFailed, error.message, now, policy.generation);
}

std::optional<WallTime> rollout_began(const PolicyStatus& status) {
  const Condition* condition = status.condition(kRolledOut);
  if (!condition || condition->status != "False") return std::nullopt;
  return condition->last_transition;
}

}  // namespace keyturn::rotation
