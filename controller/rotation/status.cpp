#include "controller/rotation/status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/rollout_status.h"
#include "controller/rotation/target_sync.h"
#include "lib/engine/engine.h"

namespace keyturn::rotation {
namespace {

constexpr std::size_t kHistoryLength = 10;
constexpr std::size_t kMessageLength = 1024;

// Times are written in whole seconds; comparing finer ones with what came back would never settle.
WallTime whole_seconds(WallTime t) { return std::chrono::floor<std::chrono::seconds>(t); }

}  // namespace

void set_condition(PolicyStatus& status, std::string_view type, std::string_view value,
                   std::string_view reason, std::string_view message, WallTime now,
                   std::int64_t generation) {
  auto& all = status.conditions;
  auto it = std::lower_bound(all.begin(), all.end(), type,
                             [](const Condition& c, std::string_view t) { return c.type < t; });
  if (it == all.end() || it->type != type) {
    it = all.insert(it, Condition{});
    it->type = type;
  }
  if (it->status != value) it->last_transition = whole_seconds(now);
  it->status = value;
  it->reason = reason;
  it->message = message.substr(0, kMessageLength);
  it->observed_generation = generation;
}

void remove_condition(PolicyStatus& status, std::string_view type) {
  std::erase_if(status.conditions, [&](const Condition& c) { return c.type == type; });
}

void set_problem(PolicyStatus& status, const Error& error, bool stalled, WallTime now,
                 std::int64_t generation) {
  const std::string reason = error.code.empty() ? "Error" : error.code;
  if (told_inactive(status) && reason != engine::kCredentialInactive) {
    stalled = false;
  } else {
    remove_condition(status, stalled ? kReconciling : kStalled);
  }
  set_condition(status, stalled ? kStalled : kReconciling, "True", reason, error.message, now,
                generation);
}

bool told_inactive(const PolicyStatus& status) {
  const Condition* stalled = status.condition(kStalled);
  return stalled && stalled->reason == engine::kCredentialInactive;
}

const Condition* told_problem(const PolicyStatus& status, std::string_view reason) {
  for (const auto type : {kStalled, kReconciling}) {
    const Condition* told = status.condition(type);
    if (told && told->reason == reason) return told;
  }
  return nullptr;
}

void clear_problem(PolicyStatus& status) {
  remove_condition(status, kStalled);
  remove_condition(status, kReconciling);
}

void conclude(PolicyStatus& status, WallTime now, std::int64_t generation) {
  status.observed_generation = generation;
  if (!status.condition(kSynced))
    set_condition(status, kSynced, "Unknown", "Pending", "not looked at yet", now, generation);
  if (!status.condition(kRolledOut)) {
    set_condition(status, kRolledOut, "True", "NotRequested", "this policy restarts no workloads",
                  now, generation);
  }
  // Copies: adding Ready moves the others.
  const Condition synced = *status.condition(kSynced);
  const Condition* problem = status.condition(kStalled);
  if (!problem) problem = status.condition(kReconciling);
  if (problem) {
    const Condition why = *problem;
    set_condition(status, kReady, "False", why.reason, why.message, now, generation);
  } else if (synced.status != "True") {
    set_condition(status, kReady, synced.status, synced.reason, synced.message, now, generation);
  } else if (const Condition rolled_out = *status.condition(kRolledOut);
             rolled_out.reason == kRolloutTimedOut || rolled_out.reason == kRolloutFailed) {
    set_condition(status, kReady, "False", rolled_out.reason, rolled_out.message, now, generation);
  } else {
    set_condition(status, kReady, "True", "Synced", synced.message, now, generation);
  }
}

void add_history(PolicyStatus& status, HistoryEntry entry) {
  std::erase_if(status.history,
                [&](const HistoryEntry& e) { return e.version_id == entry.version_id; });
  entry.started_at = whole_seconds(entry.started_at);
  if (entry.finished_at) entry.finished_at = whole_seconds(*entry.finished_at);
  status.history.insert(status.history.begin(), std::move(entry));
  if (status.history.size() > kHistoryLength) status.history.resize(kHistoryLength);
}

PolicyStatus StatusBoard::latest(const Policy& policy) const {
  {
    const std::lock_guard lock(mutex_);
    const auto it = pending_.find(policy.key());
    if (it != pending_.end() && it->second.uid == policy.uid) return it->second.status;
  }
  // Pending entries go when the store shows them, so the store is as new as anything we wrote.
  const auto stored = in_store_(policy.key());
  return stored && stored->uid == policy.uid ? stored->status : policy.status;
}

Status StatusBoard::update(const Policy& policy,
                           const std::function<void(PolicyStatus&, WallTime)>& change) {
  const std::string key = policy.key();
  const std::lock_guard serial(stripe(key));
  const PolicyStatus before = latest(policy);
  bool unwritten = false;
  {
    const std::lock_guard lock(mutex_);
    const auto it = pending_.find(key);
    unwritten =
        it != pending_.end() && it->second.uid == policy.uid && it->second.resource_version.empty();
  }
  PolicyStatus next = before;
  const WallTime now = clock_.now();
  change(next, now);
  next.strategy = policy.spec.strategy.name;
  conclude(next, now, policy.generation);
  if (next == before && !unwritten) return {};
  {
    const std::lock_guard lock(mutex_);
    pending_[key] = Pending{next, "", policy.uid};
  }
  return publish(policy, next);
}

Status StatusBoard::publish(const Policy& policy, const PolicyStatus& status) {
  const nlohmann::json object = {
      {"apiVersion", "keyturn.dev/v1alpha1"},
      {"kind", "RotationPolicy"},
      {"metadata", {{"name", policy.name}, {"namespace", policy.ns}, {"uid", policy.uid}}},
      {"status", status_json(status)}};
  auto reply = client_.apply(kube::kRotationPolicies, policy.ns, object,
                             {.subresource = "status", .metadata_only_reply = true});
  if (!reply) {
    // Deleted, or deleted and made again: whoever comes next starts from its own status.
    if (reply.error().cls == ErrorClass::NotFound || reply.error().cls == ErrorClass::Conflict) {
      forget(policy.key());
      return {};
    }
    return std::move(reply).error().with_context("status of RotationPolicy " + policy.key());
  }
  {
    const std::lock_guard lock(mutex_);
    const auto it = pending_.find(policy.key());
    if (it == pending_.end()) return {};
    it->second.resource_version = reply->at("metadata").value("resourceVersion", std::string("0"));
  }
  // The watch may have been faster than the reply, and shows it no second time.
  if (const auto stored = in_store_(policy.key())) observed(*stored);
  return {};
}

void StatusBoard::observed(const Policy& policy) {
  const std::lock_guard lock(mutex_);
  const auto it = pending_.find(policy.key());
  if (it == pending_.end()) return;
  const Pending& pending = it->second;
  const bool other_object = pending.uid != policy.uid;
  const bool caught_up =
      !pending.resource_version.empty() &&
      !resource_version_before(policy.resource_version, pending.resource_version);
  if (other_object || caught_up) pending_.erase(it);
}

void StatusBoard::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  pending_.erase(key);
}

}  // namespace keyturn::rotation
