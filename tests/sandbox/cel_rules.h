// x-kubernetes-validations: compiled with the schema, evaluated on every write whose object has the
// shape that the schema asks for. A rule beyond what cel.h understands is skipped, as if it held,
// and listed by the control API (GET /kube/skipped-rules), so that nobody takes its silence for
// consent. optionalOldSelf and messageExpression are not known here. Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/schema.h"

namespace keyturn::sandbox {

std::vector<ValidationRule> compile_rules(const Json& rules);
// `causes`: what the schema's other keywords found; appended to. `old` is null on create.
void check_cel_rules(const Json& doc, const Json* old, const Schema& schema,
                     std::vector<ErrorCause>& causes);

}  // namespace keyturn::sandbox
