#include "controller/kube/field_ownership.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "controller/kube/json_access.h"
#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

// FieldsV1 writes a field as "f:<name>"; "." is the object itself, "k:"/"v:" elements of lists.
void collect(const json& fields, std::initializer_list<std::string_view> path,
             std::vector<std::string>& out) {
  const json* at = member_at(fields, path);
  if (at == nullptr || !at->is_object()) return;
  for (const auto& [name, unused] : at->items()) {
    if (name.starts_with("f:")) out.push_back(name.substr(2));
  }
}

}  // namespace

std::string pack_keys(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::string packed = join(keys, ",");
  packed.shrink_to_fit();
  return packed;
}

std::vector<std::string> unpack_keys(std::string_view packed) {
  if (packed.empty()) return {};
  return split(packed, ',');
}

FieldOwnership field_ownership(const json& managed_fields, std::string_view manager) {
  if (!managed_fields.is_array()) return {};
  std::vector<std::string> data, labels, annotations, others;
  for (const json& entry : managed_fields) {
    if (!string_at(entry, "subresource").empty()) continue;
    const json* fields = member(entry, "fieldsV1");
    if (fields == nullptr) continue;
    const bool ours =
        string_at(entry, "manager") == manager && string_at(entry, "operation") == "Apply";
    collect(*fields, {"f:data"}, ours ? data : others);
    if (!ours) continue;
    collect(*fields, {"f:metadata", "f:labels"}, labels);
    collect(*fields, {"f:metadata", "f:annotations"}, annotations);
  }
  std::sort(data.begin(), data.end());
  FieldOwnership result;
  result.foreign_data = std::any_of(others.begin(), others.end(), [&](const std::string& key) {
    return !std::binary_search(data.begin(), data.end(), key);
  });
  result.data_keys = pack_keys(std::move(data));
  result.labels = pack_keys(std::move(labels));
  result.annotations = pack_keys(std::move(annotations));
  return result;
}

}  // namespace keyturn::kube
