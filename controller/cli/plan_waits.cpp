#include "controller/cli/plan_waits.h"

#include <algorithm>

#include "controller/cli/describe.h"
#include "controller/rotation/rollout_status.h"
#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

// As the operator: unless the retirement waits for the roll-out, it goes on as soon as the
// workloads are told to restart, which is when the new value has spread, or cannot be.
bool rolled_out(const rotation::Policy& policy, const rotation::Condition* told,
                Duration propagation, WallTime now) {
  if (told != nullptr && told->reason == rotation::kHeldBack) return true;
  const auto pending = rotation::pending_targets(policy, policy.status);
  if (policy.spec.retirement.after == rotation::RetireAfter::Rollout) return pending.empty();
  if (told != nullptr && told->reason == rotation::kRolloutFailed) return true;
  return std::all_of(pending.begin(), pending.end(),
                     [&](const auto& target) { return now >= target.written + propagation; });
}

}  // namespace

void judge_waits(const rotation::Policy& policy, const rotation::PersonRequests& requests,
                 const engine::Labels& labels, Duration propagation, WallTime now,
                 engine::Situation& situation, Plan& plan) {
  const auto& status = policy.status;
  const auto* rollout = status.condition("RolledOut");
  situation.rolled_out = requests.revoke || rolled_out(policy, rollout, propagation, now);
  if (rollout != nullptr && rollout->status == "False" &&
      !rotation::pending_targets(policy, status).empty())
    plan.note = rollout->message;
  const std::string& baton = labels.baton;
  const bool retiring = !baton.empty() && baton != labels.current && baton != labels.latest;
  if (!retiring || requests.revoke) return;
  const auto& waiting = status.retiring;
  if (!waiting || waiting->version_id != baton) {
    situation.gate_open = false;
    situation.waiting_for = "the operator has looked at who can still hold it";
  } else if (!waiting->earliest) {
    situation.gate_open = false;
    situation.waiting_for = waiting->waiting_for;
  } else if (*waiting->earliest > now) {
    situation.gate_open = false;
    situation.waiting_for = "its grace period is over";
    plan.when = format_rfc3339(*waiting->earliest) + " (" + until(waiting->earliest, now) + ")";
  }
}

}  // namespace keyturn::cli
