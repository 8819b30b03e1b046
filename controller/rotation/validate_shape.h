// The shape of a RotationPolicy's spec: which fields there are, of which type, in which bounds,
// with which defaults.
//
// The table here and the schema in crds/ say the same; a test walks both. check_shape() refuses
// whatever the table does not have, with the near name: a field that is quietly ignored is a
// rotation that quietly does not happen.
//
// Thread rule: constants and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keyturn::rotation {

// What is wrong with an object, for people: "spec.region: must be an AWS region such as eu-west-1".
class Problems {
 public:
  static constexpr std::size_t kMost = 40;  // said one by one; a condition's message is for people

  void add(std::string_view path, std::string_view text);
  void add(std::string problem);  // with its path in front
  bool empty() const { return list_.empty(); }
  // Further ones are only counted: spare the work of wording them.
  bool full() const { return list_.size() == kMost; }
  // In the order found; the last one counts what is not shown.
  std::vector<std::string> list() const;

 private:
  std::vector<std::string> list_;
  std::size_t more_ = 0;
};

enum class FieldType {
  Object,  // the fields in `children`
  List,    // of objects with the fields in `children`
  Map,     // of texts, by key
  Text,
  Flag,     // true or false
  Options,  // a strategy's own object: the registry of strategies knows its fields
};

struct Field {
  std::string_view name;
  FieldType type = FieldType::Text;
  bool required = false;
  std::string_view fallback{};  // default, as JSON; "" = none
  std::int64_t min = 0;  // characters of a text (and of a map's values), items of a list or a map
  std::int64_t max = 0;  // 0 = not bounded here
  std::span<const std::string_view> choices{};
  std::span<const Field> children{};
  std::int64_t value_max = 0;  // Map: characters of a value
};

// The fields of `spec`.
std::span<const Field> spec_fields();
// The contract's strategies that this version does not have yet; named, so that they are refused
// for what they are.
std::span<const std::string_view> later_strategies();

// Adds a problem for each unknown or missing field, wrong type and broken bound. `spec` may be any
// JSON.
void check_shape(const nlohmann::json& spec, Problems& problems);

}  // namespace keyturn::rotation
