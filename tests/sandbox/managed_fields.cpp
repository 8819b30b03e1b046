#include "tests/sandbox/managed_fields.h"

#include <algorithm>

#include "tests/sandbox/api_error.h"
#include "tests/sandbox/typed_value.h"

namespace keyturn::sandbox {
namespace {

struct Manager {
  std::string name, operation, api_version, subresource, time;
  FieldSet fields;

  bool is(const WriteContext& context, std::string_view op) const {
    return name == context.manager && operation == op && subresource == context.subresource &&
           (op == "Apply" || api_version == context.api_version);
  }
};
using Managers = std::vector<Manager>;

Managers decode(const Json& list) {
  Managers out;
  if (!list.is_array()) return out;
  for (const Json& entry : list) {
    if (text_at(entry, "operation").empty()) continue;  // [{}] asks for a reset
    out.push_back({text_at(entry, "manager"), text_at(entry, "operation"),
                   text_at(entry, "apiVersion"), text_at(entry, "subresource"),
                   text_at(entry, "time"), FieldSet::from_fields_v1(at(entry, "fieldsV1"))});
  }
  return out;
}

Json encode(Managers managers) {
  std::stable_sort(managers.begin(), managers.end(), [](const Manager& a, const Manager& b) {
    return std::tie(a.operation, a.time, a.name) < std::tie(b.operation, b.time, b.name);
  });
  Json out = Json::array();
  for (const Manager& manager : managers) {
    Json entry = {{"manager", manager.name},
                  {"operation", manager.operation},
                  {"apiVersion", manager.api_version},
                  {"fieldsType", "FieldsV1"},
                  {"fieldsV1", manager.fields.to_fields_v1()}};
    if (!manager.time.empty()) entry["time"] = manager.time;
    if (!manager.subresource.empty()) entry["subresource"] = manager.subresource;
    out.push_back(std::move(entry));
  }
  return out;
}

// What nobody can own.
void strip(FieldSet& set) {
  set.member = false;
  set.children.erase("f:apiVersion");
  set.children.erase("f:kind");
  const auto metadata = set.children.find("f:metadata");
  if (metadata == set.children.end()) return;
  metadata->second.member = false;
  for (const char* field : {"f:name", "f:namespace", "f:creationTimestamp", "f:deletionTimestamp",
                            "f:deletionGracePeriodSeconds", "f:selfLink", "f:uid", "f:generation",
                            "f:managedFields", "f:resourceVersion"}) {
    metadata->second.children.erase(field);
  }
  if (metadata->second.empty()) set.children.erase(metadata);
}

FieldSet union_of(const FieldSet& a, const FieldSet& b) {
  FieldSet out = a;
  out.add(b);
  return out;
}

Comparison owned_changes(const Json& before, const Json& after, const Schema* schema) {
  Comparison out = compare(before, after, schema);
  strip(out.added);
  strip(out.modified);
  strip(out.removed);
  return out;
}

[[noreturn]] void refuse(const std::vector<std::pair<const Manager*, std::string>>& conflicts) {
  std::string message = "Apply failed with " + std::to_string(conflicts.size()) +
                        (conflicts.size() == 1 ? " conflict: " : " conflicts: ");
  ApiError error(409, "Conflict", "");
  for (const auto& [manager, path] : conflicts) {
    const std::string who =
        "conflict with \"" + manager->name + "\"" +
        (manager->subresource.empty() ? "" : " with subresource \"" + manager->subresource + "\"") +
        " using " + manager->api_version;
    if (!error.causes.empty()) message += ", ";
    message += who + ": " + path;
    error.causes.push_back({"FieldManagerConflict", who, path});
  }
  error.message = message;
  throw error;
}

// Takes from everybody but `keep` what changed; throws if that is not allowed.
void settle(Managers& managers, const Manager* keep, const Comparison& changes, bool force) {
  const FieldSet written = union_of(changes.added, changes.modified);
  std::vector<std::pair<const Manager*, std::string>> conflicts;
  for (Manager& manager : managers) {
    if (&manager == keep) continue;
    const FieldSet lost = manager.fields.intersection(written);
    if (!force && !lost.empty()) {
      for (const std::string& path : lost.paths()) conflicts.emplace_back(&manager, path);
    }
  }
  if (!conflicts.empty()) refuse(conflicts);
  for (Manager& manager : managers) {
    if (&manager != keep) manager.fields.remove(written);
    if (&manager != keep) manager.fields.remove(changes.removed);
  }
}

void drop_idle(Managers& managers) {
  std::erase_if(managers, [](const Manager& manager) { return manager.fields.empty(); });
}

}  // namespace

Json apply_config(const Json& live, const Json& config, const WriteContext& context) {
  Managers managers = decode(at(live, "metadata", "managedFields"));
  if (managers.empty() && live.contains("metadata") && at(live, "metadata").contains("uid")) {
    managers.push_back({"before-first-apply", "Update", context.api_version, context.subresource,
                        context.now, owned_changes(context.empty, live, context.schema).added});
  }
  FieldSet applied = fields_of(config, context.schema);
  strip(applied);
  auto own = std::find_if(managers.begin(), managers.end(),
                          [&](const Manager& m) { return m.is(context, "Apply"); });
  if (own == managers.end()) {
    managers.push_back(
        {context.manager, "Apply", context.api_version, context.subresource, "", {}});
    own = std::prev(managers.end());
  }
  const FieldSet before = own->fields;
  own->fields = applied;
  own->api_version = context.api_version;

  Json base = live;
  if (base.contains("metadata")) base["metadata"].erase("managedFields");
  Json out = merge_applied(base, config, context.schema);
  if (!applied.contains_all(before)) {
    FieldSet kept;
    for (const Manager& manager : managers) kept.add(manager.fields);
    kept.children.try_emplace("f:metadata");  // the server's: it holds name and version
    remove_released(out, before, kept, context.schema);
  }
  const Comparison changes = owned_changes(base, out, context.schema);
  settle(managers, &*own, changes, context.force);
  // Who only claims what is there already gets no time (and a creator one, whatever it set).
  if (!changes.same() || live == context.empty) own->time = context.now;
  drop_idle(managers);
  out["metadata"]["managedFields"] = encode(std::move(managers));
  return out;
}

void track_update(const Json& before, Json& after, const WriteContext& context) {
  // A writer may reset the list ([] or [{}]) or bring one along (a backup); silence keeps what was.
  const Json& given = at(after, "metadata", "managedFields");
  Managers managers = decode(given.is_array() ? given : at(before, "metadata", "managedFields"));
  if (managers.empty() && at(before, "metadata").contains("uid")) {
    after["metadata"].erase("managedFields");  // not kept track of again until somebody applies
    return;
  }
  const Comparison changes = owned_changes(before, after, context.schema);
  auto own = std::find_if(managers.begin(), managers.end(),
                          [&](const Manager& m) { return m.is(context, "Update"); });
  if (own == managers.end()) {
    managers.push_back(
        {context.manager, "Update", context.api_version, context.subresource, context.now, {}});
    own = std::prev(managers.end());
  }
  settle(managers, &*own, changes, true);
  if (!changes.same()) {
    own->fields.add(changes.added);
    own->fields.add(changes.modified);
    own->fields.remove(changes.removed);
    own->time = context.now;
  }
  drop_idle(managers);
  if (managers.empty()) {
    after["metadata"].erase("managedFields");
  } else {
    after["metadata"]["managedFields"] = encode(std::move(managers));
  }
}

}  // namespace keyturn::sandbox
