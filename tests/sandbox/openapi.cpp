#include "tests/sandbox/openapi.h"

#include <algorithm>
#include <map>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

std::string path_of_group(const Resource& resource) {
  return resource.group.empty() ? "api/" + resource.version
                                : "apis/" + resource.group + "/" + resource.version;
}

// "io.k8s.api.core.v1.Secret", "dev.keyturn.v1alpha1.RotationPolicy".
std::string schema_name(const Resource& resource) {
  if (!resource.custom) {
    const std::string group =
        resource.group.empty() ? "core" : resource.group.substr(0, resource.group.find('.'));
    return "io.k8s.api." + group + "." + resource.version + "." + resource.kind;
  }
  std::vector<std::string> parts = split(resource.group, '.');
  std::reverse(parts.begin(), parts.end());
  return join(parts, ".") + "." + resource.version + "." + resource.kind;
}

Json gvk_of(const Resource& resource) {
  return {{"group", resource.group}, {"version", resource.version}, {"kind", resource.kind}};
}

Json parameter(const char* name, const char* type) {
  return {{"name", name}, {"in", "query"}, {"schema", {{"type", type}, {"uniqueItems", true}}}};
}

// kubectl looks for fieldValidation here before it asks the server to validate.
Json operation(const Resource& resource, const char* action, bool writes) {
  Json out = {{"x-kubernetes-action", action},
              {"x-kubernetes-group-version-kind", gvk_of(resource)},
              {"responses", {{"200", {{"description", "OK"}}}}}};
  if (writes) {
    out["parameters"] = {parameter("dryRun", "string"), parameter("fieldManager", "string"),
                         parameter("fieldValidation", "string")};
  }
  return out;
}

void add_paths(Json& paths, const Resource& resource) {
  const std::string base = "/" + path_of_group(resource) +
                           (resource.namespaced ? "/namespaces/{namespace}/" : "/") +
                           resource.plural;
  paths[base] = {{"get", operation(resource, "list", false)},
                 {"post", operation(resource, "post", true)}};
  Json patch = operation(resource, "patch", true);
  patch["parameters"].push_back(parameter("force", "boolean"));
  for (const char* type : {"application/json-patch+json", "application/merge-patch+json",
                           "application/apply-patch+yaml"}) {
    patch["requestBody"]["content"][type]["schema"] = {{"type", "object"}};
  }
  if (!resource.custom) {
    patch["requestBody"]["content"]["application/strategic-merge-patch+json"]["schema"] = {
        {"type", "object"}};
  }
  paths[base + "/{name}"] = {{"get", operation(resource, "get", false)},
                             {"put", operation(resource, "put", true)},
                             {"patch", patch},
                             {"delete", operation(resource, "delete", false)}};
}

Json document(const std::vector<ResourcePtr>& resources) {
  Json out = {{"openapi", "3.0.0"},
              {"info", {{"title", "Kubernetes"}, {"version", "v1.36.3"}}},
              {"paths", Json::object()},
              {"components", {{"schemas", Json::object()}}}};
  for (const ResourcePtr& resource : resources) {
    Json schema = resource->openapi;
    schema["x-kubernetes-group-version-kind"] = Json::array({gvk_of(*resource)});
    out["components"]["schemas"][schema_name(*resource)] = std::move(schema);
    add_paths(out["paths"], *resource);
  }
  return out;
}

std::map<std::string, std::vector<ResourcePtr>> by_group_version(const Registry& registry) {
  std::map<std::string, std::vector<ResourcePtr>> out;
  for (const ResourcePtr& resource : registry.all())
    out[path_of_group(*resource)].push_back(resource);
  return out;
}

// What v2 has no words for.
void strip_v3(Json& schema) {
  if (schema.is_object()) {
    for (const char* keyword : {"anyOf", "oneOf", "allOf", "not", "nullable", "default"}) {
      if (!(std::string_view(keyword) == "default" && schema.contains("properties")))
        schema.erase(keyword);
    }
    for (auto& [key, child] : schema.items()) strip_v3(child);
  } else if (schema.is_array()) {
    for (Json& child : schema) strip_v3(child);
  }
}

HttpResponse version2(const HttpRequest& request, const Registry& registry) {
  const std::string accept = request.header("accept");
  if (!accept.empty() && accept.find("json") == std::string::npos &&
      accept.find("*/*") == std::string::npos) {
    throw ApiError(406, "NotAcceptable",
                   "the sandbox publishes OpenAPI v2 as JSON only; use /openapi/v3");
  }
  Json out = {{"swagger", "2.0"},
              {"info", {{"title", "Kubernetes"}, {"version", "v1.36.3"}}},
              {"paths", Json::object()},
              {"definitions", Json::object()}};
  for (const ResourcePtr& resource : registry.all()) {
    Json schema = resource->openapi;
    strip_v3(schema);
    schema["x-kubernetes-group-version-kind"] = Json::array({gvk_of(*resource)});
    out["definitions"][schema_name(*resource)] = std::move(schema);
  }
  return {200, "application/json", out.dump(), {}};
}

}  // namespace

std::optional<HttpResponse> openapi_answer(const HttpRequest& request, const Registry& registry) {
  if (request.path == "/openapi/v2") return version2(request, registry);
  if (!request.path.starts_with("/openapi/v3")) return std::nullopt;
  const auto groups = by_group_version(registry);
  if (request.path == "/openapi/v3" || request.path == "/openapi/v3/") {
    Json paths = Json::object();
    for (const auto& [group, resources] : groups) {
      const std::string hash = hex(sha256(document(resources).dump())).substr(0, 32);
      paths[group] = {{"serverRelativeURL", "/openapi/v3/" + group + "?hash=" + hash}};
    }
    return HttpResponse{200, "application/json", Json{{"paths", paths}}.dump(), {}};
  }
  const auto found = groups.find(request.path.substr(std::string("/openapi/v3/").size()));
  if (found == groups.end()) return std::nullopt;
  return HttpResponse{200, "application/json", document(found->second).dump(), {}};
}

}  // namespace keyturn::sandbox
