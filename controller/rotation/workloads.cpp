#include "controller/rotation/workloads.h"

#include <array>

#include "controller/rotation/policy_reading.h"
#include "controller/rotation/workload_refs.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr int kPage = 100;  // workloads are large: a few KiB each
constexpr int kMostPages = 100;

constexpr std::array<const kube::ResourceType*, 3> kKinds{&kube::kDeployments, &kube::kStatefulSets,
                                                          &kube::kDaemonSets};

const kube::ResourceType& type_of(const std::string& kind) {
  for (const auto* type : kKinds) {
    if (type->kind == kind) return *type;
  }
  return kube::kDeployments;  // the spec's check knows the kinds
}

const json& template_of(const Workload& workload) {
  return member_of(member_of(workload.object, "spec"), "template");
}

const json& template_annotations(const Workload& workload) {
  return member_of(member_of(template_of(workload), "metadata"), "annotations");
}

}  // namespace

const json& Workload::pod_spec() const { return member_of(template_of(*this), "spec"); }

std::string Workload::restarted_for(const std::string& annotation) const {
  return text_of(template_annotations(*this), annotation.c_str());
}

std::optional<WallTime> Workload::created() const {
  return time_of(member_of(object, "metadata"), "creationTimestamp");
}

bool Workload::wants_pods() const {
  const json& replicas = member_of(member_of(object, "spec"), "replicas");
  return ref.kind == "DaemonSet" || !replicas.is_number_integer() || replicas != 0;
}

json restart_object(const std::string& ns, const Workload& workload, const RestartMarks& marks) {
  json annotations = json::object();
  const json& present = template_annotations(workload);
  if (present.is_object()) {
    for (const auto& [name, value] : present.items()) {
      if (name.starts_with(kRestartAnnotationPrefix)) annotations[name] = value;
    }
  }
  for (const auto& [name, version] : marks) annotations[name] = version;
  const json& metadata = member_of(workload.object, "metadata");
  return {{"apiVersion", type_of(workload.ref.kind).api_version()},
          {"kind", workload.ref.kind},
          {"metadata",
           {{"name", workload.ref.name},
            {"namespace", ns},
            {"uid", text_of(metadata, "uid")},
            {"resourceVersion", text_of(metadata, "resourceVersion")}}},
          {"spec", {{"template", {{"metadata", {{"annotations", std::move(annotations)}}}}}}}};
}

Result<std::vector<Workload>> Workloads::list(
    const std::string& ns, const std::function<bool(const Workload&)>& wanted) const {
  std::vector<Workload> found;
  for (const auto* type : kKinds) {
    kube::ListOptions options{.limit = kPage};
    for (int page = 0; page < kMostPages; ++page) {
      auto meta = client_.list_each(*type, ns, options, {}, [&](const json& object) -> Status {
        Workload workload{{std::string(type->kind), text_of(member_of(object, "metadata"), "name")},
                          object};
        if (wanted(workload)) found.push_back(std::move(workload));
        return {};
      });
      if (!meta) return std::move(meta).error();
      options.continue_token = meta->continue_token;
      if (options.continue_token.empty()) break;
    }
    if (!options.continue_token.empty()) {
      return make_error(ErrorClass::Unavailable, "TooManyWorkloads",
                        "namespace " + ns + " has more than " + std::to_string(kPage * kMostPages) +
                            " " + std::string(type->plural) + "; use rollout.restart Listed");
    }
  }
  return found;
}

Result<std::vector<Workload>> Workloads::get(const std::string& ns,
                                             const std::vector<WorkloadRef>& refs) const {
  std::vector<Workload> found;
  for (const WorkloadRef& ref : refs) {
    auto object = client_.get(type_of(ref.kind), ns, ref.name);
    if (object) {
      found.push_back({ref, std::move(object).value()});
    } else if (object.error().cls != ErrorClass::NotFound) {
      return std::move(object).error();
    }
  }
  return found;
}

Status Workloads::restart(const std::string& ns, const Workload& workload,
                          const RestartMarks& marks) const {
  auto reply = client_.apply(type_of(workload.ref.kind), ns, restart_object(ns, workload, marks),
                             {.metadata_only_reply = true});
  if (!reply) return std::move(reply).error();
  return {};
}

}  // namespace keyturn::rotation
