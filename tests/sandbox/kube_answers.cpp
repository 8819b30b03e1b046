// The verbs of KubeApi that answer with lists, and those that write.
#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/event_rules.h"
#include "tests/sandbox/kube_api.h"
#include "tests/sandbox/kube_list.h"
#include "tests/sandbox/table.h"
#include "tests/sandbox/yaml.h"

namespace keyturn::sandbox {
namespace {

ApiError bad_option(const KubeRequest& kube, ErrorCause cause) {
  const char* options = kube.verb == "create"   ? "CreateOptions.meta.k8s.io"
                        : kube.verb == "update" ? "UpdateOptions.meta.k8s.io"
                                                : "PatchOptions.meta.k8s.io";
  return invalid_object(options, "", {std::move(cause)});
}

// Field manager: the parameter, or the program's name out of User-Agent.
std::string manager_of(const HttpRequest& request, const KubeRequest& kube) {
  if (const auto given = request.param("fieldManager"); given && !given->empty()) {
    if (given->size() > 128) {
      throw bad_option(
          kube, {"FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"});
    }
    return *given;
  }
  if (kube.verb == "apply") {
    throw bad_option(kube, {"FieldValueRequired", "Required value: is required for apply patch",
                            "fieldManager"});
  }
  const std::string agent = request.header("user-agent");
  const std::string name = agent.substr(0, agent.find('/'));
  return name.empty() ? "unknown" : name.substr(0, 128);
}

WriteOptions options_of(const HttpRequest& request, const KubeRequest& kube,
                        std::vector<std::string>& warnings) {
  WriteOptions out;
  out.manager = manager_of(request, kube);
  out.subresource = kube.subresource;
  out.dry_run = request.param("dryRun").value_or("") == "All";
  out.force = request.flag("force");
  out.field_validation = request.param("fieldValidation").value_or("Warn");
  out.warnings = &warnings;
  if (request.param("force") && kube.verb != "apply") {
    throw bad_option(kube, {"FieldValueForbidden",
                            "Forbidden: may not be specified for non-apply patch", "force"});
  }
  return out;
}

PatchType patch_type(const HttpRequest& request, const Resource& resource) {
  const std::string type = request.header("content-type");
  if (type.starts_with("application/merge-patch+json")) return PatchType::Merge;
  if (type.starts_with("application/json-patch+json")) return PatchType::Operations;
  if (type.starts_with("application/strategic-merge-patch+json") && !resource.custom)
    return PatchType::Strategic;
  ApiError error(
      415, "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: "
      "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
  error.generic = !resource.custom;  // the routes of built-in kinds know their media types
  throw error;
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

// Objects of built-in kinds do not repeat in a list what the list says: their version and kind.
std::string item_text(const Resource& resource, const Object& object) {
  if (resource.custom) return object.text();
  const Json converted = resource.group == "events.k8s.io" ? to_events_v1(object.doc()) : Json();
  std::string out = "{";
  for (const auto& [field, value] : (converted.is_null() ? object.doc() : converted).items()) {
    if (field == "apiVersion" || field == "kind") continue;
    if (out.size() > 1) out += ",";
    out += "\"" + field + "\":" + value.dump();
  }
  return out + "}";
}

std::string list_text(const Resource& resource, bool metadata_only, const Json& metadata,
                      const std::vector<ObjectPtr>& objects) {
  std::string out = metadata_only
                        ? R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1")"
                        : R"({"kind":")" + resource.kind + R"(List","apiVersion":")" +
                              resource.api_version() + "\"";
  out += ",\"metadata\":" + metadata.dump() + ",\"items\":[";
  bool first = true;
  for (const ObjectPtr& object : objects) {
    if (!first) out += ",";
    first = false;
    out += metadata_only ? object->metadata_text() : item_text(resource, *object);
  }
  return out + "]}\n";
}

}  // namespace

HttpResponse KubeApi::read_list(const HttpRequest& request, const KubeRequest& kube) {
  const AnswerForm form = negotiate(request, *kube.resource);
  const ListResult list = list_objects(store_, kube, request, token_epoch_);
  Json metadata = {{"resourceVersion", std::to_string(list.revision)}};
  // Whole lists of custom resources say even that there is no more.
  if (!list.continue_token.empty() || (kube.resource->custom && form == AnswerForm::Full))
    metadata["continue"] = list.continue_token;
  if (list.remaining > 0) metadata["remainingItemCount"] = list.remaining;
  const Resource& resource = *kube.resource;
  if (form == AnswerForm::Table) {
    return {200,
            "application/json",
            make_table(resource, list.objects, request, clock_.now(), std::to_string(list.revision),
                       metadata),
            {}};
  }
  return {200,
          "application/json",
          list_text(resource, form == AnswerForm::Metadata, metadata, list.objects),
          {}};
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
  const PatchType type =
      kube.verb == "patch" ? patch_type(request, resource) : PatchType::Merge;  // before the body
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
    written.object = writer_.patch(resource, kube.ns, kube.name, type, body, options);
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
  std::vector<ObjectPtr> removed;
  for (const ObjectPtr& object : list.objects) {
    try {
      removed.push_back(writer_.remove(*kube.resource, object->ns, object->name, options).object);
    } catch (const ApiError& error) {
      if (error.reason != "NotFound") throw;
    }
  }
  const Json metadata = {{"resourceVersion", std::to_string(store_.revision())}};
  return {200, "application/json", list_text(*kube.resource, false, metadata, removed), {}};
}

}  // namespace keyturn::sandbox
