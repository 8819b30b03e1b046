// The policy's status: pure helpers that change a PolicyStatus, and the board that publishes it.
//
// Conditions follow KEP-1623 and kstatus: Ready, Synced and RolledOut always present; Reconciling
// and Stalled only while true. lastTransitionTime moves only when the status flips; nothing is
// written when nothing changed.
//
// Thread rule: the helpers are pure; StatusBoard from any thread (two lanes work on one policy).
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "controller/kube/client.h"
#include "controller/rotation/policy.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kSynced = "Synced";
inline constexpr std::string_view kRolledOut = "RolledOut";
inline constexpr std::string_view kReconciling = "Reconciling";
inline constexpr std::string_view kStalled = "Stalled";

void set_condition(PolicyStatus& status, std::string_view type, std::string_view value,
                   std::string_view reason, std::string_view message, WallTime now,
                   std::int64_t generation);
void remove_condition(PolicyStatus& status, std::string_view type);

// Something stands in the way of the whole policy. `stalled`: until a person changes something.
// While Stalled tells of a credential that may be inactive, whatever else there is goes beside it,
// into Reconciling.
void set_problem(PolicyStatus& status, const Error& error, bool stalled, WallTime now,
                 std::int64_t generation);
void clear_problem(PolicyStatus& status);
// It tells of a current credential that may be inactive (engine::kCredentialInactive): over when
// that is seen to work, whatever else changes.
bool told_inactive(const PolicyStatus& status);
// The condition that tells of this problem; null: none does.
const Condition* told_problem(const PolicyStatus& status, std::string_view reason);

// Ready from the others; call last. Ready is True when nothing is wrong and the targets hold the
// current value (a rotation under way does not make it False: the old value works).
void conclude(PolicyStatus& status, WallTime now, std::int64_t generation);

// Newest first, at most 10; an entry of the same version is replaced.
void add_history(PolicyStatus& status, HistoryEntry entry);

class StatusBoard {
 public:
  // `in_store`: the policy as the watch shows it now. A pass holds an older one, and must not write
  // from its status.
  using Lookup = std::function<std::shared_ptr<const Policy>(const std::string& key)>;
  StatusBoard(kube::Client& client, Clock& clock, Lookup in_store)
      : client_(client), clock_(clock), in_store_(std::move(in_store)) {}

  // Applies `change` to the newest status known, then conclude(), and writes it if that changed
  // anything. Updates of one policy are serialized.
  Status update(const Policy& policy,
                const std::function<void(PolicyStatus&, WallTime now)>& change);
  // The newest status known: ours, if the watch has not shown it yet.
  PolicyStatus latest(const Policy& policy) const;

  // From the informer.
  void observed(const Policy& policy);
  void forget(const std::string& key);

 private:
  struct Pending {
    PolicyStatus status;
    std::string resource_version;  // of the write that brought it; empty: not written yet
    std::string uid;
  };
  static constexpr std::size_t kStripes = 64;
  std::mutex& stripe(const std::string& key) {
    return stripes_[std::hash<std::string>{}(key) % kStripes];
  }
  Status publish(const Policy& policy, const PolicyStatus& status);

  kube::Client& client_;
  Clock& clock_;
  const Lookup in_store_;
  std::array<std::mutex, kStripes> stripes_;  // one writer a policy
  mutable std::mutex mutex_;                  // guards pending_
  std::unordered_map<std::string, Pending> pending_;
};

}  // namespace keyturn::rotation
