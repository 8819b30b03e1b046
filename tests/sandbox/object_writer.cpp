#include "tests/sandbox/object_writer.h"

#include <algorithm>

#include "lib/base/rng.h"
#include "lib/base/time.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/kind_rules.h"
#include "tests/sandbox/managed_fields.h"
#include "tests/sandbox/patch.h"

namespace keyturn::sandbox {
namespace {

constexpr std::size_t kMaxObjectBytes = 3 * 512 * 1024;  // etcd's limit for a request
constexpr const char* kModified =
    "the object has been modified; please apply your changes to the latest version and try again";

std::string random_suffix() {
  static SystemRng rng;
  static constexpr char kLetters[] = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (int i = 0; i < 5; ++i) out += kLetters[rng.below(sizeof kLetters - 1)];
  return out;
}

std::string new_uid() {
  static SystemRng rng;
  return uuid_v4(rng);
}

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
      if (key != "metadata" && key != "status" && (!b.contains(key) || b[key] != value)) return true;
    }
    return false;
  };
  return differs(before, after) || differs(after, before);
}

// What a write through this door may not touch comes from the live object.
void confine(const Resource& resource, Json& next, const Json& live, const std::string& subresource) {
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

ObjectWriter::ObjectWriter(ObjectStore& store, Registry& registry, const Clock& clock)
    : store_(store), registry_(registry), clock_(clock) {}

std::string ObjectWriter::now() const { return format_rfc3339(clock_.now()); }

void ObjectWriter::decode(const Resource& resource, Json& body, const WriteOptions& options, bool strict) const {
  if (!body.is_object()) throw bad_request("the body of the request was not an object");
  const std::string kind = text_at(body, "kind");
  const std::string version = text_at(body, "apiVersion");
  if (kind.empty()) body["kind"] = resource.kind;
  if (version.empty()) body["apiVersion"] = resource.api_version();
  if ((!kind.empty() && kind != resource.kind) || (!version.empty() && version != resource.api_version())) {
    throw bad_request(version + ", Kind=" + kind + " in the request does not match the expected " +
                      resource.api_version() + ", Kind=" + resource.kind);
  }
  if (!at(body, "metadata").is_object()) body["metadata"] = Json::object();
  drop_nulls(body, resource.schema.get());
  std::vector<std::string> removed;
  prune_unknown(body, *resource.schema, "", removed);
  if (removed.empty()) return;
  if (strict) {
    throw ApiError(500, "InternalError", "failed to create typed patch object: ." + removed.front() +
                                             ": field not declared in schema");
  }
  if (options.field_validation == "Strict") {
    std::string list;
    for (const std::string& path : removed) list += (list.empty() ? "" : ", ") + ("unknown field \"" + path + "\"");
    throw bad_request(resource.kind + " in version \"" + resource.version + "\" cannot be handled as a " +
                      resource.kind + ": strict decoding error: " + list);
  }
  if (options.warnings && options.field_validation == "Warn") {
    for (const std::string& path : removed) options.warnings->push_back("unknown field \"" + path + "\"");
  }
}

void ObjectWriter::check(const Resource& resource, const Json& doc, const Json* live) const {
  std::vector<ErrorCause> causes;
  if (resource.custom) validate(doc, live, *resource.schema, "", causes);
  check_kind(resource, doc, live, causes);
  if (!causes.empty()) {
    throw invalid_object(resource.kind_and_group(), text_at(doc, "metadata", "name"), std::move(causes));
  }
}

void ObjectWriter::check_namespace(const Resource& resource, const std::string& ns, const std::string& name) const {
  if (!resource.namespaced) return;
  const ObjectPtr found = store_.get("namespaces", "", ns);
  if (!found) throw not_found("namespaces", ns);
  if (!at(found->doc(), "metadata", "deletionTimestamp").is_null()) {
    ApiError error = forbidden(resource.qualified(), name,
                               "unable to create new content in namespace " + ns + " because it is being terminated");
    error.causes.push_back({"NamespaceTerminating", "namespace " + ns + " is being terminated", "metadata.namespace"});
    throw error;
  }
}

ObjectPtr ObjectWriter::create(const Resource& resource, const std::string& ns, Json body,
                               const WriteOptions& options) {
  decode(resource, body, options, false);
  Json& metadata = body["metadata"];
  if (text_at(metadata, "name").empty()) {
    const std::string prefix = text_at(metadata, "generateName");
    if (prefix.empty()) {
      throw invalid_object(resource.kind_and_group(), "",
                           {{"FieldValueRequired", "Required value: name or generateName is required", "metadata.name"}});
    }
    metadata["name"] = prefix + random_suffix();
  }
  if (!text_at(metadata, "resourceVersion").empty()) {
    throw bad_request("resourceVersion should not be set on objects to be created");
  }
  if (resource.status) body.erase("status");
  return insert(resource, ns, std::move(body), false, options);
}

ObjectPtr ObjectWriter::insert(const Resource& resource, const std::string& ns, Json doc, bool applied,
                               const WriteOptions& options) {
  Json& metadata = doc["metadata"];
  const std::string name = text_at(metadata, "name");
  const std::string given_ns = text_at(metadata, "namespace");
  if (resource.namespaced) {
    if (!given_ns.empty() && given_ns != ns) {
      throw bad_request("the namespace of the provided object does not match the namespace sent on the request");
    }
    metadata["namespace"] = ns;
  } else {
    metadata.erase("namespace");
  }
  check_namespace(resource, ns, name);
  for (const char* field : {"resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
                            "generation"}) {
    metadata.erase(field);
  }
  metadata["uid"] = new_uid();
  metadata["creationTimestamp"] = now();
  if (resource.generation) metadata["generation"] = 1;
  if (resource.custom) apply_defaults(doc, *resource.schema);
  prepare_kind(resource, doc, nullptr, now());
  if (!applied) {
    track_update(Json::object(), doc,
                 {options.manager, resource.api_version(), options.subresource, now(), true, resource.schema.get()});
  }
  check(resource, doc, nullptr);
  const std::string storage = resource.storage();
  if (storage == "events" && resource.group == "events.k8s.io") doc = to_stored_event(std::move(doc));
  if (doc.dump().size() > kMaxObjectBytes) throw ApiError(413, "RequestEntityTooLarge", "etcdserver: request is too large");
  if (store_.get(storage, ns, name)) throw already_exists(resource.qualified(), name);
  if (options.dry_run) return std::make_shared<Object>(ns, name, std::move(doc));
  ObjectPtr object = store_.put(storage, nullptr, resource.namespaced ? ns : "", name, std::move(doc));
  if (!object) throw already_exists(resource.qualified(), name);
  return object;
}

ObjectPtr ObjectWriter::update(const Resource& resource, const std::string& ns, const std::string& name,
                               const Change& change, bool applied, const WriteOptions& options) {
  const std::string storage = resource.storage();
  const bool convert = storage == "events" && resource.group == "events.k8s.io";
  for (int attempt = 0; attempt < 100; ++attempt) {
    const ObjectPtr live = store_.get(storage, ns, name);
    if (!live) throw not_found(resource.qualified(), name);
    Json next = change(convert ? to_events_v1(live->doc()) : live->doc());
    if (convert) next = to_stored_event(std::move(next));
    if (ObjectPtr done = finish_update(resource, live, std::move(next), applied, options)) return done;
  }
  throw conflict(resource.qualified(), name, kModified);
}

// Null: somebody else wrote in between, look again.
ObjectPtr ObjectWriter::finish_update(const Resource& resource, const ObjectPtr& live, Json next, bool applied,
                                      const WriteOptions& options) {
  const Json& before = live->doc();
  const std::string version = text_at(next, "metadata", "resourceVersion");
  if (!version.empty() && version != text_at(before, "metadata", "resourceVersion")) {
    throw conflict(resource.qualified(), live->name, kModified);
  }
  const std::string uid = text_at(next, "metadata", "uid");
  if (!uid.empty() && uid != live->uid) {
    throw conflict(resource.qualified(), live->name,
                   "Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + live->uid);
  }
  const std::string given_name = text_at(next, "metadata", "name");
  if (!given_name.empty() && given_name != live->name) {
    throw bad_request("the name of the object (" + given_name + ") does not match the name on the URL (" + live->name + ")");
  }
  confine(resource, next, before, options.subresource);
  keep_system_metadata(next, before);
  if (resource.custom) apply_defaults(next, *resource.schema);
  prepare_kind(resource, next, &before, now());
  if (!applied) {
    track_update(before, next,
                 {options.manager, resource.api_version(), options.subresource, now(), true, resource.schema.get()});
  }
  next["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"];
  if (next == before) return live;
  check(resource, next, &before);
  if (resource.generation && spec_changed(before, next)) {
    const Json& generation = at(before, "metadata", "generation");
    next["metadata"]["generation"] = (generation.is_number() ? generation.get<std::int64_t>() : 0) + 1;
  }
  if (next.dump().size() > kMaxObjectBytes) throw ApiError(413, "RequestEntityTooLarge", "etcdserver: request is too large");
  if (options.dry_run) return std::make_shared<Object>(live->ns, live->name, std::move(next));
  const bool last_finalizer = !at(next, "metadata", "deletionTimestamp").is_null() &&
                              at(next, "metadata", "finalizers").empty() && at(next, "spec", "finalizers").empty();
  const ObjectPtr written = store_.put(resource.storage(), live, live->ns, live->name, std::move(next));
  if (written && last_finalizer) store_.remove(resource.storage(), written);
  return written;
}

ObjectPtr ObjectWriter::replace(const Resource& resource, const std::string& ns, const std::string& name, Json body,
                                const WriteOptions& options) {
  decode(resource, body, options, false);
  return update(resource, ns, name, [&](const Json&) { return body; }, false, options);
}

ObjectPtr ObjectWriter::patch(const Resource& resource, const std::string& ns, const std::string& name,
                              PatchType type, const Json& patch, const WriteOptions& options) {
  const auto change = [&](const Json& live) {
    Json next;
    switch (type) {
      case PatchType::Merge: next = merge_patch(live, patch); break;
      case PatchType::Operations: next = json_patch(live, patch); break;
      case PatchType::Strategic: next = strategic_patch(live, patch, resource.schema.get()); break;
    }
    decode(resource, next, options, false);
    return next;
  };
  return update(resource, ns, name, change, false, options);
}

Written ObjectWriter::apply(const Resource& resource, const std::string& ns, const std::string& name, Json config,
                            const WriteOptions& options) {
  if (!config.is_object()) throw bad_request("the body of an apply must be an object");
  if (text_at(config, "apiVersion").empty() || text_at(config, "kind").empty()) {
    throw bad_request("Object 'Kind' is missing in the applied configuration");
  }
  if (const Json& managed = at(config, "metadata", "managedFields"); !managed.is_null() && !managed.empty()) {
    throw bad_request("metadata.managedFields must be nil");
  }
  decode(resource, config, options, true);
  const std::string given = text_at(config, "metadata", "name");
  if (!given.empty() && given != name) throw bad_request("the name of the object (" + given + ") does not match the name on the URL (" + name + ")");
  config["metadata"]["name"] = name;
  if (options.subresource == "status") {
    Json only = {{"apiVersion", config["apiVersion"]}, {"kind", config["kind"]}, {"metadata", {{"name", name}}}};
    if (const Json& version = at(config, "metadata", "resourceVersion"); !version.is_null()) {
      only["metadata"]["resourceVersion"] = version;
    }
    if (config.contains("status")) only["status"] = config["status"];
    config = std::move(only);
  } else if (resource.status) {
    config.erase("status");
  }
  const WriteContext context = {options.manager, resource.api_version(), options.subresource, now(), options.force,
                                resource.schema.get()};
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (store_.get(resource.storage(), ns, name)) {
      const auto change = [&](const Json& live) { return apply_config(live, config, context); };
      return {update(resource, ns, name, change, true, options), false};
    }
    if (!options.subresource.empty()) throw not_found(resource.qualified(), name);
    try {
      return {insert(resource, ns, apply_config(Json::object(), config, context), true, options), true};
    } catch (const ApiError& error) {
      if (error.reason != "AlreadyExists") throw;  // somebody created it meanwhile: apply to that
    }
  }
  throw conflict(resource.qualified(), name, kModified);
}

Removed ObjectWriter::remove(const Resource& resource, const std::string& ns, const std::string& name,
                             const DeleteOptions& options) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const ObjectPtr live = store_.get(resource.storage(), ns, name);
    if (!live) throw not_found(resource.qualified(), name);
    if (!options.uid.empty() && options.uid != live->uid) {
      throw conflict(resource.qualified(), name,
                     "Precondition failed: UID in precondition: " + options.uid + ", UID in object meta: " + live->uid);
    }
    const std::string version = std::to_string(live->revision());
    if (!options.resource_version.empty() && options.resource_version != version) {
      throw conflict(resource.qualified(), name, "Precondition failed: ResourceVersion in precondition: " +
                                                     options.resource_version + ", ResourceVersion in object meta: " + version);
    }
    const bool waits = !at(live->doc(), "metadata", "finalizers").empty() || resource.storage() == "namespaces";
    if (options.dry_run) return {live, !waits};
    if (options.propagation == "Orphan") {
      for (const ObjectStore::Ref& ref : store_.dependents(live->uid)) {
        const ResourcePtr owned = registry_.by_storage(ref.resource);
        if (!owned) continue;
        update(*owned, ref.ns, ref.name,
               [&](const Json& doc) {
                 Json next = doc;
                 Json& owners = next["metadata"]["ownerReferences"];
                 owners.erase(std::remove_if(owners.begin(), owners.end(),
                                             [&](const Json& o) { return text_at(o, "uid") == live->uid; }),
                              owners.end());
                 return next;
               },
               false, {});
      }
    }
    if (!waits) {
      if (ObjectPtr last = store_.remove(resource.storage(), live)) return {last, true};
      continue;
    }
    if (!at(live->doc(), "metadata", "deletionTimestamp").is_null()) return {live, false};
    Json next = live->doc();
    next["metadata"]["deletionTimestamp"] = now();
    next["metadata"]["deletionGracePeriodSeconds"] = 0;
    if (resource.generation) next["metadata"]["generation"] = at(next, "metadata", "generation").get<std::int64_t>() + 1;
    if (resource.storage() == "namespaces") next["status"]["phase"] = "Terminating";
    if (ObjectPtr marked = store_.put(resource.storage(), live, live->ns, live->name, std::move(next))) {
      return {marked, false};
    }
  }
  throw conflict(resource.qualified(), name, kModified);
}

void ObjectWriter::drop_finalizer(const Resource& resource, const ObjectPtr& object, const std::string& finalizer) {
  for (ObjectPtr live = object; live; live = store_.get(resource.storage(), object->ns, object->name)) {
    Json next = live->doc();
    for (const char* place : {"metadata", "spec"}) {
      if (!at(next, place, "finalizers").is_array()) continue;
      Json& list = next[place]["finalizers"];
      list.erase(std::remove(list.begin(), list.end(), Json(finalizer)), list.end());
    }
    const bool last = !at(next, "metadata", "deletionTimestamp").is_null() &&
                      at(next, "metadata", "finalizers").empty() && at(next, "spec", "finalizers").empty();
    const ObjectPtr written = store_.put(resource.storage(), live, live->ns, live->name, std::move(next));
    if (written && last) store_.remove(resource.storage(), written);
    if (written) return;
  }
}

}  // namespace keyturn::sandbox
