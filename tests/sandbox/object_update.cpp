// How an object becomes another one: optimistic updates, what each door may touch, generation.
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/event_rules.h"
#include "tests/sandbox/kind_rules.h"
#include "tests/sandbox/managed_fields.h"
#include "tests/sandbox/object_writer.h"
#include "tests/sandbox/patch.h"

namespace keyturn::sandbox {
namespace {

// Fields of metadata that only the server writes.
void keep_system_metadata(Json& next, const Json& live) {
  Json& metadata = next["metadata"];
  for (const char* field : {"uid", "creationTimestamp", "generation", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "name", "namespace", "selfLink"}) {
    const Json& old = at(live, "metadata", field);
    if (old.is_null()) {
      metadata.erase(field);
    } else {
      metadata[field] = old;
    }
  }
  for (const char* field : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    const auto found = metadata.find(field);
    if (found != metadata.end() && found->empty()) metadata.erase(found);
  }
}

bool spec_changed(const Json& before, const Json& after) {
  const auto differs = [](const Json& a, const Json& b) {
    for (const auto& [key, value] : a.items()) {
      if (key != "metadata" && key != "status" && (!b.contains(key) || b[key] != value))
        return true;
    }
    return false;
  };
  return differs(before, after) || differs(after, before);
}

// What a write through this door may not touch comes from the live object.
void confine(const Resource& resource, Json& next, const Json& live,
             const std::string& subresource) {
  if (subresource == "status") {
    Json status = at(next, "status");
    const Json managed = at(next, "metadata", "managedFields");
    const Json version = at(next, "metadata", "resourceVersion");
    next = live;
    if (status.is_null()) {
      next.erase("status");
    } else {
      next["status"] = std::move(status);
    }
    next["metadata"]["managedFields"] = managed;
    if (!version.is_null()) next["metadata"]["resourceVersion"] = version;
  } else if (resource.status) {
    if (live.contains("status")) {
      next["status"] = live["status"];
    } else {
      next.erase("status");
    }
  }
}

}  // namespace

ObjectPtr ObjectWriter::update(const Resource& resource, const std::string& ns,
                               const std::string& name, const Change& change, bool applied,
                               const WriteOptions& options) {
  const std::string storage = resource.storage();
  const bool convert = storage == "events" && resource.group == "events.k8s.io";
  for (;;) {
    const ObjectPtr live = store_.get(storage, ns, name);
    if (!live) throw not_found(resource.qualified(), name);
    const Json converted = convert ? to_events_v1(live->doc()) : Json();
    const Json& before = convert ? converted : live->doc();
    if (ObjectPtr done = finish_update(resource, live, before, change(before), applied, options))
      return done;
  }
}

// `before` is `live` in the resource's version. Null: somebody else wrote in between, look again.
ObjectPtr ObjectWriter::finish_update(const Resource& resource, const ObjectPtr& live,
                                      const Json& before, Json next, bool applied,
                                      const WriteOptions& options) {
  const std::string version = text_at(next, "metadata", "resourceVersion");
  if (version.empty() && !resource.unconditional_update) {
    throw invalid_object(resource.qualified(), live->name,
                         {{"FieldValueInvalid", "Invalid value: 0: must be specified for an update",
                           "metadata.resourceVersion"}});
  }
  if (!version.empty() && version != text_at(before, "metadata", "resourceVersion")) {
    throw conflict(resource.qualified(), live->name, kObjectModified);
  }
  const std::string uid = text_at(next, "metadata", "uid");
  if (!uid.empty() && uid != live->uid) {
    throw conflict(
        resource.qualified(), live->name,
        "Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + live->uid);
  }
  const std::string given_name = text_at(next, "metadata", "name");
  if (!given_name.empty() && given_name != live->name) {
    throw bad_request("the name of the object (" + given_name +
                      ") does not match the name on the URL (" + live->name + ")");
  }
  confine(resource, next, before, options.subresource);
  keep_system_metadata(next, before);
  if (resource.custom) apply_defaults(next, *resource.schema);
  prepare_kind(resource, next, &before, now());
  if (!applied) {
    track_update(before, next, context_of(resource, options));
  }
  next["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"];
  if (next == before) return live;
  check(resource, next, &before);
  if (resource.generation && spec_changed(before, next)) {
    const Json& generation = at(before, "metadata", "generation");
    next["metadata"]["generation"] =
        (generation.is_number() ? generation.get<std::int64_t>() : 0) + 1;
  }
  if (text_at(before, "apiVersion") != text_at(live->doc(), "apiVersion"))
    next = to_stored_event(std::move(next));
  check_size(next);
  if (options.dry_run) return std::make_shared<Object>(live->ns, live->name, std::move(next));
  if (waits_for_nothing(next)) return remove_freed(resource, live, std::move(next));
  return store_.put(resource.storage(), live, live->ns, live->name, std::move(next));
}

ObjectPtr ObjectWriter::replace(const Resource& resource, const std::string& ns,
                                const std::string& name, Json body, const WriteOptions& options) {
  decode(resource, body, options, false);
  return update(
      resource, ns, name, [&](const Json&) { return body; }, false, options);
}

ObjectPtr ObjectWriter::patch(const Resource& resource, const std::string& ns,
                              const std::string& name, PatchType type, const Json& patch,
                              const WriteOptions& options) {
  const auto change = [&](const Json& live) {
    Json next;
    switch (type) {
      case PatchType::Merge:
        next = merge_patch(live, patch);
        break;
      case PatchType::Operations:
        next = json_patch(live, patch);
        break;
      case PatchType::Strategic:
        next = strategic_patch(live, patch, resource.schema.get());
        break;
    }
    decode(resource, next, options, false);
    return next;
  };
  return update(resource, ns, name, change, false, options);
}

}  // namespace keyturn::sandbox
