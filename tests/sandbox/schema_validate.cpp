// Validation keywords of structural schemas. Messages follow the API server's field errors.
#include <cmath>
#include <set>

#include "tests/sandbox/schema.h"
#include "tests/sandbox/typed_value.h"

namespace keyturn::sandbox {
namespace {

std::string shown(const Json& value) {
  return value.is_structured() ? value.dump().substr(0, 120) : value.dump();
}

void refuse(std::vector<ErrorCause>& causes, const std::string& path, const Json& value,
            const std::string& why) {
  causes.push_back({"FieldValueInvalid",
                    "Invalid value: " + shown(value) + ": " + path + " in body " + why, path});
}

const char* type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "boolean";
    case Json::value_t::string:
      return "string";
    case Json::value_t::array:
      return "array";
    case Json::value_t::object:
      return "object";
    case Json::value_t::number_float:
      return "number";
    default:
      return "integer";
  }
}

bool type_fits(const Json& value, const Schema& schema) {
  if (value.is_null()) return schema.nullable;
  if (schema.int_or_string) return value.is_number_integer() || value.is_string();
  if (schema.type.empty()) return true;
  const std::string actual = type_name(value);
  if (actual == schema.type) return true;
  if (schema.type == "number") return value.is_number();
  if (schema.type == "integer" && value.is_number_float()) {
    return std::floor(value.get<double>()) == value.get<double>();
  }
  return false;
}

// Code points, as OpenAPI counts.
std::size_t length_of(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

void check_string(const Json& value, const Schema& schema, const std::string& path,
                  std::vector<ErrorCause>& causes) {
  const std::string& text = value.get_ref<const std::string&>();
  const Json& bounds = schema.bounds;
  if (bounds.contains("minLength") && length_of(text) < bounds["minLength"].get<std::size_t>()) {
    refuse(causes, path, value, "should be at least " + bounds["minLength"].dump() + " chars long");
  }
  if (bounds.contains("maxLength") && length_of(text) > bounds["maxLength"].get<std::size_t>()) {
    causes.push_back({"FieldValueTooLong",
                      "Too long: may not be more than " + bounds["maxLength"].dump() + " bytes",
                      path});
  }
  if (schema.pattern && !std::regex_search(text, *schema.pattern)) {
    refuse(causes, path, value, "should match '" + bounds["pattern"].get<std::string>() + "'");
  }
}

void check_number(const Json& value, const Schema& schema, const std::string& path,
                  std::vector<ErrorCause>& causes) {
  const Json& bounds = schema.bounds;
  const double number = value.get<double>();
  const auto truthy = [&](const char* name) {
    return bounds.contains(name) && bounds[name] == true;
  };
  if (bounds.contains("minimum")) {
    const double least = bounds["minimum"].get<double>();
    if (number < least || (truthy("exclusiveMinimum") && number == least)) {
      refuse(causes, path, value, "should be greater than or equal to " + bounds["minimum"].dump());
    }
  }
  if (bounds.contains("maximum")) {
    const double most = bounds["maximum"].get<double>();
    if (number > most || (truthy("exclusiveMaximum") && number == most)) {
      refuse(causes, path, value, "should be less than or equal to " + bounds["maximum"].dump());
    }
  }
}

void check_counts(const Json& value, const Schema& schema, const std::string& path,
                  const char* least, const char* most, const char* noun,
                  std::vector<ErrorCause>& causes) {
  const Json& bounds = schema.bounds;
  if (bounds.contains(least) && value.size() < bounds[least].get<std::size_t>()) {
    refuse(causes, path, value, "should have at least " + bounds[least].dump() + " " + noun);
  }
  if (bounds.contains(most) && value.size() > bounds[most].get<std::size_t>()) {
    causes.push_back({"FieldValueTooMany",
                      "Too many: " + std::to_string(value.size()) + ": must have at most " +
                          bounds[most].dump() + " " + noun,
                      path});
  }
}

void check_array(const Json& value, const Schema& schema, const std::string& path,
                 std::vector<ErrorCause>& causes) {
  check_counts(value, schema, path, "minItems", "maxItems", "items", causes);
  std::set<std::string> seen;
  std::size_t index = 0;
  for (const Json& item : value) {
    const std::string here = path + "[" + std::to_string(index++) + "]";
    if (schema.list != ListKind::Atomic) {
      const std::string element =
          schema.list == ListKind::Map ? item_element(item, &schema) : "v:" + item.dump();
      if (!seen.insert(element).second) {
        causes.push_back({"FieldValueDuplicate", "Duplicate value: " + element.substr(2), here});
      }
    }
    if (schema.items) validate(item, *schema.items, here, causes);
  }
}

void check_object(const Json& value, const Schema& schema, const std::string& path,
                  std::vector<ErrorCause>& causes) {
  check_counts(value, schema, path, "minProperties", "maxProperties", "properties", causes);
  for (const Json& name : at(schema.bounds, "required")) {
    const std::string& field = name.get_ref<const std::string&>();
    if (!value.contains(field)) {
      causes.push_back(
          {"FieldValueRequired", "Required value", path.empty() ? field : path + "." + field});
    }
  }
  for (const auto& [name, child] : value.items()) {
    const Schema* known = schema.field(name);
    if (known) validate(child, *known, path.empty() ? name : path + "." + name, causes);
  }
}

bool passes(const Json& value, const Schema& schema) {
  std::vector<ErrorCause> causes;
  validate(value, schema, "", causes);
  return causes.empty();
}

void check_junctors(const Json& value, const Schema& schema, const std::string& path,
                    std::vector<ErrorCause>& causes) {
  for (const SchemaPtr& part : schema.all_of) validate(value, *part, path, causes);
  std::size_t fits = 0;
  for (const SchemaPtr& part : schema.any_of) fits += passes(value, *part);
  if (!schema.any_of.empty() && fits == 0)
    refuse(causes, path, value, "must validate at least one schema (anyOf)");
  fits = 0;
  for (const SchemaPtr& part : schema.one_of) fits += passes(value, *part);
  if (!schema.one_of.empty() && fits != 1)
    refuse(causes, path, value, "must validate one and only one schema (oneOf)");
  if (schema.not_schema && passes(value, *schema.not_schema)) {
    refuse(causes, path, value, "must not validate the schema (not)");
  }
}

}  // namespace

void validate(const Json& value, const Schema& schema, const std::string& path,
              std::vector<ErrorCause>& causes) {
  if (!type_fits(value, schema)) {
    const std::string wanted = schema.int_or_string ? "integer,string" : schema.type;
    causes.push_back({"FieldValueTypeInvalid",
                      "Invalid value: \"" + std::string(type_name(value)) + "\": " + path +
                          " in body must be of type " + wanted + ": \"" + type_name(value) + "\"",
                      path});
    return;
  }
  if (value.is_null()) return;
  if (schema.bounds.contains("enum")) {
    bool listed = false;
    std::string supported;
    for (const Json& choice : schema.bounds["enum"]) {
      listed = listed || choice == value;
      supported += (supported.empty() ? "" : ", ") + choice.dump();
    }
    if (!listed) {
      causes.push_back({"FieldValueNotSupported",
                        "Unsupported value: " + shown(value) + ": supported values: " + supported,
                        path});
    }
  }
  if (value.is_string()) check_string(value, schema, path, causes);
  if (value.is_number()) check_number(value, schema, path, causes);
  if (value.is_array()) check_array(value, schema, path, causes);
  if (value.is_object()) check_object(value, schema, path, causes);
  check_junctors(value, schema, path, causes);
}

}  // namespace keyturn::sandbox
