// `lambda`: AWS rotates the secret with the rotation function that it names; Keyturn asks AWS to
// (RotateSecret), and follows what becomes of it by the labels.
//
// Options: none. Thread rule: any thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/no_backend.h"

namespace keyturn::engine {

class LambdaStrategy final : public NoBackendStrategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path, const StrategyDeps& deps);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  // Makes version ctx.version_id; where an attempt of that id was given up, the next one of its
  // chain. Conflict: AWS is at it, or has done it. Invalid: AWS refuses, and says why.
  Status hand_over(const StepContext& ctx) const override;
  // Invalid "Delegated": its values are the function's to make.
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;

 private:
  explicit LambdaStrategy(aws::SecretsManager* secrets) : secrets_(secrets) {}

  aws::SecretsManager* const secrets_;  // null: decisions only
};

}  // namespace keyturn::engine
