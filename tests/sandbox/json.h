// The JSON type of the Kubernetes side: keys sorted, as the API server writes unstructured objects.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace keyturn::sandbox {

using Json = nlohmann::json;

// The value at a path of keys, or null (static) when any of them is missing or no object.
template <class... Keys>
const Json& at(const Json& json, const Keys&... keys) {
  static const Json kNull;
  const Json* here = &json;
  for (const std::string_view key : {std::string_view(keys)...}) {
    if (!here->is_object()) return kNull;
    const auto found = here->find(key);
    if (found == here->end()) return kNull;
    here = &*found;
  }
  return *here;
}

// The string at a path, or "" when it is missing or no string.
template <class... Keys>
std::string text_at(const Json& json, const Keys&... keys) {
  const Json& found = at(json, keys...);
  return found.is_string() ? found.get<std::string>() : std::string();
}

}  // namespace keyturn::sandbox
