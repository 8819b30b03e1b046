#include "tests/sandbox/schema.h"

#include "tests/sandbox/cel_rules.h"

namespace keyturn::sandbox {
namespace {

bool flag(const Json& json, const char* name) {
  const Json& found = at(json, name);
  return found.is_boolean() && found.get<bool>();
}

std::vector<SchemaPtr> parse_all(const Json& list) {
  std::vector<SchemaPtr> out;
  if (!list.is_array()) return out;
  for (const Json& entry : list) out.push_back(Schema::parse(entry));
  return out;
}

ListKind list_kind(const std::string& text) {
  if (text == "map") return ListKind::Map;
  return text == "set" ? ListKind::Set : ListKind::Atomic;
}

}  // namespace

SchemaPtr Schema::parse(const Json& openapi) {
  auto out = std::make_shared<Schema>();
  out->type = text_at(openapi, "type");
  out->int_or_string = flag(openapi, "x-kubernetes-int-or-string");
  out->preserve_unknown = flag(openapi, "x-kubernetes-preserve-unknown-fields");
  out->embedded_resource = flag(openapi, "x-kubernetes-embedded-resource");
  out->nullable = flag(openapi, "nullable");
  out->atomic_map = text_at(openapi, "x-kubernetes-map-type") == "atomic";
  out->list = list_kind(text_at(openapi, "x-kubernetes-list-type"));
  out->merge_key = text_at(openapi, "x-kubernetes-patch-merge-key");
  for (const Json& key : at(openapi, "x-kubernetes-list-map-keys"))
    out->keys.push_back(key.get<std::string>());
  if (const Json& properties = at(openapi, "properties"); properties.is_object()) {
    for (const auto& [name, schema] : properties.items()) out->properties[name] = parse(schema);
  }
  if (at(openapi, "additionalProperties").is_object())
    out->additional = parse(openapi["additionalProperties"]);
  if (at(openapi, "items").is_object()) out->items = parse(openapi["items"]);
  if (openapi.is_object() && openapi.contains("default")) out->fallback = openapi["default"];
  for (const char* keyword :
       {"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties",
        "maxProperties", "required", "format"}) {
    if (openapi.is_object() && openapi.contains(keyword)) out->bounds[keyword] = openapi[keyword];
  }
  if (const std::string pattern = text_at(openapi, "pattern"); !pattern.empty()) {
    out->bounds["pattern"] = pattern;
    out->pattern.emplace(pattern, std::regex::ECMAScript | std::regex::optimize);
  }
  out->all_of = parse_all(at(openapi, "allOf"));
  out->any_of = parse_all(at(openapi, "anyOf"));
  out->one_of = parse_all(at(openapi, "oneOf"));
  if (at(openapi, "not").is_object()) out->not_schema = parse(openapi["not"]);
  out->rules = compile_rules(at(openapi, "x-kubernetes-validations"));
  return out;
}

const Schema* Schema::field(const std::string& name) const {
  const auto found = properties.find(name);
  if (found != properties.end()) return found->second.get();
  return additional ? additional.get() : nullptr;
}

void apply_defaults(Json& value, const Schema& schema) {
  if (value.is_object()) {
    for (const auto& [name, property] : schema.properties) {
      if (!value.contains(name) && property->fallback) value[name] = *property->fallback;
    }
    for (auto& [name, child] : value.items()) {
      if (const Schema* known = schema.field(name)) {
        if (child.is_null() && !known->nullable && known->fallback) child = *known->fallback;
        apply_defaults(child, *known);
      }
    }
  } else if (value.is_array() && schema.items) {
    for (Json& item : value) apply_defaults(item, *schema.items);
  }
}

void prune_unknown(Json& value, const Schema& schema, const std::string& path,
                   std::vector<std::string>& removed) {
  if (value.is_array() && schema.items) {
    std::size_t index = 0;
    for (Json& item : value) {
      prune_unknown(item, *schema.items, path + "[" + std::to_string(index++) + "]", removed);
    }
    return;
  }
  if (!value.is_object()) return;
  for (auto it = value.begin(); it != value.end();) {
    const std::string child_path = path.empty() ? it.key() : path + "." + it.key();
    if (const Schema* known = schema.field(it.key())) {
      prune_unknown(*it, *known, child_path, removed);
      ++it;
    } else if (schema.preserve_unknown || schema.type != "object" ||
               (schema.embedded_resource &&
                (it.key() == "apiVersion" || it.key() == "kind" || it.key() == "metadata"))) {
      ++it;
    } else {
      removed.push_back(child_path);
      it = value.erase(it);
    }
  }
}

void drop_nulls(Json& value, const Schema* schema) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      const Schema* known = field_of(schema, it.key());
      if (it->is_null() && !(known && known->nullable)) {
        it = value.erase(it);
      } else {
        drop_nulls(*it, known);
        ++it;
      }
    }
  } else if (value.is_array()) {
    for (Json& item : value) drop_nulls(item, items_of(schema));
  }
}

}  // namespace keyturn::sandbox
