#include "tests/sandbox/cel_rules.h"

#include <algorithm>

namespace keyturn::sandbox {

void check_cel_rules(const Json& value, const Json* old, const Schema& schema, const std::string& path,
                     std::vector<ErrorCause>& causes) {
  for (const Json& rule : schema.rules) {
    std::string text = text_at(rule, "rule");
    std::erase(text, ' ');
    if (text == "self==oldSelf" && old && *old != value) {
      const std::string message = text_at(rule, "message");
      causes.push_back({"FieldValueInvalid",
                        "Invalid value: " + value.dump() + ": " + (message.empty() ? "failed rule: " + text : message),
                        path});
    }
  }
}

}  // namespace keyturn::sandbox
