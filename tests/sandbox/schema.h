// An OpenAPI v3 structural schema as the API server uses it: types for field ownership, defaults,
// pruning, validation. Built-in kinds and CustomResourceDefinitions come through the same door.
//
// x-kubernetes-validations: see cel_rules.h.
// Thread rule: immutable once parsed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "tests/sandbox/api_error.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

enum class ListKind { Atomic, Set, Map };

struct Schema;
using SchemaPtr = std::shared_ptr<const Schema>;

namespace cel {
struct Expr;
}

// One of x-kubernetes-validations.
struct ValidationRule {
  std::string text, message, field_path;
  std::shared_ptr<const cel::Expr> expression;  // null: not understood, skipped
  bool transition = false;                      // speaks of oldSelf: only for updates
};

struct Schema {
  std::string type;  // object, array, string, integer, number, boolean; "" = anything
  bool int_or_string = false;
  bool preserve_unknown = false;
  bool embedded_resource = false;
  bool nullable = false;
  bool atomic_map = false;
  std::map<std::string, SchemaPtr, std::less<>> properties;
  SchemaPtr additional;  // additionalProperties
  SchemaPtr items;
  ListKind list = ListKind::Atomic;
  std::vector<std::string> keys;  // x-kubernetes-list-map-keys
  std::string merge_key;          // x-kubernetes-patch-merge-key
  std::optional<Json> fallback;   // default
  Json bounds = Json::object();   // the other validation keywords, as written
  std::optional<std::regex> pattern;
  std::vector<SchemaPtr> all_of, any_of, one_of;
  SchemaPtr not_schema;
  std::vector<ValidationRule> rules;

  static SchemaPtr parse(const Json& openapi);

  bool declares(const std::string& field) const {
    return properties.find(field) != properties.end();
  }
  // The schema of a key of this object; null when nothing is known about it.
  const Schema* field(const std::string& name) const;
};

// Field of a possibly unknown schema.
inline const Schema* field_of(const Schema* schema, const std::string& name) {
  return schema ? schema->field(name) : nullptr;
}
inline const Schema* items_of(const Schema* schema) {
  return schema && schema->items ? schema->items.get() : nullptr;
}

// Sets defaults where a field is absent and its parent present.
void apply_defaults(Json& value, const Schema& schema);
// Removes what the schema does not know; returns the paths removed (for strict field validation).
void prune_unknown(Json& value, const Schema& schema, const std::string& path,
                   std::vector<std::string>& removed);
// Every keyword but x-kubernetes-validations. Appends causes.
void validate(const Json& value, const Schema& schema, const std::string& path,
              std::vector<ErrorCause>& causes);
// Removes null members of objects (the API server's decoders do), except where the schema allows
// null.
void drop_nulls(Json& value, const Schema* schema);

}  // namespace keyturn::sandbox
