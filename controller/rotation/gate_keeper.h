// Gathers what the retirement gate judges: the policies that follow a secret, as their statuses and
// their Secrets' annotations say, and the pods of their namespaces.
//
// A secret is its ARN without the region: a replica's followers count. Policies are found by what
// passes have learned and by what their statuses remember, so that an operator that has just
// started overlooks none. Pods are listed on demand, paged, one namespace after the other, and
// nothing of them is kept. Thread rule: any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/rotation/gate.h"
#include "controller/rotation/owners.h"
#include "controller/rotation/policy.h"
#include "lib/base/clock.h"

namespace keyturn::rotation {

class GateKeeper {
 public:
  struct Deps {
    kube::Client& client;
    const Owners& owners;
    std::function<void(const std::function<void(const Policy&)>&)> for_each_policy;
    std::function<PolicyStatus(const Policy&)> status;
    // Whether the access rules let that policy use the secret of its status.
    std::function<bool(const Policy&)> allowed;
    // Whether that target holds the version and nobody edited it.
    std::function<bool(const Policy&, const TargetSpec&, const std::string& arn,
                       const std::string& version_id)>
        in_sync;
    Clock& clock;
  };
  explicit GateKeeper(Deps deps) : deps_(std::move(deps)) {}

  struct Question {
    std::string arn, version_id;  // the secret and its current version
    std::string asker;  // the policy that wants to revoke: it counts though it be deleted meanwhile
    RetireAfter after = RetireAfter::Rollout;
    Duration propagation{0};
    // A leak drill, and since when it waits: what the policies say is waited for, no pod is; and a
    // policy that is behind for longer than its rollout.timeout, or whose roll-out failed, timed
    // out or is held back, is not waited for any more.
    std::optional<WallTime> drill_since{};
    // The asker's status with what its pass has done, where that is not stored yet; and whether
    // that pass has just synced the targets itself, which the watch may not show yet.
    std::optional<PolicyStatus> own{};
    bool just_synced = false;
  };
  // Errors: pods cannot be listed.
  Result<GateVerdict> ask(const Question& question) const;

 private:
  std::vector<FollowerView> followers(const Question& question) const;
  FollowerView view(const Policy& policy, bool allowed, const Question& question) const;
  Status look_at_pods(const std::string& ns, const WrittenSecrets& secrets,
                      const Question& question, GateVerdict& verdict) const;

  Deps deps_;
};

}  // namespace keyturn::rotation
