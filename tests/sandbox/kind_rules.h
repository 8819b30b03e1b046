// What the API server does for particular kinds beyond the schema: names, Secrets, Namespaces,
// CRDs; events are in event_rules.h. Thread rule: pure functions.
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

// What an object of this kind has even when nobody has set anything: members of Go's structs that
// are no pointers are always written. Custom resources have nothing.
Json empty_object(const Resource& resource);

bool is_label_key(const std::string& text);
bool is_label_value(const std::string& text);

}  // namespace keyturn::sandbox
