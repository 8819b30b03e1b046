// Is a rotation due? Pure: a trigger (a request, the schedule) names a time, and a chain of checks
// may hold it back.
//
// Rules (design of schedules and requests):
//  - The schedule counts from the newest CreatedDate of the current version and of the latest one
//  that Keyturn wrote, if that is or was
//    current: a change made by hand counts as a rotation, a rollback does not trigger one.
//  - What is already overdue when first seen is spread over one window from then; a time that was
//  promised in status.nextRotationTime is kept.
//  - A request counts if it is newer than the current version by whole seconds; one in the future
//  is waited for. A request that has
//    to wait is deferred and shown, never dropped.
//  - An attempt that was given up only sets the back-off; a request newer than that attempt ends
//  it.
//  - No rotation starts within the floor of the last start.
//
// Thread rule: pure functions on plain values. Wall time only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/engine/schedule.h"

namespace keyturn::engine {

enum class Trigger { None, Schedule, Request };
std::string_view to_string(Trigger trigger);  // "", "schedule", "request": for history

struct DueInput {
  WallTime now{};
  WallTime first_seen{};  // when this process first looked at the policy in its present form
  const Schedule* schedule = nullptr;  // null: only on request
  std::string identity;                // for spreading: the secret's ARN
  std::optional<WallTime>
      current_created;  // CreatedDate of AWSCURRENT; absent: the secret has no value yet
  std::optional<WallTime> latest_created;    // of KEYTURN_LATEST, if it is or was current
  std::optional<WallTime> promised;          // status.nextRotationTime
  std::optional<WallTime> rotate_requested;  // the annotation
  std::optional<WallTime> last_start;  // CreatedDate of KEYTURN_LATEST whatever became of it: start
                                       // of the last rotation
  Duration floor{900'000};             // minRotationInterval
  std::optional<WallTime>
      abandoned;  // when the last attempt began, if it was given up since the current version came
  int failures = 0;  // attempts given up in a row, at least 1 with `abandoned`
  bool suspended = false;
};

struct Due {
  bool due = false;
  Trigger trigger = Trigger::None;  // of the rotation that is due, or of the next one
  std::optional<WallTime>
      next;               // earliest start known; absent: only a change or a request brings it
  bool deferred = false;  // its time has come, but a check holds it back
  std::string reason;     // CamelCase: Due, Scheduled, Requested, NoSchedule, Suspended,
                          // MinRotationInterval, BackingOff
  std::string message;    // for people, a complete sentence
};

Due is_due(const DueInput& in);

// How long to wait after the n-th attempt in a row that was given up: the floor, doubled each time,
// at most 24 floors (6 h by default).
Duration back_off(Duration floor, int failures);

// Whether a rotate request counts against a current version created then, and against the latest
// one where that is or was current (whole seconds; no version: yes).
bool request_counts(WallTime requested, std::optional<WallTime> current_created,
                    std::optional<WallTime> latest_created);

}  // namespace keyturn::engine
