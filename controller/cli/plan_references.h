// What a secret's value leads to, for `keyturn plan`: whether its strategy can work on it, and
// whether the access rules let the policy's namespace use the secrets, resources and hosts that it
// names. Reads the value as the person at the command line may, and shows none of it.
//
// Thread rule: main thread; bounded requests.
#pragma once

#include <string>

#include "controller/rotation/access.h"
#include "controller/rotation/policy.h"
#include "lib/aws/secrets_manager.h"

namespace keyturn::cli {

struct ReferenceCheck {
  std::string denied{};  // "DENIED: …" with the rule that is missing; empty: nothing is denied
  std::string note{};    // what stands in the way of a rotation, or could not be looked at
};

// `rules` null: not known, so nothing is denied.
ReferenceCheck check_references(const rotation::Policy& policy, const rotation::AccessRules* rules,
                                aws::SecretsManager& secrets, const std::string& arn);

}  // namespace keyturn::cli
