// Events: two API versions of one thing, and what each of them demands. Follows the API server's
// pkg/apis/core/validation/events.go. Thread rule: pure functions.
#pragma once

#include <vector>

#include "tests/sandbox/api_error.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

// The core version is stored.
Json to_stored_event(Json doc);  // events.k8s.io/v1 → v1
Json to_events_v1(Json doc);     // v1 → events.k8s.io/v1

// `doc` and `live` are in the resource's version; `live` is null on create. Appends causes.
void check_event(const Resource& resource, const Json& doc, const Json* live,
                 std::vector<ErrorCause>& causes);
// The fields that are there even when nobody set them.
void add_empty_fields(const Resource& resource, Json& doc);

}  // namespace keyturn::sandbox
