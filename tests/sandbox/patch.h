// The three patch formats that are not server-side apply. Thread rule: pure functions.
#pragma once

#include "tests/sandbox/json.h"
#include "tests/sandbox/schema.h"

namespace keyturn::sandbox {

// RFC 7386.
Json merge_patch(Json target, const Json& patch);
// RFC 6902; throws ApiError 422 (a failed test, a missing path) or 400 (not a patch).
Json json_patch(const Json& target, const Json& patch);
// Kubernetes' own: objects merge, lists with a merge key merge by it, `$patch: delete|replace`,
// `$setElementOrder/…` and `$retainKeys` are understood as far as kubectl sends them.
Json strategic_patch(Json target, const Json& patch, const Schema* schema);

}  // namespace keyturn::sandbox
