// How a RotationPolicy is read from JSON, in parts: policy.cpp puts them together.
// Thread rule: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "controller/rotation/policy.h"
#include "controller/rotation/validate_shape.h"

namespace keyturn::rotation {

// Members of an object that may be anything; absent and of another type read as nothing.
const nlohmann::json& member_of(const nlohmann::json& object,
                                const char* name);  // null when absent
std::string text_of(const nlohmann::json& object, const char* name);
std::int64_t integer_of(const nlohmann::json& object, const char* name);
bool flag_of(const nlohmann::json& object, const char* name);
std::optional<WallTime> time_of(const nlohmann::json& object, const char* name);  // RFC 3339

// Shape, values, rules: the spec as far as it could be read, and everything that is wrong with it.
PolicySpec read_spec(const nlohmann::json& spec, Problems& problems);

// Never fails: what cannot be read is left out, for the status is our own notes and no truth.
PolicyStatus read_status(const nlohmann::json& status);

}  // namespace keyturn::rotation
