#include "controller/cli/plan_references.h"

#include <memory>

#include "controller/rotation/access_guard.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

// The first denial. What cannot be resolved from here is told.
Status ask(const engine::Strategy::References& named, const engine::AccessGuard& guard,
           aws::SecretsManager& secrets, std::string& note) {
  for (const std::string& id : named.secrets) {
    const auto secret = secrets.describe(id);
    if (!secret) {
      note = "whether a rule allows the secret that the value names is not known from here: " +
             secret.error().message;
    } else if (auto may = guard.secret(secret->name, secret->arn); !may) {
      return may;
    }
  }
  for (const std::string& resource : named.resources) {
    if (auto may = guard.resource(resource); !may) return may;
  }
  for (const std::string& host : named.hosts) {
    if (auto may = guard.backend(host); !may) return may;
  }
  return {};
}

}  // namespace

ReferenceCheck check_references(const rotation::Policy& policy, const rotation::AccessRules* rules,
                                aws::SecretsManager& secrets, const std::string& arn) {
  ReferenceCheck out;
  const auto strategy =
      engine::make_strategy(policy.spec.strategy.name, policy.spec.strategy.options);
  if (!strategy) return out;  // told by whoever decides
  const auto value = secrets.get_value(arn, "", "AWSCURRENT");
  if (!value) {
    out.note = "the value was not looked at from here: " + value.error().message;
    return out;
  }
  if (auto known = (*strategy)->recognise(value->value); !known) {
    out.note = "a rotation would be refused: " + known.error().message;
    return out;
  }
  const auto named = (*strategy)->references(value->value);
  if (!named || rules == nullptr) return out;
  const rotation::PolicyGuard guard(std::make_shared<const rotation::AccessRules>(*rules),
                                    policy.ns, policy.spec.identity().is_operator());
  if (auto may = ask(*named, guard, secrets, out.note); !may)
    out.denied = "DENIED: " + may.error().message;
  return out;
}

}  // namespace keyturn::cli
