// The verbs of KubeApi that answer with lists, and those that write.
#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/kind_rules.h"
#include "tests/sandbox/kube_api.h"
#include "tests/sandbox/kube_list.h"
#include "tests/sandbox/table.h"
#include "tests/sandbox/yaml.h"

namespace keyturn::sandbox {
namespace {

// Field manager: the parameter, or the program's name out of User-Agent.
std::string manager_of(const HttpRequest& request, bool required) {
  if (const auto given = request.param("fieldManager"); given && !given->empty()) {
    if (given->size() > 128)
      throw bad_request("fieldManager: Too long: may not be more than 128 bytes");
    return *given;
  }
  if (required)
    throw bad_request(
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for "
        "apply patch");
  const std::string agent = request.header("user-agent");
  const std::string name = agent.substr(0, agent.find('/'));
  return name.empty() ? "unknown" : name.substr(0, 128);
}

WriteOptions options_of(const HttpRequest& request, const KubeRequest& kube,
                        std::vector<std::string>& warnings) {
  WriteOptions out;
  out.manager = manager_of(request, kube.verb == "apply");
  out.subresource = kube.subresource;
  out.dry_run = request.param("dryRun").value_or("") == "All";
  out.force = request.flag("force");
  out.field_validation = request.param("fieldValidation").value_or("Warn");
  out.warnings = &warnings;
  if (request.param("force") && kube.verb != "apply") {
    throw invalid_object(
        "PatchOptions.meta.k8s.io", "",
        {{"FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"}});
  }
  return out;
}

PatchType patch_type(const HttpRequest& request, const Resource& resource) {
  const std::string type = request.header("content-type");
  if (type.starts_with("application/merge-patch+json")) return PatchType::Merge;
  if (type.starts_with("application/json-patch+json")) return PatchType::Operations;
  if (type.starts_with("application/strategic-merge-patch+json") && !resource.custom)
    return PatchType::Strategic;
  throw ApiError(
      415, "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: "
      "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
}

DeleteOptions delete_options(const HttpRequest& request) {
  DeleteOptions out;
  const Json body = request.body.empty() ? Json::object() : parse_body(request);
  out.uid = text_at(body, "preconditions", "uid");
  out.resource_version = text_at(body, "preconditions", "resourceVersion");
  out.propagation = request.param("propagationPolicy").value_or(text_at(body, "propagationPolicy"));
  if (at(body, "orphanDependents") == true) out.propagation = "Orphan";
  const Json& dry = at(body, "dryRun");
  out.dry_run = request.param("dryRun").value_or("") == "All" || (dry.is_array() && !dry.empty());
  return out;
}

}  // namespace

HttpResponse KubeApi::read_list(const HttpRequest& request, const KubeRequest& kube) {
  const AnswerForm form = negotiate(request);
  const ListResult list = list_objects(store_, kube, request, token_epoch_);
  Json metadata = {{"resourceVersion", std::to_string(list.revision)}};
  if (!list.continue_token.empty()) metadata["continue"] = list.continue_token;
  if (list.remaining > 0) metadata["remainingItemCount"] = list.remaining;
  const Resource& resource = *kube.resource;
  if (form == AnswerForm::Table) {
    return {200,
            "application/json",
            make_table(resource, list.objects, request, clock_.now(), std::to_string(list.revision),
                       metadata),
            {}};
  }
  const bool convert = resource.group == "events.k8s.io";
  std::string body = form == AnswerForm::Metadata
                         ? R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1")"
                         : R"({"kind":")" + resource.kind + R"(List","apiVersion":")" +
                               resource.api_version() + "\"";
  body += ",\"metadata\":" + metadata.dump() + ",\"items\":[";
  bool first = true;
  for (const ObjectPtr& object : list.objects) {
    if (!first) body += ",";
    first = false;
    if (form == AnswerForm::Metadata) {
      body += object->metadata_text();
    } else {
      body += convert ? to_events_v1(object->doc()).dump() : object->text();
    }
  }
  body += "]}\n";
  return {200, "application/json", std::move(body), {}};
}

HttpResponse KubeApi::write(const HttpRequest& request, const KubeRequest& kube) {
  const Resource& resource = *kube.resource;
  if (kube.verb == "create" && kube.plural == "serviceaccounts" && kube.subresource == "token") {
    return create_token(request, kube);
  }
  const bool status = kube.subresource == "status" && resource.status;
  if (!kube.subresource.empty() && !status) throw no_such_path();
  if (kube.verb == "create" && !kube.name.empty()) throw method_not_allowed(resource.qualified());
  if (kube.verb != "create" && kube.name.empty()) throw method_not_allowed(resource.qualified());
  std::vector<std::string> warnings;
  const WriteOptions options = options_of(request, kube, warnings);
  Json body = kube.verb == "apply" ? parse_yaml_or_json(request.body) : parse_body(request);
  Written written;
  if (kube.verb == "create") {
    const std::string ns = resource.namespaced ? kube.ns : "";
    if (resource.namespaced && ns.empty()) throw method_not_allowed(resource.qualified());
    written = {writer_.create(resource, ns, std::move(body), options), true};
  } else if (kube.verb == "update") {
    written.object = writer_.replace(resource, kube.ns, kube.name, std::move(body), options);
  } else if (kube.verb == "apply") {
    written = writer_.apply(resource, kube.ns, kube.name, std::move(body), options);
  } else {
    written.object =
        writer_.patch(resource, kube.ns, kube.name, patch_type(request, resource), body, options);
  }
  HttpResponse out = answer(written.object, written.created ? 201 : 200, request, resource);
  for (const std::string& warning : warnings) {
    std::string quoted;
    for (const char c : warning)
      quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    out.headers.emplace_back("Warning", "299 - \"" + quoted + "\"");
  }
  return out;
}

HttpResponse KubeApi::remove_one(const HttpRequest& request, const KubeRequest& kube) {
  if (!kube.subresource.empty()) throw method_not_allowed(kube.resource->qualified());
  const Removed removed =
      writer_.remove(*kube.resource, kube.ns, kube.name, delete_options(request));
  if (!removed.gone) return answer(removed.object, 200, request, *kube.resource);
  Json details = {{"name", kube.name}, {"kind", kube.plural}, {"uid", removed.object->uid}};
  if (!kube.group.empty()) details["group"] = kube.group;
  const Json status = {{"kind", "Status"},
                       {"apiVersion", "v1"},
                       {"metadata", Json::object()},
                       {"status", "Success"},
                       {"details", std::move(details)}};
  return {200, "application/json", status.dump() + "\n", {}};
}

HttpResponse KubeApi::remove_many(const HttpRequest& request, const KubeRequest& kube) {
  const DeleteOptions options = delete_options(request);
  const ListResult list = list_objects(store_, kube, request, token_epoch_);
  Json items = Json::array();
  for (const ObjectPtr& object : list.objects) {
    try {
      items.push_back(
          writer_.remove(*kube.resource, object->ns, object->name, options).object->doc());
    } catch (const ApiError& error) {
      if (error.reason != "NotFound") throw;
    }
  }
  const Json body = {{"kind", kube.resource->kind + "List"},
                     {"apiVersion", kube.resource->api_version()},
                     {"metadata", {{"resourceVersion", std::to_string(store_.revision())}}},
                     {"items", std::move(items)}};
  return {200, "application/json", body.dump() + "\n", {}};
}

}  // namespace keyturn::sandbox
