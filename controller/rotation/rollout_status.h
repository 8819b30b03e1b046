// What the policy's status says of its roll-out, and what a roll-out reads from it: the status is
// its only memory.
//
// A target whose rolledOutVersionId is another than its versionId is to be rolled out; absent means
// that there is nothing to do (the Secret was written for the first time or adopted, or the policy
// restarts nothing). The condition RolledOut is False from the write of a version that replaced
// another until its workloads run with it; its lastTransitionTime while False is when this
// roll-out began, or, where its restarts came later than that by a minute, when they did: one
// write of the status less in each rotation. Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/rotation/policy.h"

namespace keyturn::rotation {

struct PendingTarget {
  std::string secret, version_id;
  WallTime written{};  // when the version was put into the Secret; whole seconds, rounded down
};

// Targets of the spec that hold status.currentVersionId and whose workloads do not run with it yet.
std::vector<PendingTarget> pending_targets(const Policy& policy, const PolicyStatus& status);

enum class RolloutPhase {
  Done,      // every workload runs with the version
  HeldBack,  // all that Kubernetes will replace by itself does; some pods wait for a person
  Pending,   // nothing restarted yet: what was written may not have reached every node
  Waiting,   // restarted, not yet available
  TimedOut,  // and for longer than rollout.timeout
};

struct RolloutReport {
  RolloutPhase phase = RolloutPhase::Done;
  std::string message;     // for people: each workload and how far it is
  Duration look_again{0};  // with Pending, Waiting, TimedOut, HeldBack
  int restarted = 0;       // by this pass
  int postponed = 0;       // left to a later pass
  std::string version_id;  // of the roll-out
  // Nothing is left that a retirement after a roll-out would wait for.
  bool over() const { return phase == RolloutPhase::Done || phase == RolloutPhase::HeldBack; }
  // Every workload has been told to restart.
  bool told() const { return phase != RolloutPhase::Pending && postponed == 0; }
};

inline constexpr std::string_view kRolloutTimedOut = "RolloutTimedOut";
inline constexpr std::string_view kHeldBack = "HeldBack";
inline constexpr std::string_view kRolloutFailed = "RolloutFailed";

// The sync lane has written `target` of a policy: `replaced` is the version that the Secret held
// before ("": none of ours). Called with the entry as it was before.
void note_written(const Policy& policy, TargetStatus& entry, const std::string& version_id,
                  const std::string& replaced);
// After all targets were noted: the condition follows.
void note_targets(PolicyStatus& status, const Policy& policy, bool new_version, WallTime now);
// What a pass of the roll-out found.
void note_rollout(PolicyStatus& status, const Policy& policy, const RolloutReport& report,
                  WallTime now);
// The API server refused to show or restart the workloads.
void note_failure(PolicyStatus& status, const Policy& policy, const Error& error, WallTime now);

// When the roll-out that is under way began.
std::optional<WallTime> rollout_began(const PolicyStatus& status);

}  // namespace keyturn::rotation
