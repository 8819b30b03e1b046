// The built-in kinds, with as much of their schemas as field ownership, strategic merges and
// kubectl need. Where a structure is not spelled out it is open: unknown fields stay.
#include <initializer_list>
#include <utility>

#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {
namespace {

using Fields = std::initializer_list<std::pair<const char*, Json>>;

Json str() { return {{"type", "string"}}; }
Json integer() { return {{"type", "integer"}, {"format", "int32"}}; }
Json boolean() { return {{"type", "boolean"}}; }
Json int_or_string() { return {{"x-kubernetes-int-or-string", true}}; }
Json any() { return {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}; }

Json object(Fields fields) {
  Json out = {{"type", "object"}, {"properties", Json::object()}};
  for (const auto& [name, schema] : fields) out["properties"][name] = schema;
  return out;
}
// Known fields, and others that are not spelled out.
Json open(Fields fields) {
  Json out = object(fields);
  out["x-kubernetes-preserve-unknown-fields"] = true;
  return out;
}
Json atomic(Json schema) {
  schema["x-kubernetes-map-type"] = "atomic";
  return schema;
}
Json map_of(Json value) { return {{"type", "object"}, {"additionalProperties", std::move(value)}}; }
Json list(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json set_of(Json items) {
  Json out = list(std::move(items));
  out["x-kubernetes-list-type"] = "set";
  return out;
}
// A list map; the first key is also the strategic merge key.
Json list_by(std::initializer_list<const char*> keys, Json items) {
  Json out = list(std::move(items));
  out["x-kubernetes-list-type"] = "map";
  for (const char* key : keys) out["x-kubernetes-list-map-keys"].push_back(key);
  out["x-kubernetes-patch-merge-key"] = *keys.begin();
  out["x-kubernetes-patch-strategy"] = "merge";
  return out;
}

Json label_selector() {
  return atomic(object({{"matchLabels", map_of(str())}, {"matchExpressions", list(any())}}));
}

Json conditions() { return list_by({"type"}, open({{"type", str()}, {"status", str()}})); }

Json object_reference() {
  return atomic(object({{"apiVersion", str()},
                        {"kind", str()},
                        {"namespace", str()},
                        {"name", str()},
                        {"uid", str()},
                        {"resourceVersion", str()},
                        {"fieldPath", str()}}));
}

Json container() {
  Json protocol = str();
  protocol["default"] = "TCP";
  return open(
      {{"name", str()},
       {"image", str()},
       {"command", list(str())},
       {"args", list(str())},
       {"env", list_by({"name"}, open({{"name", str()}, {"value", str()}, {"valueFrom", any()}}))},
       {"envFrom", list(any())},
       {"ports",
        list_by({"containerPort", "protocol"},
                open({{"containerPort", integer()}, {"name", str()}, {"protocol", protocol}}))},
       {"volumeMounts", list_by({"mountPath"}, open({{"mountPath", str()}, {"name", str()}}))},
       {"resources",
        open({{"limits", map_of(int_or_string())}, {"requests", map_of(int_or_string())}})}});
}

Json pod_spec() {
  return open({{"containers", list_by({"name"}, container())},
               {"initContainers", list_by({"name"}, container())},
               {"volumes", list_by({"name"}, open({{"name", str()}}))},
               {"imagePullSecrets", list_by({"name"}, open({{"name", str()}}))},
               {"nodeSelector", atomic(map_of(str()))},
               {"serviceAccountName", str()},
               {"restartPolicy", str()},
               {"nodeName", str()},
               {"terminationGracePeriodSeconds", integer()}});
}

Json pod_template() { return object({{"metadata", object_meta_schema()}, {"spec", pod_spec()}}); }

Json workload_spec() {
  return open({{"replicas", integer()},
               {"selector", label_selector()},
               {"template", pod_template()},
               {"strategy", any()},
               {"updateStrategy", any()},
               {"serviceName", str()},
               {"minReadySeconds", integer()},
               {"paused", boolean()}});
}

Json workload_status() {
  return open(
      {{"conditions", conditions()}, {"observedGeneration", integer()}, {"replicas", integer()}});
}

// apiVersion, kind and metadata around a kind's own fields.
Json kind_schema(Fields fields) {
  Json out = object(fields);
  out["properties"]["apiVersion"] = str();
  out["properties"]["kind"] = str();
  out["properties"]["metadata"] = object_meta_schema();
  return out;
}

struct Names {
  const char *group, *version, *plural, *singular, *kind;
  std::vector<std::string> short_names;
};

Resource make(const Names& names, Json schema) {
  Resource out;
  out.group = names.group;
  out.version = names.version;
  out.plural = names.plural;
  out.singular = names.singular;
  out.kind = names.kind;
  out.short_names = names.short_names;
  out.schema = Schema::parse(schema);
  out.openapi = std::move(schema);
  return out;
}

Resource cluster(Resource resource) {
  resource.namespaced = false;
  return resource;
}
Resource with_status(Resource resource) {
  resource.status = true;
  return resource;
}
Resource versioned(Resource resource) {
  resource.generation = true;
  return with_status(std::move(resource));
}

void add_core(std::vector<Resource>& out) {
  const Json bytes = map_of({{"type", "string"}, {"format", "byte"}});
  out.push_back(cluster(with_status(
      make({"", "v1", "namespaces", "namespace", "Namespace", {"ns"}},
           kind_schema({{"spec", object({{"finalizers", list(str())}})},
                        {"status", object({{"phase", str()}, {"conditions", conditions()}})}})))));
  out.push_back(make({"", "v1", "secrets", "secret", "Secret", {}},
                     kind_schema({{"data", bytes},
                                  {"stringData", map_of(str())},
                                  {"type", str()},
                                  {"immutable", boolean()}})));
  out.push_back(make(
      {"", "v1", "configmaps", "configmap", "ConfigMap", {"cm"}},
      kind_schema({{"data", map_of(str())}, {"binaryData", bytes}, {"immutable", boolean()}})));
  out.push_back(make({"", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", {"sa"}},
                     kind_schema({{"secrets", list_by({"name"}, object_reference())},
                                  {"imagePullSecrets", list(object({{"name", str()}}))},
                                  {"automountServiceAccountToken", boolean()}})));
  out.push_back(with_status(
      make({"", "v1", "pods", "pod", "Pod", {"po"}},
           kind_schema({{"spec", pod_spec()},
                        {"status", open({{"conditions", conditions()}, {"phase", str()}})}}))));
  out.push_back(with_status(make(
      {"", "v1", "services", "service", "Service", {"svc"}},
      kind_schema({{"spec", open({{"selector", atomic(map_of(str()))}})}, {"status", open({})}}))));
  out.push_back(cluster(with_status(
      make({"", "v1", "nodes", "node", "Node", {"no"}},
           kind_schema({{"spec", open({})}, {"status", open({{"conditions", conditions()}})}})))));
}

void add_events(std::vector<Resource>& out) {
  const Json source = object({{"component", str()}, {"host", str()}});
  out.push_back(
      make({"", "v1", "events", "event", "Event", {"ev"}},
           kind_schema({{"involvedObject", object_reference()},
                        {"related", object_reference()},
                        {"reason", str()},
                        {"message", str()},
                        {"type", str()},
                        {"action", str()},
                        {"count", integer()},
                        {"source", source},
                        {"eventTime", str()},
                        {"firstTimestamp", str()},
                        {"lastTimestamp", str()},
                        {"reportingComponent", str()},
                        {"reportingInstance", str()},
                        {"series", object({{"count", integer()}, {"lastObservedTime", str()}})}})));
  out.push_back(
      make({"events.k8s.io", "v1", "events", "event", "Event", {"ev"}},
           kind_schema({{"regarding", object_reference()},
                        {"related", object_reference()},
                        {"reason", str()},
                        {"note", str()},
                        {"type", str()},
                        {"action", str()},
                        {"eventTime", str()},
                        {"reportingController", str()},
                        {"reportingInstance", str()},
                        {"deprecatedCount", integer()},
                        {"deprecatedSource", source},
                        {"deprecatedFirstTimestamp", str()},
                        {"deprecatedLastTimestamp", str()},
                        {"series", object({{"count", integer()}, {"lastObservedTime", str()}})}})));
  out.back().stored_as = "events";
}

void add_workloads(std::vector<Resource>& out) {
  const Json schema = kind_schema({{"spec", workload_spec()}, {"status", workload_status()}});
  out.push_back(versioned(
      make({"apps", "v1", "deployments", "deployment", "Deployment", {"deploy"}}, schema)));
  out.push_back(versioned(
      make({"apps", "v1", "statefulsets", "statefulset", "StatefulSet", {"sts"}}, schema)));
  out.push_back(
      versioned(make({"apps", "v1", "daemonsets", "daemonset", "DaemonSet", {"ds"}}, schema)));
  out.push_back(
      versioned(make({"apps", "v1", "replicasets", "replicaset", "ReplicaSet", {"rs"}}, schema)));
  for (Resource& resource : out) {
    if (resource.group == "apps") resource.categories = {"all"};
  }
}

void add_cluster_machinery(std::vector<Resource>& out) {
  out.push_back(make({"coordination.k8s.io", "v1", "leases", "lease", "Lease", {}},
                     kind_schema({{"spec", object({{"holderIdentity", str()},
                                                   {"leaseDurationSeconds", integer()},
                                                   {"acquireTime", str()},
                                                   {"renewTime", str()},
                                                   {"leaseTransitions", integer()},
                                                   {"strategy", str()},
                                                   {"preferredHolder", str()}})}})));
  out.back().unconditional_update = false;
  out.push_back(cluster(versioned(make(
      {"apiextensions.k8s.io",
       "v1",
       "customresourcedefinitions",
       "customresourcedefinition",
       "CustomResourceDefinition",
       {"crd", "crds"}},
      kind_schema(
          {{"spec", open({{"names", open({})}})},
           {"status", open({{"conditions", conditions()}, {"storedVersions", list(str())}})}})))));
  out.back().unconditional_update = false;
  const Json rules = kind_schema({{"rules", list(any())}, {"aggregationRule", any()}});
  const Json binding = kind_schema({{"subjects", list(any())}, {"roleRef", atomic(any())}});
  const char* rbac = "rbac.authorization.k8s.io";
  out.push_back(make({rbac, "v1", "roles", "role", "Role", {}}, rules));
  out.push_back(
      cluster(make({rbac, "v1", "clusterroles", "clusterrole", "ClusterRole", {}}, rules)));
  out.push_back(make({rbac, "v1", "rolebindings", "rolebinding", "RoleBinding", {}}, binding));
  out.push_back(cluster(
      make({rbac, "v1", "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", {}},
           binding)));
}

}  // namespace

Json object_meta_schema() {
  const Json owner = atomic(object({{"apiVersion", str()},
                                    {"kind", str()},
                                    {"name", str()},
                                    {"uid", str()},
                                    {"controller", boolean()},
                                    {"blockOwnerDeletion", boolean()}}));
  return object({{"name", str()},
                 {"generateName", str()},
                 {"namespace", str()},
                 {"uid", str()},
                 {"resourceVersion", str()},
                 {"generation", integer()},
                 {"creationTimestamp", str()},
                 {"deletionTimestamp", str()},
                 {"deletionGracePeriodSeconds", integer()},
                 {"selfLink", str()},
                 {"labels", map_of(str())},
                 {"annotations", map_of(str())},
                 {"finalizers", set_of(str())},
                 {"ownerReferences", list_by({"uid"}, owner)},
                 {"managedFields", list(any())}});
}

std::vector<Resource> builtin_resources() {
  std::vector<Resource> out;
  add_core(out);
  add_events(out);
  add_workloads(out);
  add_cluster_machinery(out);
  return out;
}

}  // namespace keyturn::sandbox
