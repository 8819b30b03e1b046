// When the next rotation of a policy starts: gathers the facts for engine::is_due.
#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/rotation_record.h"
#include "lib/base/time.h"

namespace keyturn::rotation {

WallTime RotationPass::first_seen(const Policy& policy) {
  const std::lock_guard lock(mutex_);
  FirstSight& seen = first_seen_[policy.key()];
  if (seen.at == WallTime{} || seen.generation != policy.generation) seen = {policy.generation, deps_.clock.now()};
  return seen.at;
}

// The status keeps the date of the current version; asks AWS only when it does not know this one (one call), or when another version than the
// current is our latest.
Status RotationPass::learn_created(Turn& turn) {
  const auto& labels = turn.view.labels;
  if (turn.created.current && turn.created_for == labels.current) return {};
  const PolicyStatus status = deps_.status.latest(turn.policy());
  const bool latest_matters = !labels.latest.empty() && labels.latest != labels.current;
  turn.created = {};
  turn.created_for = labels.current;
  if (status.current_version_id == labels.current && status.current_version_created && !latest_matters) {
    turn.created.current = status.current_version_created;
    return {};
  }
  auto versions = turn.gathered.access->secrets->list_versions(turn.arn(), false);
  if (!versions) return std::move(versions).error().with_context("ListSecretVersionIds " + turn.arn());
  for (const auto& version : *versions) {
    if (version.id == labels.current) turn.created.current = version.created;
    if (version.id == labels.latest) turn.created.latest = version.created;
  }
  return {};
}

Status RotationPass::judge_due(Turn& turn) {
  if (auto learned = learn_created(turn); !learned) return learned;
  const Policy& policy = turn.policy();
  const PolicyStatus status = deps_.status.latest(policy);
  const auto& labels = turn.view.labels;
  std::optional<engine::Schedule> schedule;
  if (policy.spec.schedule) {
    const auto& spec = *policy.spec.schedule;
    auto parsed = engine::Schedule::parse(spec.expression, spec.time_zone, spec.window);
    if (!parsed) return std::move(parsed).error().with_context("spec.schedule");
    schedule = std::move(parsed).value();
  }
  const Failures failures = abandoned_in_a_row(status);
  engine::DueInput in;
  in.now = deps_.clock.now();
  in.first_seen = first_seen(policy);
  in.schedule = schedule ? &*schedule : nullptr;
  in.identity = turn.arn();
  in.current_created = turn.created.current;
  // Our latest version counts if it is or was current: an attempt that was given up only sets the back-off.
  if (labels.latest == labels.previous) in.latest_created = turn.created.latest;
  in.last_start = labels.latest == labels.current ? turn.created.current : turn.created.latest;
  in.promised = status.next_rotation;
  if (auto requested = parse_rfc3339(policy.rotate_requested_at)) in.rotate_requested = *requested;
  in.floor = turn.gathered.config->min_rotation_interval;
  in.abandoned = failures.last;
  in.failures = failures.count;
  in.suspended = policy.spec.suspend;
  turn.due = engine::is_due(in);
  turn.permit = turn.due.due && !policy.deleted ? engine::next_version(turn.view) : "";
  return {};
}

}  // namespace keyturn::rotation
