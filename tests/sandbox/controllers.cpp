#include "tests/sandbox/controllers.h"

#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

bool terminating(const ObjectPtr& object) {
  return !at(object->doc(), "metadata", "deletionTimestamp").is_null();
}

bool rolls_out(const std::string& resource) {
  return resource == "deployments.apps" || resource == "statefulsets.apps" ||
         resource == "daemonsets.apps";
}

}  // namespace

Controllers::Controllers(ObjectStore& store, Registry& registry, ObjectWriter& writer,
                         const Clock& clock)
    : store_(store),
      registry_(registry),
      writer_(writer),
      workloads_(store, registry, writer, clock),
      thread_([this] { loop(); }) {}

Controllers::~Controllers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Controllers::set_rollouts(bool automatic) {
  const std::lock_guard lock(mutex_);
  automatic_rollouts_ = automatic;
}

void Controllers::notify(const std::string& resource, const StoreEvent& event) {
  // Most writes concern nobody here: spare them the queue.
  const bool deleted = event.type == EventType::Deleted;
  const bool owned = event.type == EventType::Added &&
                     !at(event.object->doc(), "metadata", "ownerReferences").empty();
  const bool namespaced =
      resource == "namespaces" && (event.type == EventType::Added || terminating(event.object));
  const bool new_pod = resource == "pods" && event.type == EventType::Added;
  if (!deleted && !owned && !namespaced && !new_pod && !rolls_out(resource)) return;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({resource, event});
  }
  changed_.notify_all();
}

void Controllers::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || (queue_.empty() && !busy_); });
}

void Controllers::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const Item item = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    try {
      work(item);
    } catch (const ApiError&) {
      // Somebody else changed the object: whatever they did has been notified too.
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Controllers::work(const Item& item) {
  const ObjectPtr& object = item.event.object;
  if (item.event.type == EventType::Deleted) {
    for (const ObjectStore::Ref& ref : store_.dependents(object->uid)) collect(ref);
    const ObjectPtr ns = object->ns.empty() ? nullptr : store_.get("namespaces", "", object->ns);
    if (ns && terminating(ns)) empty_namespace(object->ns);
    if (item.resource == "pods") replace_pod(object);
    return;
  }
  if (!at(object->doc(), "metadata", "ownerReferences").empty())
    collect({item.resource, object->ns, object->name});
  if (item.resource == "namespaces" && terminating(object)) {
    empty_namespace(object->name);
  } else if (item.resource == "namespaces") {
    writer_.create(*registry_.by_storage("serviceaccounts"), object->name,
                   {{"metadata", {{"name", "default"}}}});
  }
  run_workloads(item);
}

// A pod is gone: its workload makes another.
void Controllers::replace_pod(const ObjectPtr& pod) {
  for (const Json& owner : at(pod->doc(), "metadata", "ownerReferences")) {
    for (const char* storage : {"deployments.apps", "statefulsets.apps", "daemonsets.apps"}) {
      const ObjectPtr workload = store_.get(storage, pod->ns, text_at(owner, "name"));
      if (!workload || workload->uid != text_at(owner, "uid")) continue;
      run_workloads({storage, {workload->revision(), EventType::Modified, workload, workload}});
    }
  }
}

void Controllers::run_workloads(const Item& item) {
  {
    const std::lock_guard lock(mutex_);
    if (!automatic_rollouts_) return;
  }
  // As it is now: what this event tells may be the past.
  const ObjectPtr object =
      store_.get(item.resource, item.event.object->ns, item.event.object->name);
  if (!object || object->uid != item.event.object->uid) return;
  if (item.resource == "pods") workloads_.start_pod(object);
  if (rolls_out(item.resource)) {
    if (const ResourcePtr resource = registry_.by_storage(item.resource))
      workloads_.roll_out(*resource, object);
  }
}

// Deletes an object none of whose owners exists: owners are looked for in its own namespace only.
void Controllers::collect(const ObjectStore::Ref& ref) {
  const ObjectPtr object = store_.get(ref.resource, ref.ns, ref.name);
  const ResourcePtr resource = registry_.by_storage(ref.resource);
  if (!object || !resource) return;
  for (const Json& owner : at(object->doc(), "metadata", "ownerReferences")) {
    std::string owner_ns;
    if (store_.alive(text_at(owner, "uid"), &owner_ns) &&
        (owner_ns.empty() || owner_ns == object->ns))
      return;
  }
  DeleteOptions options;
  options.uid = object->uid;
  writer_.remove(*resource, ref.ns, ref.name, options);
}

void Controllers::empty_namespace(const std::string& ns) {
  bool empty = true;
  for (const ObjectStore::Ref& ref : store_.in_namespace(ns)) {
    const ResourcePtr resource = registry_.by_storage(ref.resource);
    if (!resource) continue;
    try {
      if (!writer_.remove(*resource, ref.ns, ref.name).gone) empty = false;
    } catch (const ApiError&) {
      // gone already
    }
  }
  if (!empty) return;  // finalizers: their removal brings us back
  if (const ObjectPtr object = store_.get("namespaces", "", ns)) {
    writer_.drop_finalizer(*registry_.by_storage("namespaces"), object, "kubernetes");
  }
}

}  // namespace keyturn::sandbox
