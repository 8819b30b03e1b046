// `elasticacheUser`: the password of a user of Amazon ElastiCache (role-based access control of
// Redis OSS and Valkey). A user has up to two passwords, so old and new live side by side; but
// ModifyUser replaces the whole list, and nobody can read it. Traits::set_replaces says what
// follows.
//
// What the secret holds and where the caches are: elasticache_secret.h. Options:
// replicationGroupId or endpoint, passwordLength.
//
// ElastiCache carries a change out after it has answered, and takes no other meanwhile: what a
// login says counts only when the user is `active` again. A password is proved by a login at every
// primary (redis_login.h). Nothing is written that does not work already but the password that is
// to be tested.
//
// Thread rule: any thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/elasticache_access.h"
#include "lib/engine/strategies/elasticache_secret.h"
#include "lib/engine/strategies/nothing_to_revoke.h"
#include "lib/engine/strategies/password.h"

namespace keyturn::engine {

class ElasticacheUserStrategy final : public NothingToRevokeStrategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path, const StrategyDeps& deps);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  // Invalid "CurrentRefused": what the secret holds is no password of the user.
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Result<SetResult> set(const StepContext& ctx, const SecretString& pending,
                        const SecretString& current, const SecretString* previous) const override;
  TestResult test(const StepContext& ctx, const SecretString& value) const override;
  // Denied "CurrentRefused": the current password does not work, so that nothing is taken away.
  // Unavailable "UserBeingChanged", with a time: under way.
  Status retire(const StepContext& ctx, const SecretString& retired, const SecretString& current,
                const std::function<bool()>& confirm) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  Result<References> references(const SecretString& current) const override;

 private:
  ElasticacheUserStrategy(elasticache::Location location, PasswordRecipe recipe, StrategyDeps deps)
      : location_(std::move(location)), recipe_(std::move(recipe)), access_(std::move(deps)) {}

  Result<elasticache::UserSecret> read(const SecretString& value) const {
    return elasticache::UserSecret::read(value, location_);
  }
  TestResult test(const elasticache::UserSecret& secret, MonoTime deadline) const;
  Error being_changed(const elasticache::UserSecret& secret) const;

  const elasticache::Location location_;  // of the options
  const PasswordRecipe recipe_;
  const elasticache::Access access_;
};

}  // namespace keyturn::engine
