// The retirement gate: whether anybody can still hold the old value. Pure; the gatherer
// (gate_keeper.h) brings the observations.
//
// It opens when every policy that follows the secret has written its targets and restarted its
// workloads, and no running container can have read an older value. A container holds what it read
// when it started. Facts: the kubelet resolves env at the start of a container; it refreshes
// mounted Secrets of a running pod within a minute and its cache's delay (two minutes here), files
// mounted by subPath never; a container that restarts in an old pod finds what the volume holds
// then. What an init container read may live on in the pod's files. A node starts containers before
// it reports them: a pod that it was given before the new value had spread counts until the node
// says what became of the container. Thread rule: pure functions on plain values.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controller/rotation/policy.h"

namespace keyturn::rotation {

// How a kept up target looks from the gate.
struct FollowedTarget {
  std::string secret;
  bool ever_synced = false;
  bool in_sync = false;     // holds the current version
  bool rolled_out = false;  // no restart of its workloads is still to come or under way
  // Why it is not waited for though it is behind: "RolloutTimedOut". "" when it is.
  std::string given_up{};
  WallTime written{};  // with in_sync: when; whole seconds, rounded down
};

// One policy that follows the secret.
struct FollowerView {
  std::string ns, name;
  bool allowed = true;           // access rules let it
  bool reloads_volumes = false;  // spec.rollout.reloadsVolumes
  std::vector<FollowedTarget> targets;
  std::string text() const { return "RotationPolicy " + ns + "/" + name; }
};

struct GateVerdict {
  bool open = false;
  std::vector<std::string> waiting_for;  // policies, then pods, by name
  std::vector<std::string> ignored;      // policies that never worked or may not: they block nobody
  // For people: "Pod shop/batch (app: env), RotationPolicy reports/x (not synced)"; "" when open.
  std::string text() const;
  // For people: "; not waited for: RotationPolicy dev/x (no access rule)"; "" when nobody is left
  // out.
  std::string left_out() const;
};

// What the policies say. Open here still needs the pods when `after` is Rollout.
GateVerdict judge_followers(const std::vector<FollowerView>& followers, RetireAfter after);

// A Secret as the pods of its namespace may have read it.
struct WrittenSecret {
  WallTime written{};
  bool reloads_volumes = false;
};
using WrittenSecrets = std::map<std::string, WrittenSecret>;  // by name

// When everything that was written has spread: no container that starts from then on reads an older
// value.
std::optional<WallTime> all_spread(const std::vector<FollowerView>& followers,
                                   Duration propagation);

// Why this pod may hold an older value: "app: env", "app: env, not reported by its node". "" when
// it cannot.
std::string may_hold(const nlohmann::json& pod, const WrittenSecrets& secrets, Duration propagation,
                     WallTime now);

// status.retiring: since and waitingFor while it waits; since and earliest once the gate is open
// and the grace period runs.
void note_retiring(PolicyStatus& status, const std::string& version_id, const GateVerdict& verdict,
                   Duration grace, WallTime now);
bool grace_over(const PolicyStatus& status, const std::string& version_id, WallTime now);

}  // namespace keyturn::rotation
