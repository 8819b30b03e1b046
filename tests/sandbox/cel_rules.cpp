#include "tests/sandbox/cel_rules.h"

#include <algorithm>
#include <array>

#include "tests/sandbox/cel.h"
#include "tests/sandbox/typed_value.h"

namespace keyturn::sandbox {

std::vector<ValidationRule> compile_rules(const Json& rules) {
  std::vector<ValidationRule> out;
  if (!rules.is_array()) return out;
  for (const Json& entry : rules) {
    ValidationRule rule;
    rule.text = text_at(entry, "rule");
    rule.message = text_at(entry, "message");
    rule.field_path = text_at(entry, "fieldPath");
    try {
      rule.expression = cel::parse(rule.text);
      rule.transition = cel::mentions(*rule.expression, "oldSelf");
    } catch (const cel::Unsupported&) {
      // skipped: see the header
    }
    out.push_back(std::move(rule));
  }
  return out;
}

namespace {

bool has_rules(const Schema& schema) {
  if (!schema.rules.empty()) return true;
  if (schema.items && has_rules(*schema.items)) return true;
  if (schema.additional && has_rules(*schema.additional)) return true;
  return std::any_of(schema.properties.begin(), schema.properties.end(),
                     [](const auto& property) { return has_rules(*property.second); });
}

bool blocks_rules(const ErrorCause& cause) {
  static constexpr std::array<std::string_view, 5> kBlocking = {
      "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
      "FieldValueTypeInvalid"};
  return std::find(kBlocking.begin(), kBlocking.end(), cause.reason) != kBlocking.end();
}

void check_rules_at(const Json& value, const Json* old, const Schema& schema,
                    const std::string& path, std::vector<ErrorCause>& causes) {
  for (const ValidationRule& rule : schema.rules) {
    if (!rule.expression || (rule.transition && !old)) continue;
    std::string why;
    try {
      cel::Scope scope = {{"self", &value}};
      if (old) scope["oldSelf"] = old;
      if (cel::evaluate(*rule.expression, scope) == true) continue;
      why = rule.message.empty() ? "failed rule: " + rule.text : rule.message;
    } catch (const cel::EvalError& error) {
      why = rule.text + " evaluated to an error: " + error.what();
    } catch (const cel::Unsupported&) {
      continue;
    }
    const std::string shown = value.is_structured() ? "" : value.dump() + ": ";
    causes.push_back(
        {"FieldValueInvalid", "Invalid value: " + shown + why, path + rule.field_path});
  }
}

// The same item of an earlier list; only list maps know which that is.
const Json* old_item(const Json& item, const Json& list, const Schema& schema) {
  if (schema.list != ListKind::Map || !list.is_array()) return nullptr;
  const std::string element = item_element(item, &schema);
  for (const Json& candidate : list) {
    if (item_element(candidate, &schema) == element) return &candidate;
  }
  return nullptr;
}

void check_below(const Json& value, const Json* old, const Schema& schema, const std::string& path,
                 std::vector<ErrorCause>& causes) {
  check_rules_at(value, old, schema, path, causes);
  if (value.is_object()) {
    for (const auto& [name, child] : value.items()) {
      const Schema* known = schema.field(name);
      if (!known || child.is_null()) continue;
      const Json* old_child =
          old && old->is_object() && old->contains(name) ? &(*old)[name] : nullptr;
      check_below(child, old_child, *known, path.empty() ? name : path + "." + name, causes);
    }
  } else if (value.is_array() && schema.items) {
    std::size_t index = 0;
    for (const Json& item : value) {
      check_below(item, old ? old_item(item, *old, schema) : nullptr, *schema.items,
                  path + "[" + std::to_string(index++) + "]", causes);
    }
  }
}

}  // namespace

void check_cel_rules(const Json& doc, const Json* old, const Schema& schema,
                     std::vector<ErrorCause>& causes) {
  if (!has_rules(schema)) return;
  if (std::any_of(causes.begin(), causes.end(), blocks_rules)) {
    causes.push_back({"FieldValueInvalid",
                      "Invalid value: null: some validation rules were not checked because the "
                      "object was invalid; correct the existing errors to complete validation",
                      "<nil>"});
    return;
  }
  check_below(doc, old, schema, "", causes);
}

}  // namespace keyturn::sandbox
