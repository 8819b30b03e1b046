// x-kubernetes-validations, as far as the sandbox can read them.
//
// Only one shape is understood so far: `self == oldSelf` (a field that never changes). Every other rule
// is skipped, as if it held: the rules that matter are proved against a real API server in the e2e tests.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/schema.h"

namespace keyturn::sandbox {

void check_cel_rules(const Json& value, const Json* old, const Schema& schema, const std::string& path,
                     std::vector<ErrorCause>& causes);

}  // namespace keyturn::sandbox
