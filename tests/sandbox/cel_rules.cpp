#include "tests/sandbox/cel_rules.h"

#include "tests/sandbox/cel.h"

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

void check_cel_rules(const Json& value, const Json* old, const Schema& schema,
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
    const std::string type = schema.type.empty() ? "object" : schema.type;
    causes.push_back(
        {"FieldValueInvalid", "Invalid value: \"" + type + "\": " + why, path + rule.field_path});
  }
}

}  // namespace keyturn::sandbox
