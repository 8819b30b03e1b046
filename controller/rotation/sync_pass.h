// The sync lane's pass: brings a policy's target Secrets to the current version, and only that. It
// never writes to AWS.
//
// Reads nothing from AWS while everything is in sync; one GetSecretValue by version id (two with
// `previous`) when something is not, shared by all policies of the same identity that follow the
// secret. Thread rule: any thread; one policy's targets are written by one thread at a time.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/kube/events.h"
#include "controller/rotation/gather.h"
#include "controller/rotation/metrics.h"
#include "controller/rotation/status.h"
#include "controller/rotation/target_sync.h"
#include "controller/runtime/lanes.h"
#include "lib/engine/engine.h"
#include "lib/engine/labels.h"

namespace keyturn::rotation {

// What happened to each target.
struct SyncReport {
  struct Target {
    std::string name;
    bool in_sync = false;
    bool wrote = false;
    std::string replaced;  // the version that it held before; "" when none of ours
    std::optional<Error> error;
  };
  std::string version_id;
  std::vector<Target> targets;

  bool wrote() const;  // any of them
  const Error* first_error() const;
  const Error* retryable_error() const;  // an error that time may mend
};

// What events are about.
kube::ObjectReference reference(const Policy& policy);

class SyncPass {
 public:
  struct Deps {
    const PolicyInformer& policies;
    Gatherer& gatherer;
    TargetSync& targets;
    StatusBoard& status;
    Owners& owners;
    SecretKnowledge& knowledge;
    kube::EventRecorder& events;
    Metrics& metrics;
    Clock& clock;
    std::function<void(const std::string& key)> wake_rotation;
  };
  explicit SyncPass(Deps deps) : deps_(std::move(deps)) {}

  runtime::Outcome run(const runtime::Key& key);

  // What is written beside targets that are not in sync: nothing, those whose policy changed since
  // they were written (the sync lane's own passes), or all.
  enum class Also { Nothing, ChangedSpecs, All };
  // Used by the rotation lane too, with the value it holds. `values` reads what is missing.
  SyncReport sync_targets(const Policy& policy, const AwsAccess& access,
                          const aws::SecretMetadata& secret, const engine::Labels& labels,
                          engine::Pass& values, Also also);
  // True when every target carries the version and nobody edited it; no I/O. Changes of the spec
  // are the sync lane's matter.
  bool in_sync(const Policy& policy, const std::string& arn, const std::string& version_id) const;
  bool in_sync(const Policy& policy, const TargetSpec& target, const std::string& arn,
               const std::string& version_id) const;
  // Writes the outcome into the status (condition Synced, targets).
  static void report_to(PolicyStatus& status, const Policy& policy, const SyncReport& report,
                        WallTime now);

  // To be called in every update of the status that learns the current version: an event when
  // somebody put another version in place of ours.
  void tell_change(const PolicyStatus& status, const Policy& policy, const std::string& arn,
                   const engine::Labels& labels) const;

  // A version became current just now (our move, or a change noticed): where the sync lag starts.
  void noticed(const std::string& arn);
  // The next pass renders again even if versions agree (AWSPREVIOUS moved).
  void force_next(const std::string& key);

 private:
  bool sync_asked(const Policy& policy) const;
  runtime::Outcome finish_problem(const Policy& policy, const Problem& problem);
  runtime::Outcome sync_gathered(const Gathered& gathered);
  void sync_followers(const Gathered& gathered, const aws::SecretMetadata& secret,
                      const engine::Labels& labels, engine::Pass& values);
  Status fetch(const AwsAccess& access, const std::string& arn, const std::string& version_id,
               engine::Pass& values, bool must_be_current);
  SyncReport::Target sync_target(const Policy& policy, const TargetSpec& target,
                                 const AwsAccess& access, const std::string& arn,
                                 const engine::Labels& labels, engine::Pass& values, Also also);
  bool spec_written(const Policy& policy) const;
  bool rolls_out(const Policy& policy) const;
  void observe_lag(const std::string& arn, const std::string& target);
  bool rotation_must_hear(const Policy& policy, const aws::StagesByVersion& stages,
                          const SyncReport& report);
  bool take_force(const std::string& key);

  static constexpr std::size_t kStripes = 64;
  Deps deps_;
  std::array<std::mutex, kStripes> stripes_;
  // What the rotation lane decides from, when it was last told of a failure that is tried again.
  struct Told {
    std::string uid;
    std::int64_t generation = 0;
    std::array<std::string, 3> requests;
    aws::StagesByVersion stages;
    bool operator==(const Told&) const = default;
  };
  std::mutex mutex_;  // guards the three below
  struct Noticed {
    MonoTime at{};
    std::set<std::string> observed;  // targets whose lag is counted
  };
  std::unordered_map<std::string, Noticed> noticed_;  // by ARN
  std::map<std::string, bool> forced_;
  std::map<std::string, Told> told_;
};

}  // namespace keyturn::rotation
