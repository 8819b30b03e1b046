// The rotation lane's roll-out: of the policy that owns a secret, as a row of the engine's plan; of
// followers, by itself. And the way back when one does not become available.
#include <algorithm>

#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/rotation_record.h"
#include "lib/base/log.h"

namespace keyturn::rotation {
namespace {

using runtime::Outcome;

// The metric's words for a pass of the roll-out.
const char* outcome_of(RolloutPhase phase) {
  switch (phase) {
    case RolloutPhase::Done:
    case RolloutPhase::HeldBack:
      return "ok";
    case RolloutPhase::TimedOut:
      return "error";
    default:
      return "wait";
  }
}

}  // namespace

bool RotationPass::has_rollout(const Policy& policy) const {
  return !policy.deleted && !pending_targets(policy, deps_.status.latest(policy)).empty();
}

Result<RolloutReport> RotationPass::advance_rollout(Turn& turn, const PolicyStatus& status) {
  const Policy& policy = turn.policy();
  const MonoTime started = deps_.clock.mono();
  auto report = deps_.rollout.advance(policy, status, turn.gathered.config->propagation);
  deps_.metrics.rotation_step(policy.spec.strategy.name, engine::to_string(engine::Step::Rollout),
                              report ? outcome_of(report->phase) : "error",
                              deps_.clock.mono() - started);
  if (!report) {
    log::warn("roll-out failed", {{"namespace", policy.ns},
                                  {"policy", policy.name},
                                  {"reason", report.error().code},
                                  {"error", report.error().message}});
    emit(policy, kube::Event::Type::Warning, std::string(kRolloutFailed), "Rollout",
         report.error().message);
    turn.change([error = report.error(), p = turn.gathered.policy](
                    PolicyStatus& next, WallTime now) { note_failure(next, *p, error, now); });
    return report;
  }
  tell_rollout(policy, status, *report);
  turn.change([r = *report, p = turn.gathered.policy](PolicyStatus& next, WallTime now) {
    note_rollout(next, *p, r, now);
  });
  return report;
}

// Events of a roll-out that a person may have to act on, and of its end where one was told. The
// others are in the condition.
void RotationPass::tell_rollout(const Policy& policy, const PolicyStatus& before,
                                const RolloutReport& report) const {
  const Condition* told = before.condition(kRolledOut);
  const std::string reason = told && told->status == "False" ? told->reason : "";
  const bool trouble =
      reason == kRolloutTimedOut || reason == kHeldBack || reason == kRolloutFailed;
  if (report.phase == RolloutPhase::Done && trouble) {
    emit(policy, kube::Event::Type::Normal, "RolledOut", "Rollout", report.message);
  } else if (report.phase == RolloutPhase::TimedOut && reason != kRolloutTimedOut) {
    emit(policy, kube::Event::Type::Warning, std::string(kRolloutTimedOut), "Rollout",
         report.message + "; the old credential stays");
  } else if (report.phase == RolloutPhase::HeldBack && reason != kHeldBack) {
    emit(policy, kube::Event::Type::Warning, std::string(kHeldBack), "Rollout", report.message);
  }
}

Outcome RotationPass::follow(Turn& turn) {
  const Policy& policy = turn.policy();
  auto report = advance_rollout(turn, deps_.status.latest(policy));
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  if (!report) return Outcome::retry(std::move(report).error());
  return report->phase == RolloutPhase::Done ? Outcome::done() : Outcome::after(report->look_again);
}

std::optional<Outcome> RotationPass::roll_out(Turn& turn) {
  const Policy& policy = turn.policy();
  if (turn.rollout) return Outcome::after(turn.rollout->look_again);  // seen in this very pass
  const WallTime time = deps_.clock.now();
  auto report = advance_rollout(turn, turn.status(deps_.status, time));
  turn.change([strategy = turn.at_work(), id = turn.view.labels.current,
               message = report ? report->message : report.error().message](PolicyStatus& status,
                                                                            WallTime now) {
    const Condition* told = status.condition(kRolledOut);  // as often as that, not at every look
    record_aftermath(status, strategy, id, engine::Step::Rollout, told ? told->message : message,
                     now);
  });
  if (!report) {
    if (policy.spec.retirement.after == RetireAfter::Rollout)
      return Outcome::retry(std::move(report).error());
    turn.rollout_failed = std::move(report).error();
    return std::nullopt;
  }
  turn.rollout = *report;
  if (turn.due.due && turn.due.trigger == engine::Trigger::Request) {
    emit(policy, kube::Event::Type::Normal, "RotationDeferred", "Rotate",
         "the rotation asked for waits for the roll-out of the current version");
  }
  return std::nullopt;
}

// After what this pass saw of it, or, before it looked, by the status.
bool RotationPass::rolled_out(const Turn& turn, const PolicyStatus& status) const {
  const Policy& policy = turn.policy();
  if (turn.rollout_failed) return true;
  if (!turn.rollout) return pending_targets(policy, status).empty();
  if (turn.rollout->over()) return true;
  return policy.spec.retirement.after != RetireAfter::Rollout && turn.rollout->told();
}

bool RotationPass::wants_rollback(const Turn& turn, const PolicyStatus& status) const {
  const Policy& policy = turn.policy();
  if (policy.deleted || !turn.cannot_roll_back.empty() || turn.view.foreign_pending) return false;
  if (turn.requests.rollback) return true;
  // A rollback that does not become available either is not rolled back: two bad versions would
  // take turns for ever. Nor does a leaked credential come back unless a person asks for it.
  return policy.spec.rollout.on_failure == OnFailure::Rollback && !turn.requests.drill &&
         turn.rollout && turn.rollout->phase == RolloutPhase::TimedOut &&
         trigger_of(status, turn.view.labels.current) != kRollbackTrigger;
}

void RotationPass::refuse_rollback(Turn& turn, const std::string& why) {
  const Policy& policy = turn.policy();
  turn.cannot_roll_back = why;
  emit(policy, kube::Event::Type::Warning, "CannotRollBack", "Rollback", why);
  if (turn.requests.rollback) answer_rollback(turn);
}

// The request counted: once its version is there (or cannot be made), and not before, lest a lost
// answer or a crash on the way there lose it.
void RotationPass::answer_rollback(Turn& turn) {
  turn.change([at = turn.policy().rollback_requested_at](PolicyStatus& status, WallTime) {
    status.last_handled_rollback_request = at;
  });
}

void RotationPass::tell_rollback(const Turn& turn) const {
  emit(turn.policy(), kube::Event::Type::Warning, "RollingBack", "Rollback",
       turn.requests.rollback
           ? "asked for: a new version with the old credential is made"
           : "the roll-out did not become available in time (" + turn.rollout->message +
                 "); a new version with the old credential is made");
}

}  // namespace keyturn::rotation
