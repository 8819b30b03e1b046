// Creating and applying; what every body goes through first.
#include "tests/sandbox/object_writer.h"

#include "lib/base/rng.h"
#include "lib/base/time.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/cel_rules.h"
#include "tests/sandbox/event_rules.h"
#include "tests/sandbox/kind_rules.h"
#include "tests/sandbox/managed_fields.h"

namespace keyturn::sandbox {
namespace {

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

// What an apply through this door may speak of.
Json confined(const Resource& resource, Json config, const std::string& name,
              const std::string& subresource) {
  config["metadata"]["name"] = name;
  if (subresource != "status") {
    if (resource.status) config.erase("status");
    return config;
  }
  Json only = {{"apiVersion", config["apiVersion"]},
               {"kind", config["kind"]},
               {"metadata", {{"name", name}}}};
  for (const char* field : {"resourceVersion", "uid"}) {
    const Json& given = at(config, "metadata", field);
    if (!given.is_null()) only["metadata"][field] = given;
  }
  if (config.contains("status")) only["status"] = config["status"];
  return only;
}

}  // namespace

ObjectWriter::ObjectWriter(ObjectStore& store, Registry& registry, const Clock& clock)
    : store_(store), registry_(registry), clock_(clock) {}

void ObjectWriter::check_size(const Json& doc) {
  static constexpr std::size_t kMaxBytes = 3 * 512 * 1024;  // etcd's limit for a request
  if (doc.dump().size() > kMaxBytes) {
    throw ApiError(413, "RequestEntityTooLarge", "etcdserver: request is too large");
  }
}

std::string ObjectWriter::now() const { return format_rfc3339(clock_.now()); }

WriteContext ObjectWriter::context_of(const Resource& resource, const WriteOptions& options) const {
  return {options.manager, resource.api_version(), options.subresource,   now(),
          options.force,   resource.schema.get(),  empty_object(resource)};
}

void ObjectWriter::decode(const Resource& resource, Json& body, const WriteOptions& options,
                          bool strict) const {
  if (!body.is_object()) throw bad_request("the body of the request was not an object");
  const std::string kind = text_at(body, "kind");
  const std::string version = text_at(body, "apiVersion");
  if (kind.empty()) body["kind"] = resource.kind;
  if (version.empty()) body["apiVersion"] = resource.api_version();
  if ((!kind.empty() && kind != resource.kind) ||
      (!version.empty() && version != resource.api_version())) {
    throw bad_request(version + ", Kind=" + kind + " in the request does not match the expected " +
                      resource.api_version() + ", Kind=" + resource.kind);
  }
  if (!at(body, "metadata").is_object()) body["metadata"] = Json::object();
  drop_nulls(body, resource.schema.get());
  std::vector<std::string> removed;
  prune_unknown(body, *resource.schema, "", removed);
  if (removed.empty()) return;
  if (strict) {
    throw plain_error(
        "failed to create typed patch object (" + text_at(body, "metadata", "namespace") + "/" +
        text_at(body, "metadata", "name") + "; " + resource.group + "/" + resource.version +
        ", Kind=" + resource.kind + "): ." + removed.front() + ": field not declared in schema");
  }
  if (options.field_validation == "Strict") {
    std::string list;
    for (const std::string& path : removed)
      list += (list.empty() ? "" : ", ") + ("unknown field \"" + path + "\"");
    throw bad_request(resource.kind + " in version \"" + resource.version +
                      "\" cannot be handled as a " + resource.kind +
                      ": strict decoding error: " + list);
  }
  if (options.warnings && options.field_validation == "Warn") {
    for (const std::string& path : removed)
      options.warnings->push_back("unknown field \"" + path + "\"");
  }
}

void ObjectWriter::check(const Resource& resource, const Json& doc, const Json* live) const {
  std::vector<ErrorCause> causes;
  if (resource.custom) validate(doc, *resource.schema, "", causes);
  check_kind(resource, doc, live, causes);
  if (resource.custom) check_cel_rules(doc, live, *resource.schema, causes);
  if (!causes.empty()) {
    // Events of both versions are validated as the core kind.
    throw invalid_object(resource.storage() == "events" ? resource.kind : resource.kind_and_group(),
                         text_at(doc, "metadata", "name"), std::move(causes));
  }
}

void ObjectWriter::check_namespace(const Resource& resource, const std::string& ns,
                                   const std::string& name) const {
  if (!resource.namespaced) return;
  const ObjectPtr found = store_.get("namespaces", "", ns);
  if (!found) throw not_found("namespaces", ns);
  if (!at(found->doc(), "metadata", "deletionTimestamp").is_null()) {
    ApiError error = forbidden(
        resource.qualified(), name,
        "unable to create new content in namespace " + ns + " because it is being terminated");
    error.causes.push_back(
        {"NamespaceTerminating", "namespace " + ns + " is being terminated", "metadata.namespace"});
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
                           {{"FieldValueRequired",
                             "Required value: name or generateName is required", "metadata.name"}});
    }
    metadata["name"] = prefix + random_suffix();
  }
  if (!text_at(metadata, "resourceVersion").empty()) {
    throw plain_error("resourceVersion should not be set on objects to be created");
  }
  if (resource.status) body.erase("status");
  return insert(resource, ns, std::move(body), false, options);
}

ObjectPtr ObjectWriter::insert(const Resource& resource, const std::string& ns, Json doc,
                               bool applied, const WriteOptions& options) {
  Json& metadata = doc["metadata"];
  const std::string name = text_at(metadata, "name");
  const std::string given_ns = text_at(metadata, "namespace");
  if (resource.namespaced) {
    if (!given_ns.empty() && given_ns != ns) {
      throw bad_request(
          "the namespace of the provided object does not match the namespace sent on the request");
    }
    metadata["namespace"] = ns;
  } else {
    metadata.erase("namespace");
  }
  check_namespace(resource, ns, name);
  for (const char* field : {"resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
                            "selfLink", "generation"}) {
    metadata.erase(field);
  }
  metadata["uid"] = new_uid();
  metadata["creationTimestamp"] = now();
  if (resource.generation) metadata["generation"] = 1;
  if (resource.custom) apply_defaults(doc, *resource.schema);
  prepare_kind(resource, doc, nullptr, now());
  if (!applied) {
    const WriteContext context = context_of(resource, options);
    track_update(context.empty, doc, context);
  }
  check(resource, doc, nullptr);
  const std::string storage = resource.storage();
  if (storage == "events" && resource.group == "events.k8s.io")
    doc = to_stored_event(std::move(doc));
  check_size(doc);
  if (store_.get(storage, ns, name)) throw already_exists(resource.qualified(), name);
  if (options.dry_run) return std::make_shared<Object>(ns, name, std::move(doc));
  ObjectPtr object =
      store_.put(storage, nullptr, resource.namespaced ? ns : "", name, std::move(doc));
  if (!object) throw already_exists(resource.qualified(), name);
  return object;
}

Written ObjectWriter::apply(const Resource& resource, const std::string& ns,
                            const std::string& name, Json config, const WriteOptions& options) {
  if (!config.is_object()) throw bad_request("the body of an apply must be an object");
  if (text_at(config, "apiVersion").empty() || text_at(config, "kind").empty()) {
    throw bad_request("Object 'Kind' is missing in the applied configuration");
  }
  if (const Json& managed = at(config, "metadata", "managedFields");
      !managed.is_null() && !managed.empty()) {
    throw bad_request("metadata.managedFields must be nil");
  }
  decode(resource, config, options, true);
  const std::string given = text_at(config, "metadata", "name");
  if (!given.empty() && given != name)
    throw bad_request("the name of the object (" + given +
                      ") does not match the name on the URL (" + name + ")");
  config = confined(resource, std::move(config), name, options.subresource);
  const WriteContext context = context_of(resource, options);
  for (;;) {
    if (store_.get(resource.storage(), ns, name)) {
      const auto change = [&](const Json& live) { return apply_config(live, config, context); };
      return {update(resource, ns, name, change, true, options), false};
    }
    if (!options.subresource.empty()) throw not_found(resource.qualified(), name);
    if (const std::string uid = text_at(config, "metadata", "uid"); !uid.empty()) {
      throw conflict(resource.qualified(), name,
                     "uid mismatch: the provided object specified uid " + uid +
                         ", and no existing object was found");
    }
    try {
      return {insert(resource, ns, apply_config(context.empty, config, context), true, options),
              true};
    } catch (const ApiError& error) {
      if (error.reason != "AlreadyExists") throw;  // somebody created it meanwhile: apply to that
    }
  }
}

}  // namespace keyturn::sandbox
