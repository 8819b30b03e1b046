// /openapi/v3 (an index and a document for each group version) and /openapi/v2 (JSON only), made
// from the schemas of the registry: what kubectl needs for explain, for choosing how to validate
// and patch. Thread rule: pure functions over the registry.
#pragma once

#include <optional>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

std::optional<HttpResponse> openapi_answer(const HttpRequest& request, const Registry& registry);

}  // namespace keyturn::sandbox
