// Where AWS rotates (strategy `lambda`): it began, works in its own time, and tells nobody but the
// labels what came of it.
#include <algorithm>

#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/rotation_record.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using runtime::Outcome;

// AWS tries its four steps again by itself; after so many request deadlines (5 minutes) people are
// told that something may be wrong with the function.
constexpr int kPatience = 20;
constexpr const char* kNotFinished = "RotationNotFinished";

// "arn:aws:lambda:eu-west-1:123456789012:function:rotate" → "rotate"
std::string function_name(const std::string& arn) { return arn.substr(arn.rfind(':') + 1); }

// Whether AWS made version `id` for the rotation that was recorded as `begun`: an id that AWS knows
// from an attempt that was given up is passed over (lib/engine/strategies/lambda.h).
bool made_for(const std::string& arn, std::string begun, const std::string& id) {
  constexpr int kMostAttempts = 100;  // AWS keeps about so many versions
  for (int i = 0; i < kMostAttempts && begun != id; ++i)
    begun = engine::successor_id(arn, begun, "");
  return begun == id;
}

void rename(PolicyStatus& status, const std::string& from, const std::string& to) {
  for (HistoryEntry& entry : status.history) {
    if (entry.version_id == from) entry.version_id = to;
  }
  if (status.rotation && status.rotation->version_id == from) status.rotation->version_id = to;
}

// The version of the rotation that is recorded as under way; "" for none.
std::string begun(const PolicyStatus& status) {
  for (const HistoryEntry& entry : status.history) {
    if (entry.outcome == "InProgress") return entry.version_id;
  }
  return {};
}

Error not_finished(const engine::View& view, Duration waited) {
  const std::string& arn = view.secret.rotation_lambda_arn;
  std::string where = "CloudTrail's RotationFailed event names the failure";
  if (!arn.empty())
    where = "the log group /aws/lambda/" + printable(function_name(arn)) +
            " and CloudTrail's RotationFailed event name the failure";
  return make_error(ErrorClass::Transient, kNotFinished,
                    "AWS has been rotating " + view.secret.name + " for " +
                        format_duration(waited) + " (version " + view.labels.pending +
                        "), and AWSCURRENT has not moved; " + where +
                        ". AWS tries again by itself; `aws secretsmanager cancel-rotate-secret` "
                        "ends that.");
}

}  // namespace

Outcome RotationPass::wait_for_aws(Turn& turn, const engine::Decision& decision) {
  const Policy& policy = turn.policy();
  if (policy.deleted) return settle(turn);  // nothing of it is ours to finish
  const std::string id = decision.version_id;
  const Duration look_again = turn.gathered.config->request_deadline;
  const PolicyStatus status = deps_.status.latest(policy);
  const bool same = status.rotation && made_for(turn.arn(), status.rotation->version_id, id);
  const Duration waited = same ? deps_.clock.now() - status.rotation->started_at : Duration(0);
  const std::string trigger(turn.due.due ? engine::to_string(turn.due.trigger) : "aws");
  turn.change([=, arn = turn.arn(), strategy = turn.at_work(), step = decision.step,
               message = decision.message](PolicyStatus& changed, WallTime now) {
    if (changed.rotation && made_for(arn, changed.rotation->version_id, id))
      rename(changed, std::string(changed.rotation->version_id), id);  // a copy: it changes
    else if (changed.rotation)
      record_end(changed, changed.rotation->version_id, "Abandoned", now);
    record_step(changed, strategy, id, step, message, trigger, now);
  });
  if (waited < kPatience * look_again) return Outcome::after(look_again);
  const Error error = not_finished(turn.view, std::chrono::floor<std::chrono::seconds>(waited));
  const Condition* told = status.condition(kReconciling);
  if (!told || told->reason != error.code)
    emit(policy, kube::Event::Type::Warning, "RotationFailed", "Rotate", error.message);
  turn.change([error, generation = policy.generation](PolicyStatus& changed, WallTime now) {
    set_problem(changed, error, false, now, generation);
  });
  return Outcome::after(std::min(4 * look_again, policy.spec.refresh_interval));
}

// AWS is at rest.
void RotationPass::tell_what_aws_did(Turn& turn) {
  if (turn.strategy->traits().backend != engine::Backend::Delegated) return;
  const Policy& policy = turn.policy();
  const PolicyStatus status = deps_.status.latest(policy);
  const std::string id = begun(status);
  if (id.empty() || !status.rotation) return;
  const std::string current = turn.view.labels.current;
  const bool done = made_for(turn.arn(), id, current);
  deps_.metrics.rotation(turn.strategy_name(), done ? "succeeded" : "abandoned",
                         deps_.clock.now() - status.rotation->started_at);
  if (!done) {
    emit(policy, kube::Event::Type::Warning, "RotationAbandoned", "Rotate",
         "AWSPENDING is off the version " + short_id(id) +
             " that AWS made, and AWSCURRENT has not moved: its rotation was cancelled");
  } else {
    emit(policy, kube::Event::Type::Normal, "Rotated", "Rotate",
         "version " + short_id(current) + " is AWSCURRENT now");
  }
  turn.change([id, current, done](PolicyStatus& changed, WallTime now) {
    if (done) rename(changed, id, current);
    record_rest(changed, current, now);
  });
}

}  // namespace keyturn::rotation
