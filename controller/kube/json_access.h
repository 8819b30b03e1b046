// Looking into JSON from outside without trusting its shape: a wrong type reads as absent, nothing
// throws. Views live as long as the object. Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace keyturn::kube {

// The member of that name; nullptr when `object` is not an object or has none.
const nlohmann::json* member(const nlohmann::json& object, std::string_view name);
// Along a path of members.
const nlohmann::json* member_at(const nlohmann::json& object,
                                std::initializer_list<std::string_view> path);
// "" when absent or not a string.
std::string_view string_at(const nlohmann::json& object, std::string_view name);
std::optional<std::int64_t> integer_at(const nlohmann::json& object, std::string_view name);

}  // namespace keyturn::kube
