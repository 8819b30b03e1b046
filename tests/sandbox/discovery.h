// /api, /apis and below, plain and aggregated (apidiscovery.k8s.io/v2), and /version.
// Thread rule: pure functions over the registry.
#pragma once

#include <optional>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

// nullopt: not a discovery path.
std::optional<HttpResponse> discovery_answer(const HttpRequest& request, const Registry& registry);

}  // namespace keyturn::sandbox
