// `elasticacheAuthToken`: the AUTH token of a replication group of Amazon ElastiCache (Redis OSS
// and Valkey, without users). ROTATE adds a token beside the one that there was, and drops the
// older of two; SET leaves the newest alone. The group never tells its tokens: a login does. What
// follows for the order of steps is the engine's (docs/protocol.md, "Two tokens in a row").
//
// The secret: the token itself, or a JSON object that holds it where the option `pointer` says.
// Options: replicationGroupId (required), pointer.
//
// ElastiCache carries a change out after it has answered: what a login says counts only while the
// group is `available` and tells no AuthTokenStatus. A token is proved by a login at every primary
// (redis_login.h).
//
// Order (design 2.6): DescribeReplicationGroups → guard.resource(its ARN) →
// guard.backend(host:port) of each primary → login.
//
// Errors: those of elasticache_group.h; Invalid "NoAuthToken", "HasUserGroups" (a group that this
// cannot work for), "NoValueYet", "ObjectNeedsPointer", "BadToken" and those of Document;
// Unavailable "BeingChanged", with a time.
//
// Thread rule: any thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include "lib/aws/elasticache.h"
#include "lib/engine/pointer.h"
#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/nothing_to_revoke.h"

namespace keyturn::engine {

class ElasticacheAuthTokenStrategy final : public NothingToRevokeStrategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path, const StrategyDeps& deps);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Result<SetResult> set(const StepContext& ctx, const SecretString& pending,
                        const SecretString& current, const SecretString* previous) const override;
  // Rejected, if every primary refuses it; Unknown, if only some do.
  TestResult test(const StepContext& ctx, const SecretString& value) const override;
  Status retire(const StepContext& ctx, const SecretString& retired, const SecretString& current,
                const std::function<bool()>& confirm) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  Result<References> references(const SecretString& current) const override;

 private:
  ElasticacheAuthTokenStrategy(std::string group, std::optional<Pointer> pointer, StrategyDeps deps)
      : group_(std::move(group)), pointer_(std::move(pointer)), deps_(std::move(deps)) {}

  Result<SecretString> read(const SecretString& value) const;  // the token
  Result<SecretString> write(const SecretString& value, SecretString token) const;
  Result<aws::ReplicationGroup> group() const;  // one that this may work for
  Result<aws::ReplicationGroup> resting_group() const;
  TestResult log_in(const aws::ReplicationGroup& group, const SecretString& token,
                    MonoTime deadline) const;

  const std::string group_;
  const std::optional<Pointer> pointer_;
  const StrategyDeps deps_;
};

}  // namespace keyturn::engine
