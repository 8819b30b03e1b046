// How a rotation shows in the policy's status: under way, finished, abandoned. Pure.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "controller/rotation/policy.h"
#include "lib/engine/engine.h"
#include "lib/engine/plan.h"
#include "lib/engine/strategy.h"

namespace keyturn::rotation {

inline constexpr std::string_view kRollbackTrigger = "rollback";

// The beginning of a version id, for people.
std::string short_id(const std::string& version_id);

// A rotation is under way at `step`; started_at stays if it is the same version. What is still done
// for an attempt that ended (its credential revoked, a label dropped) leaves the history alone.
void record_step(PolicyStatus& status, const StrategySpec& strategy, const std::string& version_id,
                 engine::Step step, const std::string& message, const std::string& trigger,
                 WallTime now);
// What follows once the new version is current (rollout, retire): shown, but nothing for the
// history.
void record_aftermath(PolicyStatus& status, const StrategySpec& strategy,
                      const std::string& version_id, engine::Step step, const std::string& message,
                      WallTime now);
// Nothing is under way any more. An attempt that another process ended goes into the history.
void record_rest(PolicyStatus& status, const std::string& current, WallTime now);
// "schedule", "request", "rollback": what started the rotation that made this version; "" when the
// history does not say.
std::string trigger_of(const PolicyStatus& status, const std::string& version_id);
// The attempt ended: into the history, out of status.rotation. outcome: "Succeeded", "Abandoned"
// (given up), "Failed" (refused before anything was put). Told again it changes nothing: the
// back-off counts from the first time.
void record_end(PolicyStatus& status, const std::string& version_id, const std::string& outcome,
                WallTime now);

// Abandoned attempts in a row, newest first, and when the newest ended: what the back-off is made
// from.
struct Failures {
  int count = 0;
  std::optional<WallTime> last;
};
Failures abandoned_in_a_row(const PolicyStatus& status);

// Somebody put another version where ours stood, since this status was written.
bool changed_outside(const PolicyStatus& status, const std::string& arn,
                     const engine::Labels& labels);
// What to tell people of that: what became of our credential, and how it is ended.
std::string outside_change(const engine::Traits& traits, const Policy& policy,
                           const engine::Labels& labels);

}  // namespace keyturn::rotation
