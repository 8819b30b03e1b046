#include "tests/sandbox/workload_controller.h"

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kHash = "pod-template-hash";
constexpr std::size_t kHashBytes = 5;

std::string hash_of(const Json& pod_template) {
  const Sha256 digest = sha256(pod_template.dump());
  return hex(std::span(digest).first(kHashBytes));
}

bool terminating(const ObjectPtr& object) {
  return !at(object->doc(), "metadata", "deletionTimestamp").is_null();
}

// Whether the workload's controller may replace its pod number `ordinal`.
bool replaces(const Resource& resource, const Json& spec, int ordinal) {
  if (resource.plural == "deployments") return at(spec, "paused") != true;
  const Json& strategy = at(spec, "updateStrategy");
  if (text_at(strategy, "type") == "OnDelete") return false;
  const Json& partition = at(strategy, "rollingUpdate", "partition");
  return !partition.is_number() || ordinal >= partition.get<int>();
}

Json container_status(const Json& container, const Json& state, bool ready) {
  return {{"name", text_at(container, "name")},
          {"image", text_at(container, "image")},
          {"ready", ready},
          {"restartCount", 0},
          {"state", state}};
}

Json conditions_of_deployment() {
  return {{{"type", "Available"},
           {"status", "True"},
           {"reason", "MinimumReplicasAvailable"},
           {"message", "Deployment has minimum availability."}},
          {{"type", "Progressing"},
           {"status", "True"},
           {"reason", "NewReplicaSetAvailable"},
           {"message", "ReplicaSet has successfully progressed."}}};
}

Json status_of(const Resource& resource, const ObjectPtr& object, int updated, int old) {
  const Json& doc = object->doc();
  Json status = {{"observedGeneration", at(doc, "metadata", "generation")}};
  const int all = updated + old;
  if (resource.plural == "daemonsets") {
    for (const char* field :
         {"desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable"})
      status[field] = all;
    status["updatedNumberScheduled"] = updated;
    status["numberMisscheduled"] = 0;
    return status;
  }
  for (const char* field : {"replicas", "readyReplicas", "availableReplicas"}) status[field] = all;
  status["updatedReplicas"] = updated;
  if (resource.plural == "statefulsets") {
    const std::string revision = object->name + "-" + hash_of(at(doc, "spec", "template"));
    const std::string before = text_at(doc, "status", "currentRevision");
    status["updateRevision"] = revision;
    status["currentRevision"] = old == 0 || before.empty() ? revision : before;
    status["currentReplicas"] = old == 0 ? updated : old;
  } else {
    status["conditions"] = conditions_of_deployment();
  }
  return status;
}

WriteOptions as(const char* manager) {
  WriteOptions options;
  options.manager = manager;
  options.subresource = "status";
  return options;
}

}  // namespace

void WorkloadController::create_pod(const Resource& resource, const ObjectPtr& object,
                                    const std::string& name, const std::string& hash) {
  const Json& pod_template = at(object->doc(), "spec", "template");
  Json metadata = at(pod_template, "metadata");
  if (!metadata.is_object()) metadata = Json::object();
  metadata["name"] = name;
  metadata["labels"][kHash] = hash;
  metadata["ownerReferences"] = {{{"apiVersion", resource.group + "/" + resource.version},
                                  {"kind", resource.kind},
                                  {"name", object->name},
                                  {"uid", object->uid},
                                  {"controller", true},
                                  {"blockOwnerDeletion", true}}};
  const ObjectPtr pod =
      writer_.create(*registry_.by_storage("pods"), object->ns,
                     {{"metadata", metadata}, {"spec", at(pod_template, "spec")}});
  start_pod(pod);
}

WorkloadController::Pods WorkloadController::replace_pods(const Resource& resource,
                                                          const ObjectPtr& object, int replicas) {
  const Json& spec = at(object->doc(), "spec");
  const std::string hash = hash_of(at(spec, "template"));
  const ResourcePtr pods = registry_.by_storage("pods");
  Pods count;
  for (const ObjectStore::Ref& ref : store_.dependents(object->uid)) {
    if (ref.resource != "pods") continue;
    const ObjectPtr pod = store_.get(ref.resource, ref.ns, ref.name);
    if (!pod || terminating(pod)) continue;
    const bool current = text_at(pod->doc(), "metadata", "labels", kHash) == hash;
    const int ordinal = count.updated + count.old;
    if (ordinal < replicas && (current || !replaces(resource, spec, ordinal))) {
      ++(current ? count.updated : count.old);
    } else {
      writer_.remove(*pods, ref.ns, ref.name);
    }
  }
  while (count.updated + count.old < replicas) {
    create_pod(resource, object, object->name + "-" + std::to_string(++named_), hash);
    ++count.updated;
  }
  return count;
}

void WorkloadController::roll_out(const Resource& resource, const ObjectPtr& object) {
  const Json& doc = object->doc();
  if (terminating(object)) return;
  const Json& asked = at(doc, "spec", "replicas");
  const bool daemons = resource.plural == "daemonsets";
  const int replicas = daemons || !asked.is_number() ? 1 : asked.get<int>();
  const Pods count = replace_pods(resource, object, replicas);
  const Json status = status_of(resource, object, count.updated, count.old);
  bool changed = false;
  for (const auto& [field, value] : status.items())
    changed = changed || at(doc, "status", field) != value;
  if (!changed) return;
  writer_.patch(resource, object->ns, object->name, PatchType::Merge, {{"status", status}},
                as("kube-controller-manager"));
}

void WorkloadController::start_pod(const ObjectPtr& pod) {
  const Json& doc = pod->doc();
  if (!text_at(doc, "status", "phase").empty() || terminating(pod)) return;
  const std::string now = format_rfc3339(clock_.now());
  Json status = {{"phase", "Running"},
                 {"startTime", now},
                 {"conditions", {{{"type", "Ready"}, {"status", "True"}}}},
                 {"containerStatuses", Json::array()}};
  for (const Json& container : at(doc, "spec", "containers")) {
    status["containerStatuses"].push_back(
        container_status(container, {{"running", {{"startedAt", now}}}}, true));
  }
  if (const Json& inits = at(doc, "spec", "initContainers"); inits.is_array()) {
    for (const Json& container : inits) {
      const Json ended = {{"exitCode", 0}, {"startedAt", now}, {"finishedAt", now}};
      status["initContainerStatuses"].push_back(
          container_status(container, {{"terminated", ended}}, true));
    }
  }
  writer_.patch(*registry_.by_storage("pods"), pod->ns, pod->name, PatchType::Merge,
                {{"status", status}}, as("kubelet"));
}

}  // namespace keyturn::sandbox
