#include "controller/kube/json_access.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace keyturn::kube {

using nlohmann::json;

const json* member(const json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

const json* member_at(const json& object, std::initializer_list<std::string_view> path) {
  const json* at = &object;
  for (const std::string_view name : path) {
    at = member(*at, name);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string_view string_at(const json& object, std::string_view name) {
  const json* value = member(object, name);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_ref<const std::string&>();
}

std::optional<std::int64_t> integer_at(const json& object, std::string_view name) {
  const json* value = member(object, name);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() &&
      value->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  return value->get<std::int64_t>();
}

}  // namespace keyturn::kube
