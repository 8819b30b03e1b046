// What a request to the Kubernetes API asks for: resource, verb, form of the answer.
// Thread rule: plain values.
#pragma once

#include <optional>
#include <string>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

struct KubeRequest {
  ResourcePtr resource;  // null: not a resource path, or an unknown one
  bool resource_path = false;
  std::string group, version, plural;
  std::string ns, name, subresource;
  std::string
      verb;  // get list watch create update patch apply delete deletecollection; "" for others
};

// Never throws: what makes no sense has no resource.
KubeRequest parse_kube_request(const HttpRequest& request, const Registry& registry);

enum class AnswerForm { Full, Metadata, Table };
// From Accept; throws ApiError 406 when nothing offered can be served.
AnswerForm negotiate(const HttpRequest& request, const Resource& resource);

// The body, by its content type: JSON, YAML, or what protobuf.h reads. Throws ApiError.
Json parse_body(const HttpRequest& request);

}  // namespace keyturn::sandbox
