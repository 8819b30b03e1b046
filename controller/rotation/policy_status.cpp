#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

// Reads a list of objects; what is no list, or no object, is left out.
template <class Read>
auto read_list(const json& list, Read read) {
  std::vector<decltype(read(list))> items;
  if (!list.is_array()) return items;
  items.reserve(list.size());  // no more than that: these stay in memory
  for (const json& item : list) {
    if (item.is_object()) items.push_back(read(item));
  }
  return items;
}

Condition read_condition(const json& item) {
  Condition condition;
  condition.type = text_of(item, "type");
  condition.status = text_of(item, "status");
  condition.reason = text_of(item, "reason");
  condition.message = text_of(item, "message");
  condition.last_transition = time_of(item, "lastTransitionTime").value_or(WallTime{});
  condition.observed_generation = integer_of(item, "observedGeneration");
  return condition;
}

HistoryEntry read_history(const json& item) {
  HistoryEntry entry;
  entry.version_id = text_of(item, "versionId");
  entry.outcome = text_of(item, "outcome");
  entry.trigger = text_of(item, "trigger");
  entry.started_at = time_of(item, "startedAt").value_or(WallTime{});
  entry.finished_at = time_of(item, "finishedAt");
  return entry;
}

TargetStatus read_target(const json& item) {
  TargetStatus target;
  target.name = text_of(item, "name");
  target.version_id = text_of(item, "versionId");
  target.rolled_out_version_id = text_of(item, "rolledOutVersionId");
  target.synced_at = time_of(item, "syncedAt");
  return target;
}

Boxed<RotationStatus> read_rotation(const json& item) {
  if (!item.is_object()) return std::nullopt;
  RotationStatus rotation;
  rotation.version_id = text_of(item, "versionId");
  rotation.strategy = text_of(item, "strategy");
  rotation.options = text_of(item, "options");
  rotation.step = text_of(item, "step");
  rotation.message = text_of(item, "message");
  rotation.started_at = time_of(item, "startedAt").value_or(WallTime{});
  return rotation;
}

Boxed<RetiringStatus> read_retiring(const json& item) {
  if (!item.is_object()) return std::nullopt;
  RetiringStatus retiring;
  retiring.version_id = text_of(item, "versionId");
  retiring.waiting_for = text_of(item, "waitingFor");
  retiring.since = time_of(item, "since").value_or(WallTime{});
  retiring.earliest = time_of(item, "earliest");
  return retiring;
}

// Adds what is there: an absent field and an empty one are the same to a reader, and absent is
// shorter.
class Writer {
 public:
  Writer& text(const char* name, const std::string& value) {
    if (!value.empty()) out_[name] = value;
    return *this;
  }
  Writer& time(const char* name, const std::optional<WallTime>& value) {
    if (value && *value != WallTime{}) out_[name] = format_rfc3339(*value);
    return *this;
  }
  Writer& number(const char* name, std::int64_t value) {
    if (value != 0) out_[name] = value;
    return *this;
  }
  template <class T, class Write>
  Writer& list(const char* name, const std::vector<T>& items, Write write) {
    if (items.empty()) return *this;
    json& list = out_[name] = json::array();
    for (const T& item : items) list.push_back(write(item));
    return *this;
  }
  Writer& object(const char* name, json value) {
    out_[name] = std::move(value);
    return *this;
  }
  json take() { return std::move(out_); }

 private:
  json out_ = json::object();
};

// All of a condition's fields are required (metav1.Condition), but observedGeneration.
json condition_json(const Condition& condition) {
  Writer out;
  out.number("observedGeneration", condition.observed_generation);
  json item = out.take();
  item["type"] = condition.type;
  item["status"] = condition.status;
  item["reason"] = condition.reason;
  item["message"] = condition.message;
  item["lastTransitionTime"] = format_rfc3339(condition.last_transition);
  return item;
}

json history_json(const HistoryEntry& entry) {
  return Writer()
      .text("versionId", entry.version_id)
      .text("outcome", entry.outcome)
      .text("trigger", entry.trigger)
      .time("startedAt", entry.started_at)
      .time("finishedAt", entry.finished_at)
      .take();
}

json target_json(const TargetStatus& target) {
  return Writer()
      .text("name", target.name)
      .text("versionId", target.version_id)
      .text("rolledOutVersionId", target.rolled_out_version_id)
      .time("syncedAt", target.synced_at)
      .take();
}

json rotation_json(const RotationStatus& rotation) {
  return Writer()
      .text("versionId", rotation.version_id)
      .text("strategy", rotation.strategy)
      .text("options", rotation.options)
      .text("step", rotation.step)
      .text("message", rotation.message)
      .time("startedAt", rotation.started_at)
      .take();
}

json retiring_json(const RetiringStatus& retiring) {
  return Writer()
      .text("versionId", retiring.version_id)
      .text("waitingFor", retiring.waiting_for)
      .time("since", retiring.since)
      .time("earliest", retiring.earliest)
      .take();
}

}  // namespace

const json& member_of(const json& object, const char* name) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto it = object.find(name);
  return it == object.end() ? kNothing : *it;
}

std::string text_of(const json& object, const char* name) {
  const json& value = member_of(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t integer_of(const json& object, const char* name) {
  const json& value = member_of(object, name);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

bool flag_of(const json& object, const char* name) {
  const json& value = member_of(object, name);
  return value.is_boolean() && value.get<bool>();
}

std::optional<WallTime> time_of(const json& object, const char* name) {
  const json& value = member_of(object, name);
  if (!value.is_string()) return std::nullopt;
  const auto time = parse_rfc3339(value.get_ref<const std::string&>());
  return time ? std::optional(*time) : std::nullopt;
}

PolicyStatus read_status(const json& object) {
  PolicyStatus status;
  status.observed_generation = integer_of(object, "observedGeneration");
  status.conditions = read_list(member_of(object, "conditions"), read_condition);
  std::sort(status.conditions.begin(), status.conditions.end(),
            [](const Condition& a, const Condition& b) { return a.type < b.type; });
  status.strategy = text_of(object, "strategy");
  status.secret_arn = text_of(object, "secretArn");
  status.current_version_id = text_of(object, "currentVersionId");
  status.current_version_created = time_of(object, "currentVersionCreatedAt");
  status.last_rotation = time_of(object, "lastRotationTime");
  status.next_rotation = time_of(object, "nextRotationTime");
  status.rotation = read_rotation(member_of(object, "rotation"));
  status.retiring = read_retiring(member_of(object, "retiring"));
  status.history = read_list(member_of(object, "history"), read_history);
  status.targets = read_list(member_of(object, "targets"), read_target);
  status.last_handled_rotate_request = text_of(object, "lastHandledRotateRequest");
  status.last_handled_sync_request = text_of(object, "lastHandledSyncRequest");
  status.last_handled_rollback_request = text_of(object, "lastHandledRollbackRequest");
  status.last_handled_revoke_request = text_of(object, "lastHandledRevokeRequest");
  return status;
}

json status_json(const PolicyStatus& status) {
  Writer out;
  out.number("observedGeneration", status.observed_generation)
      .list("conditions", status.conditions, condition_json)
      .text("strategy", status.strategy)
      .text("secretArn", status.secret_arn)
      .text("currentVersionId", status.current_version_id)
      .time("currentVersionCreatedAt", status.current_version_created)
      .time("lastRotationTime", status.last_rotation)
      .time("nextRotationTime", status.next_rotation)
      .list("history", status.history, history_json)
      .list("targets", status.targets, target_json)
      .text("lastHandledRotateRequest", status.last_handled_rotate_request)
      .text("lastHandledSyncRequest", status.last_handled_sync_request)
      .text("lastHandledRollbackRequest", status.last_handled_rollback_request)
      .text("lastHandledRevokeRequest", status.last_handled_revoke_request);
  if (status.rotation) out.object("rotation", rotation_json(*status.rotation));
  if (status.retiring) out.object("retiring", retiring_json(*status.retiring));
  return out.take();
}

}  // namespace keyturn::rotation
