// Rolls a new version out: restarts the workloads that read a policy's targets and sees whether
// they became available. One call is one bounded pass; it never waits.
//
// A workload is restarted when the value has had `propagation` to reach every node, once for each
// version (the template's annotation says for which it was restarted, so a restart of the operator
// restarts nothing; one whose annotation somebody takes away is restarted twice at most, and then
// waited for in vain until the time-out says so). Secrets of other policies that are about to
// restart the same workload are waited for a little, and then named in the same apply. Workloads
// are read on demand: all of the namespace to find those to restart, then only those that are
// waited for, and all once more at the end. Thread rule: any thread; one policy is in one worker's
// hands at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/rotation/gather.h"
#include "controller/rotation/managed_secret.h"
#include "controller/rotation/policy.h"
#include "controller/rotation/rollout_status.h"
#include "controller/rotation/workloads.h"
#include "lib/base/clock.h"

namespace keyturn::rotation {

class Rollout {
 public:
  struct Deps {
    const Workloads& workloads;
    // For neighbours: the policy and the managed Secret of that key, and a policy's newest status.
    std::function<PolicyPtr(const std::string& key)> policy;
    std::function<std::shared_ptr<const ManagedSecret>(const std::string& key)> secret;
    std::function<PolicyStatus(const Policy&)> status;
    Clock& clock;
  };
  explicit Rollout(Deps deps) : deps_(std::move(deps)) {}

  // `status`: the policy's, with what this very pass has written. Errors are the API server's;
  // everything else is in the report.
  Result<RolloutReport> advance(const Policy& policy, const PolicyStatus& status,
                                Duration propagation);
  void forget(const std::string& policy_key);

 private:
  struct Pass;
  struct Watched {
    std::string what;  // the pending targets and versions
    std::vector<WorkloadRef> refs;
    std::map<WorkloadRef, int> restarts;  // ours; more than one means that somebody undoes them
    WallTime since{};                     // of our last restart, else of the first look
  };
  Result<std::vector<Workload>> find(const Pass& pass);
  Status move(Pass& pass, const Workload& workload);
  Status move_all(Pass& pass, const Result<std::vector<Workload>>& found);
  static void name_missing(Pass& pass, const std::vector<Workload>& found);
  Status restart(Pass& pass, const Workload& workload);
  // Secrets of others that the same restart can serve; sets pass.defer_until when one is worth
  // waiting for.
  void add_neighbours(Pass& pass, const Workload& workload, RestartMarks& marks) const;
  Watched watched(const Pass& pass) const;
  static bool timed_out(const Pass& pass, WallTime began);
  RolloutReport conclude(Pass& pass);

  Deps deps_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Watched> watched_;  // by policy; losing it costs a list
};

}  // namespace keyturn::rotation
