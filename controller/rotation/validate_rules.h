// The rules of a RotationPolicy's spec beyond its shape. Where the CRD has a CEL rule for it, the
// text here is that rule's message, so that a person reads the same from `kubectl apply`, from
// `keyturn validate` and in a condition; a test compares them.
//
// Thread rule: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "controller/rotation/policy.h"
#include "controller/rotation/validate_shape.h"

namespace keyturn::rotation {

// "90s", "15m", "2h", "1h30m": what the CRD accepts for a duration, narrower than parse_duration().
std::optional<Duration> policy_duration(std::string_view text);
inline constexpr const char* kDurationText = "must be a duration such as 90s, 15m or 2h";

// Exactly one known key. `strategy` is an object.
void check_strategy_names(const nlohmann::json& strategy, Problems& problems);

// Everything that can be said about a spec that has been read. Empty fields were reported before.
void check_rules(const PolicySpec& spec, Problems& problems);

}  // namespace keyturn::rotation
