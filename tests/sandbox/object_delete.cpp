// Deletion: preconditions, propagation, finalizers.
#include <algorithm>

#include "tests/sandbox/api_error.h"
#include "tests/sandbox/object_writer.h"

namespace keyturn::sandbox {
namespace {

std::int64_t next_generation(const Json& doc) {
  const Json& generation = at(doc, "metadata", "generation");
  return (generation.is_number() ? generation.get<std::int64_t>() : 0) + 1;
}

}  // namespace

bool ObjectWriter::waits_for_nothing(const Json& doc) {
  return !at(doc, "metadata", "deletionTimestamp").is_null() &&
         at(doc, "metadata", "finalizers").empty() && at(doc, "spec", "finalizers").empty();
}

ObjectPtr ObjectWriter::remove_freed(const Resource& resource, const ObjectPtr& live, Json next) {
  if (!store_.remove(resource.storage(), live)) return nullptr;
  return std::make_shared<Object>(live->ns, live->name, std::move(next));
}

void ObjectWriter::check_preconditions(const Resource& resource, const ObjectPtr& live,
                                       const DeleteOptions& options) {
  if (!options.uid.empty() && options.uid != live->uid) {
    throw conflict(resource.kind_and_group(), live->name,
                   "the UID in the precondition (" + options.uid +
                       ") does not match the UID in record (" + live->uid +
                       "). The object might have been deleted and then recreated");
  }
  const std::string version = std::to_string(live->revision());
  if (!options.resource_version.empty() && options.resource_version != version) {
    throw conflict(resource.kind_and_group(), live->name,
                   "the ResourceVersion in the precondition (" + options.resource_version +
                       ") does not match the ResourceVersion in record (" + version +
                       "). The object might have been modified");
  }
}

// The objects it owns forget it, and stay.
void ObjectWriter::orphan_dependents(const ObjectPtr& owner) {
  for (const ObjectStore::Ref& ref : store_.dependents(owner->uid)) {
    const ResourcePtr owned = registry_.by_storage(ref.resource);
    if (!owned) continue;
    const auto forget = [&](const Json& doc) {
      Json next = doc;
      Json& owners = next["metadata"]["ownerReferences"];
      owners.erase(std::remove_if(owners.begin(), owners.end(),
                                  [&](const Json& o) { return text_at(o, "uid") == owner->uid; }),
                   owners.end());
      return next;
    };
    update(*owned, ref.ns, ref.name, forget, false, {});
  }
}

// Foreground propagation is treated as background: dependents go right after their owner.
Removed ObjectWriter::remove(const Resource& resource, const std::string& ns,
                             const std::string& name, const DeleteOptions& options) {
  for (;;) {
    const ObjectPtr live = store_.get(resource.storage(), ns, name);
    if (!live) throw not_found(resource.qualified(), name);
    check_preconditions(resource, live, options);
    const bool is_namespace = resource.storage() == "namespaces";
    const bool waits = is_namespace || !at(live->doc(), "metadata", "finalizers").empty();
    if (options.dry_run) return {live, !waits};
    if (options.propagation == "Orphan") orphan_dependents(live);
    if (!waits) {
      if (ObjectPtr last = store_.remove(resource.storage(), live)) return {last, true};
      continue;
    }
    if (!at(live->doc(), "metadata", "deletionTimestamp").is_null()) return {live, false};
    Json next = live->doc();
    next["metadata"]["deletionTimestamp"] = now();
    next["metadata"]["deletionGracePeriodSeconds"] = 0;
    if (resource.generation) next["metadata"]["generation"] = next_generation(next);
    if (is_namespace) next["status"]["phase"] = "Terminating";
    if (ObjectPtr marked =
            store_.put(resource.storage(), live, live->ns, live->name, std::move(next))) {
      return {marked, false};
    }
  }
}

void ObjectWriter::drop_finalizer(const Resource& resource, const ObjectPtr& object,
                                  const std::string& finalizer) {
  for (ObjectPtr live = object; live;
       live = store_.get(resource.storage(), object->ns, object->name)) {
    Json next = live->doc();
    for (const char* place : {"metadata", "spec"}) {
      if (!at(next, place, "finalizers").is_array()) continue;
      Json& list = next[place]["finalizers"];
      list.erase(std::remove(list.begin(), list.end(), Json(finalizer)), list.end());
    }
    if (waits_for_nothing(next)
            ? remove_freed(resource, live, std::move(next))
            : store_.put(resource.storage(), live, live->ns, live->name, std::move(next))) {
      return;
    }
  }
}

}  // namespace keyturn::sandbox
