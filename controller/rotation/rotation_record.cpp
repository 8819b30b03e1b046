#include "controller/rotation/rotation_record.h"

#include <algorithm>

#include "controller/rotation/status.h"

namespace keyturn::rotation {
namespace {

WallTime whole_seconds(WallTime t) { return std::chrono::floor<std::chrono::seconds>(t); }

const HistoryEntry* entry_of(const PolicyStatus& status, const std::string& version_id) {
  const auto entry =
      std::find_if(status.history.begin(), status.history.end(),
                   [&](const HistoryEntry& e) { return e.version_id == version_id; });
  return entry == status.history.end() ? nullptr : &*entry;
}

RotationStatus begun_by(const StrategySpec& strategy, const std::string& version_id,
                        engine::Step step, const std::string& message) {
  RotationStatus rotation;
  rotation.version_id = version_id;
  rotation.strategy = strategy.name;
  if (strategy.options != "{}") rotation.options = strategy.options;
  rotation.step = engine::to_string(step);
  rotation.message = message;
  return rotation;
}

}  // namespace

std::string short_id(const std::string& version_id) { return version_id.substr(0, 8); }

void record_aftermath(PolicyStatus& status, const StrategySpec& strategy,
                      const std::string& version_id, engine::Step step, const std::string& message,
                      WallTime now) {
  const bool same = status.rotation && status.rotation->version_id == version_id;
  const HistoryEntry* entry = entry_of(status, version_id);
  RotationStatus rotation = begun_by(strategy, version_id, step, message);
  rotation.started_at = same    ? status.rotation->started_at
                        : entry ? entry->started_at
                                : whole_seconds(now);
  status.rotation = std::move(rotation);
}

void record_rest(PolicyStatus& status, const std::string& current, WallTime now) {
  if (!status.rotation) return;
  const std::string id = status.rotation->version_id;
  const HistoryEntry* entry = entry_of(status, id);
  if (entry && entry->outcome == "InProgress")
    record_end(status, id, id == current ? "Succeeded" : "Abandoned", now);
  status.rotation.reset();
}

std::string trigger_of(const PolicyStatus& status, const std::string& version_id) {
  const HistoryEntry* entry = entry_of(status, version_id);
  return entry ? entry->trigger : "";
}

void record_step(PolicyStatus& status, const StrategySpec& strategy, const std::string& version_id,
                 engine::Step step, const std::string& message, const std::string& trigger,
                 WallTime now) {
  RotationStatus rotation = begun_by(strategy, version_id, step, message);
  const bool same = status.rotation && status.rotation->version_id == version_id;
  const HistoryEntry* entry = entry_of(status, version_id);
  const bool over = entry && (entry->outcome == "Succeeded" || entry->outcome == "Abandoned") &&
                    step != engine::Step::CreateSecret;
  rotation.started_at = same   ? status.rotation->started_at
                        : over ? entry->started_at
                               : whole_seconds(now);
  status.rotation = std::move(rotation);
  if (same || over) return;
  add_history(status, {.version_id = version_id,
                       .outcome = "InProgress",
                       .trigger = trigger,
                       .started_at = now,
                       .finished_at = {}});
}

void record_end(PolicyStatus& status, const std::string& version_id, const std::string& outcome,
                WallTime now) {
  const HistoryEntry* entry = entry_of(status, version_id);
  if (status.rotation && status.rotation->version_id == version_id) status.rotation.reset();
  if (entry && entry->outcome == outcome) return;
  HistoryEntry done{.version_id = version_id,
                    .outcome = outcome,
                    .trigger = "unknown",
                    .started_at = now,
                    .finished_at = now};
  if (entry) {
    done.trigger = entry->trigger;
    done.started_at = entry->started_at;
  }
  add_history(status, std::move(done));
  if (outcome == "Succeeded") status.last_rotation = whole_seconds(now);
}

Failures abandoned_in_a_row(const PolicyStatus& status) {
  Failures failures;
  for (const auto& entry : status.history) {
    if (entry.outcome == "InProgress") continue;
    if (entry.outcome != "Abandoned") break;
    if (failures.count++ == 0) failures.last = entry.finished_at;
  }
  return failures;
}

bool changed_outside(const PolicyStatus& status, const std::string& arn,
                     const engine::Labels& labels) {
  return !status.current_version_id.empty() && status.secret_arn == arn &&
         status.current_version_id != labels.current && status.current_version_id == labels.latest;
}

std::string outside_change(const engine::Traits& traits, const Policy& policy,
                           const engine::Labels& labels) {
  const std::string told = "somebody made version " + labels.current +
                           " current in place of ours, " + labels.latest + "; ";
  const std::string rotate = "keyturn rotate " + policy.name + " -n " + policy.ns;
  switch (traits.backend) {
    case engine::Backend::TwoCredentials:
      return told + "the credential of ours is still valid. A clean-up after the next rotation (" +
             rotate + ") revokes it, within a day; if it leaked, delete it at the backend now";
    case engine::Backend::ForwardOnly:
      return told +
             "the backend accepts one credential, which may still be ours. The next rotation (" +
             rotate + ") asks it, and replaces whichever it is";
    default:
      return told + "with strategy " + traits.name +
             " there is no backend to revoke it at: it is valid wherever it is still accepted, and "
             "a rotation (" +
             rotate + ") replaces the one by hand";
  }
}

}  // namespace keyturn::rotation
