// RotationPolicy (keyturn.dev/v1alpha1) as the operator holds it: parsed, validated, compact
// (10,000 of them live in memory).
//
// The CRD (crds/) is the source of truth for names, defaults and bounds; parse_policy() enforces
// the same rules with the same messages, for objects that slipped past the server. A test compares
// both field by field. Thread rule: immutable once parsed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/boxed.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

struct IdentityRef {
  std::string service_account_name;  // one of these two, or neither (the operator's own)
  std::string secret_ref_name;
  std::string role_arn;  // optional, assumed on top
  std::string external_id;
  bool is_operator() const { return service_account_name.empty() && secret_ref_name.empty(); }
  friend bool operator==(const IdentityRef&, const IdentityRef&) = default;
};

struct StrategySpec {
  std::string name;     // the one key of spec.strategy
  std::string options;  // its value, as compact JSON text
  friend bool operator==(const StrategySpec&, const StrategySpec&) = default;
};

struct ScheduleSpec {
  std::string expression;
  std::string time_zone;
  std::optional<Duration> window;
};

enum class DeletionPolicy { Retain, Delete };

struct TargetSpec {
  std::string name;
  std::string type = "Opaque";
  bool has_data = false;  // false: the default mapping
  std::vector<std::pair<std::string, std::string>>
      data;  // Secret key → template text, sorted by key
  std::map<std::string, std::string> labels, annotations;
  DeletionPolicy deletion_policy = DeletionPolicy::Retain;
  bool adopt = false;
};

enum class Restart { None, Auto, Listed };
enum class OnFailure { Hold, Rollback };
struct WorkloadRef {
  std::string kind, name;
  friend auto operator<=>(const WorkloadRef&, const WorkloadRef&) = default;
};
struct RolloutSpec {
  Restart restart = Restart::None;
  std::vector<WorkloadRef> workloads;
  Duration timeout{900'000};
  bool reloads_volumes = false;
  OnFailure on_failure = OnFailure::Hold;
};

enum class RetireAfter { Rollout, Sync, Immediately };
struct RetirementSpec {
  RetireAfter after = RetireAfter::Rollout;
  Duration grace_period{7'200'000};
};

struct PolicySpec {
  std::string secret_id;
  std::string region;  // as written, else the one in secretId's ARN, else "": the operator's
  Boxed<IdentityRef> other_identity;  // empty: the operator's own
  StrategySpec strategy;
  Boxed<ScheduleSpec> schedule;
  bool suspend = false;
  Duration refresh_interval{3'600'000};
  std::vector<TargetSpec> targets;
  RolloutSpec rollout;
  RetirementSpec retirement;

  const IdentityRef& identity() const;
};

// ---- status: what the operator writes and reads back (never the truth about rotation: that is in
// Secrets Manager) ----

struct Condition {
  std::string type, status, reason, message;
  WallTime last_transition{};
  std::int64_t observed_generation = 0;
  friend bool operator==(const Condition&, const Condition&) = default;
};
struct RotationStatus {
  std::string version_id, strategy, step, message;
  std::string options;  // of the strategy, as StrategySpec::options; empty: none
  WallTime started_at{};
  friend bool operator==(const RotationStatus&, const RotationStatus&) = default;
};
struct RetiringStatus {
  std::string version_id, waiting_for;
  WallTime since{};
  std::optional<WallTime> earliest;
  friend bool operator==(const RetiringStatus&, const RetiringStatus&) = default;
};
struct HistoryEntry {
  std::string version_id, outcome, trigger;
  WallTime started_at{};
  std::optional<WallTime> finished_at;
  friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};
struct TargetStatus {
  std::string name, version_id, rolled_out_version_id;
  std::optional<WallTime> synced_at;
  friend bool operator==(const TargetStatus&, const TargetStatus&) = default;
};
struct PolicyStatus {
  std::int64_t observed_generation = 0;
  std::vector<Condition> conditions;  // sorted by type
  std::string strategy;  // the key of spec.strategy, for the Strategy column: JSONPath cannot print
                         // the name of a key
  std::string secret_arn, current_version_id;
  std::optional<WallTime> current_version_created, last_rotation, next_rotation;
  Boxed<RotationStatus> rotation;
  Boxed<RetiringStatus> retiring;
  std::vector<HistoryEntry> history;
  std::vector<TargetStatus> targets;
  std::string last_handled_rotate_request, last_handled_sync_request;
  std::string last_handled_rollback_request, last_handled_revoke_request;

  const Condition* condition(std::string_view type) const;
  friend bool operator==(const PolicyStatus&, const PolicyStatus&) = default;
};

struct Policy {
  std::string ns, name, uid, resource_version;
  std::int64_t generation = 0;
  WallTime created{};
  std::optional<WallTime> deleted;  // deletionTimestamp
  bool has_finalizer = false;       // ours: kFinalizer
  std::vector<std::string> foreign_finalizers;
  // Annotations, as written.
  std::string rotate_requested_at, sync_requested_at, rollback_requested_at, revoke_requested_at;
  PolicySpec spec;
  Boxed<Error>
      invalid;  // spec cannot work: the condition's reason and message. spec is then partial.
  PolicyStatus status;

  std::string key() const { return ns + "/" + name; }
};

// The strategy at work: the one that began, with its options, until what it began is over
// (status.rotation), else the spec's. The kind in the spec counts between rotations only.
StrategySpec strategy_at_work(const Policy& policy, const PolicyStatus& status);
bool rotates(const Policy& policy, const PolicyStatus& status);

inline constexpr const char* kGroup = "keyturn.dev";
inline constexpr const char* kFinalizer = "keyturn.dev/rotation";
inline constexpr const char* kRotateRequested = "keyturn.dev/rotate-requested-at";
inline constexpr const char* kSyncRequested = "keyturn.dev/sync-requested-at";
inline constexpr const char* kRollbackRequested = "keyturn.dev/rollback-requested-at";
inline constexpr const char* kRevokeRequested = "keyturn.dev/revoke-requested-at";
inline constexpr const char* kManagedLabel = "keyturn.dev/managed";
inline constexpr const char* kPolicyAnnotation = "keyturn.dev/policy";
inline constexpr const char* kSecretArnAnnotation = "keyturn.dev/secret-arn";
inline constexpr const char* kVersionIdAnnotation = "keyturn.dev/version-id";

// Error only when it is no RotationPolicy object at all; a bad spec is Policy::invalid, so that it
// can be reported on the object.
Result<Policy> parse_policy(const nlohmann::json& object);

// Everything that is wrong with the object, one a line, "spec.region: …"; parse_policy() puts them
// into one message. `keyturn validate`.
std::vector<std::string> policy_problems(const nlohmann::json& object);

// status as JSON (camelCase as in the CRD), for the apply of the status subresource.
nlohmann::json status_json(const PolicyStatus& status);

}  // namespace keyturn::rotation
