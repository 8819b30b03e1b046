#include "controller/rotation/rotation_due.h"

#include <algorithm>

#include "controller/rotation/rotation_record.h"
#include "lib/base/time.h"
#include "lib/engine/schedule.h"

namespace keyturn::rotation {

Result<CreatedTimes> created_times(aws::SecretsManager& secrets, const std::string& arn,
                                   const engine::Labels& labels, const PolicyStatus& status) {
  CreatedTimes created;
  const bool latest_matters = !labels.latest.empty() && labels.latest != labels.current;
  if (status.current_version_id == labels.current && status.current_version_created &&
      !latest_matters) {
    created.current = status.current_version_created;
    return created;
  }
  auto versions = secrets.list_versions(arn, false);
  if (!versions) return std::move(versions).error().with_context("ListSecretVersionIds " + arn);
  for (const auto& version : *versions) {
    if (version.id == labels.current) created.current = version.created;
    if (version.id == labels.latest) created.latest = version.created;
  }
  return created;
}

namespace {

// When that version came, by the later of two clocks: a rotation that we began after a request has
// served it, though AWS's clock be behind ours.
std::optional<WallTime> came(const PolicyStatus& status, const std::string& version_id,
                             std::optional<WallTime> created) {
  for (const auto& entry : status.history) {
    if (created && entry.version_id == version_id) created = std::max(*created, entry.started_at);
  }
  return created;
}

// Our latest version counts if it is or was current: an attempt that was given up only sets the
// back-off.
std::optional<WallTime> latest_came(const PolicyStatus& status, const engine::Labels& labels,
                                    const CreatedTimes& created) {
  if (labels.latest != labels.previous) return std::nullopt;
  return came(status, labels.latest, created.latest);
}

// Whether the status says that the request had its version, or was put aside when nothing was to be
// done for it. Labels alone cannot tell once people have moved them about.
bool served(const std::string& text, WallTime requested, const PolicyStatus& status) {
  bool tried = false;
  for (const auto& entry : status.history) {
    if (entry.outcome == "Succeeded") {
      if (epoch_seconds(entry.started_at) >= epoch_seconds(requested)) return true;
    } else if (!entry.finished_at ||
               epoch_seconds(*entry.finished_at) >= epoch_seconds(requested)) {
      tried = true;
    }
  }
  return !tried && status.last_handled_rotate_request == text;
}

}  // namespace

bool newer_than_current(const std::string& requested_at, const PolicyStatus& status,
                        const engine::Labels& labels, const CreatedTimes& created) {
  const auto requested = parse_rfc3339(requested_at);
  return requested &&
         engine::request_counts(*requested, came(status, labels.current, created.current),
                                latest_came(status, labels, created));
}

bool request_waits(const Policy& policy, const PolicyStatus& status, const engine::Labels& labels,
                   const CreatedTimes& created) {
  const std::string& text = policy.rotate_requested_at;
  return newer_than_current(text, status, labels, created) &&
         !served(text, *parse_rfc3339(text), status);
}

Result<engine::Due> judge_due(const Policy& policy, const PolicyStatus& status,
                              const std::string& arn, const engine::Labels& labels,
                              const CreatedTimes& created, Duration floor, WallTime first_seen,
                              WallTime now) {
  std::optional<engine::Schedule> schedule;
  if (policy.spec.schedule) {
    const auto& spec = *policy.spec.schedule;
    auto parsed = engine::Schedule::parse(spec.expression, spec.time_zone, spec.window);
    if (!parsed) return std::move(parsed).error().with_context("spec.schedule");
    schedule = std::move(parsed).value();
  }
  const Failures failures = abandoned_in_a_row(status);
  engine::DueInput in;
  in.now = now;
  in.first_seen = first_seen;
  in.schedule = schedule ? &*schedule : nullptr;
  in.identity = arn;
  in.current_created = came(status, labels.current, created.current);
  in.latest_created = latest_came(status, labels, created);
  in.last_start = labels.latest == labels.current ? created.current : created.latest;
  in.promised = status.next_rotation;
  if (request_waits(policy, status, labels, created))
    in.rotate_requested = *parse_rfc3339(policy.rotate_requested_at);
  in.floor = floor;
  in.abandoned = failures.last;
  in.failures = failures.count;
  in.suspended = policy.spec.suspend;
  return engine::is_due(in);
}

}  // namespace keyturn::rotation
