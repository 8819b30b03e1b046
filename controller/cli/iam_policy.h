// The IAM policies that Keyturn needs, least privilege, by strategy: the one source of what
// docs/install.md shows, of `keyturn secret iam`, and of what tests allow the operator.
//
// Thread rule: pure functions. Errors: Invalid "Usage".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::cli {

struct IamRequest {
  std::string strategy, options;   // as in a policy
  std::string secret;              // an ARN, or a name, perhaps ending in `*`
  std::vector<std::string> reads;  // secrets that the value refers to, in the same way
  std::string kms_key;             // an ARN; "": the account's aws/secretsmanager
  std::string region, account;     // of names
  std::string function;            // of the rotation function: its name
};

// For whoever runs the engine: the operator, or a person with `keyturn secret`.
Result<nlohmann::json> operator_policy(const IamRequest& wanted);
// For the role of the rotation function `wanted.function` (`keyturn lambda`).
Result<nlohmann::json> function_policy(const IamRequest& wanted);
// The function's own resource policy: who may call it.
Result<nlohmann::json> invoke_policy(const IamRequest& wanted);
// Who may take on the function's role.
nlohmann::json trust_policy();

}  // namespace keyturn::cli
