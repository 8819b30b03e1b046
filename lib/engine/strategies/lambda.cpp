#include "lib/engine/strategies/lambda.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/engine/labels.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine {
namespace {

Error delegated() {
  return invalid("Delegated",
                 "strategy lambda makes no values: the secret's own rotation function does");
}

}  // namespace

Result<std::unique_ptr<Strategy>> LambdaStrategy::make(const nlohmann::json& options,
                                                       const std::string& path,
                                                       const StrategyDeps& deps) {
  if (auto done = Options(options, path).finish(); !done) return std::move(done).error();
  return std::unique_ptr<Strategy>(new LambdaStrategy(deps.secrets));
}

const Traits& LambdaStrategy::traits() const {
  static const Traits kTraits{"lambda", Backend::Delegated, false, false, false};
  return kTraits;
}

Status LambdaStrategy::recognise(const SecretString&) const { return {}; }

Status LambdaStrategy::hand_over(const StepContext& ctx) const {
  if (secrets_ == nullptr)
    return make_error(ErrorClass::Unavailable, "NoBackendAccess",
                      "strategy lambda was made without access to AWS");
  auto versions = secrets_->list_versions(ctx.arn, /*include_deprecated=*/true);
  if (!versions) return std::move(versions).error().with_context("ListSecretVersionIds " + ctx.arn);
  // An attempt that was given up left its version without labels, and AWS takes an id that it knows
  // for the same rotation.
  std::string id = ctx.version_id;
  for (;;) {
    const auto known = std::find_if(versions->begin(), versions->end(),
                                    [&](const auto& version) { return version.id == id; });
    if (known == versions->end()) break;
    if (!known->stages.empty())
      return make_error(ErrorClass::Conflict, "AlreadyHandedOver",
                        "AWS works on version " + id + ", or has made it current");
    id = successor_id(ctx.arn, id, "");
  }
  return secrets_->rotate_secret(
      {.secret_id = ctx.arn, .client_request_token = id, .not_after = ctx.deadline});
}

Result<SecretString> LambdaStrategy::create(const StepContext&, const SecretString&) const {
  return delegated();
}

Result<SecretString> LambdaStrategy::carry(const SecretString&, const SecretString&) const {
  return delegated();
}

bool LambdaStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  return a == b;
}

}  // namespace keyturn::engine
