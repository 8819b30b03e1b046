// What the API server does for particular kinds beyond the schema: names, Secrets, Namespaces,
// CRDs. Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/api_error.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

// Fills in what the server fills in; `live` is null on create. Throws ApiError 400 for undecodable
// input.
void prepare_kind(const Resource& resource, Json& doc, const Json* live, const std::string& now);
// Appends what is wrong; `live` is null on create.
void check_kind(const Resource& resource, const Json& doc, const Json* live,
                std::vector<ErrorCause>& causes);
void check_metadata(const Json& doc, std::vector<ErrorCause>& causes);

// Event objects exist in two API versions over one storage: the core one is stored.
Json to_stored_event(Json doc);  // events.k8s.io/v1 → v1
Json to_events_v1(Json doc);     // v1 → events.k8s.io/v1

}  // namespace keyturn::sandbox
