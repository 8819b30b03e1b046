#include "tests/sandbox/kube_request.h"

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/protobuf.h"
#include "tests/sandbox/yaml.h"

namespace keyturn::sandbox {
namespace {

std::string verb_of(const HttpRequest& request, bool named) {
  if (request.method == "GET" || request.method == "HEAD") {
    if (request.flag("watch")) return "watch";
    return named ? "get" : "list";
  }
  if (request.method == "POST") return "create";
  if (request.method == "PUT") return "update";
  if (request.method == "DELETE") return named ? "delete" : "deletecollection";
  if (request.method != "PATCH") return "";
  const std::string type = request.header("content-type");
  return type.find("application/apply-patch") == 0 ? "apply" : "patch";
}

}  // namespace

KubeRequest parse_kube_request(const HttpRequest& request, const Registry& registry) {
  KubeRequest out;
  std::vector<std::string> parts = split(request.path, '/');
  std::erase(parts, "");
  std::size_t next = 0;
  if (parts.size() >= 2 && parts[0] == "api") {
    out.version = parts[1];
    next = 2;
  } else if (parts.size() >= 3 && parts[0] == "apis") {
    out.group = parts[1];
    out.version = parts[2];
    next = 3;
  } else {
    return out;
  }
  if (next >= parts.size()) return out;    // discovery
  if (parts[next] == "watch") return out;  // the old watch paths are not served
  out.resource_path = true;
  // /namespaces/X is the namespace itself; /namespaces/X/plural… is something in it.
  if (parts[next] == "namespaces" && next + 2 < parts.size() && parts[next + 2] != "status" &&
      parts[next + 2] != "finalize") {
    out.ns = parts[next + 1];
    next += 2;
  }
  out.plural = parts[next++];
  if (next < parts.size()) out.name = parts[next++];
  if (next < parts.size()) out.subresource = parts[next++];
  if (next < parts.size()) return out;
  out.resource = registry.find(out.group, out.version, out.plural);
  if (out.resource && !out.resource->namespaced && !out.ns.empty()) out.resource = nullptr;
  // A named object of a namespaced kind needs its namespace.
  if (out.resource && out.resource->namespaced && out.ns.empty() && !out.name.empty())
    out.resource = nullptr;
  out.verb = verb_of(request, !out.name.empty());
  return out;
}

AnswerForm negotiate(const HttpRequest& request, const Resource& resource) {
  const std::string accept = request.header("accept");
  if (trim(accept).empty()) return AnswerForm::Full;
  for (const std::string& offer : split(accept, ',')) {
    const std::vector<std::string> parts = split(offer, ';');
    const std::string type(trim(parts[0]));
    if (type != "application/json" && type != "*/*" && type != "application/*") continue;
    std::string as, group, version;
    for (const std::string& part : parts) {
      const std::string parameter(trim(part));
      if (parameter.starts_with("as=")) as = parameter.substr(3);
      if (parameter.starts_with("g=")) group = parameter.substr(2);
      if (parameter.starts_with("v=")) version = parameter.substr(2);
    }
    if (as.empty()) return AnswerForm::Full;
    if (group != "meta.k8s.io" || version != "v1") continue;
    if (as == "Table") return AnswerForm::Table;
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList")
      return AnswerForm::Metadata;
  }
  ApiError error(406, "NotAcceptable",
                 "only the following media types are accepted: application/json and its Table and "
                 "PartialObjectMetadata forms of meta.k8s.io/v1");
  error.generic = !resource.custom;  // the routes of built-in kinds know their media types
  throw error;
}

Json parse_body(const HttpRequest& request) {
  const std::string type = request.header("content-type");
  if (is_protobuf(type)) return parse_protobuf(request.body);
  if (type.find("yaml") != std::string::npos) return parse_yaml_or_json(request.body);
  if (type.find("json") == std::string::npos && !type.empty()) {
    throw ApiError(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml");
  }
  Json body = Json::parse(request.body, nullptr, false);
  if (body.is_discarded()) {
    throw bad_request(
        "the object provided is unrecognized (must be of type JSON): invalid character");
  }
  return body;
}

}  // namespace keyturn::sandbox
