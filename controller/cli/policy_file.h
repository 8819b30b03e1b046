// RotationPolicies in files. Thread rule: main thread.
#pragma once

#include <string>

#include "controller/rotation/policy.h"
#include "lib/base/result.h"

namespace keyturn::cli {

// The whole text; "-" is standard input. NotFound "NoSuchFile".
Result<std::string> read_text(const std::string& file);

// The one RotationPolicy in the file. Invalid: none, several, or one that cannot work.
Result<rotation::Policy> policy_from_file(const std::string& file);

}  // namespace keyturn::cli
