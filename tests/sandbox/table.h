// meta.k8s.io/v1 Tables, as kubectl get asks for them. Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/object_store.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

// `metadata`: of a list (continue…), or null. includeObject is read from the request.
std::string make_table(const Resource& resource, const std::vector<ObjectPtr>& objects,
                       const HttpRequest& request, WallTime now, const std::string& revision,
                       const Json& metadata);

}  // namespace keyturn::sandbox
