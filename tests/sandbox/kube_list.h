// Lists: paging with continue tokens, what resourceVersion and resourceVersionMatch mean.
// Thread rule: pure functions over the store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/kube_request.h"
#include "tests/sandbox/object_store.h"

namespace keyturn::sandbox {

struct ListResult {
  std::vector<ObjectPtr> objects;
  std::uint64_t revision = 0;
  std::string continue_token;
  std::size_t remaining = 0;  // 0: not said
};

// `token_epoch`: tokens of another epoch have expired. Throws ApiError.
ListResult list_objects(const ObjectStore& store, const KubeRequest& kube,
                        const HttpRequest& request, std::uint64_t token_epoch);

// Throws ApiError 400 for a field that the resource cannot be selected by.
void check_field_paths(const Resource& resource, const std::vector<std::string>& paths);

}  // namespace keyturn::sandbox
