// `astraToken`: an application token of DataStax Astra. Old and new token live side by side, each
// as a client of its own; the old client is revoked at the end.
//
// Option: url (where the DevOps API is; Astra's public one unless set, and asked about under
// `backends` like any other). What the secret holds: astra_secret.h.
//
// Who acts: the token in the secret that rootarn names. A secret that names itself is a root that
// rotates itself: the current token makes the next one, and the next one, when it is current,
// revokes it; no token ever revokes itself. A new client has the old one's roles, expiry and
// description, with our mark in it (mark.h). The specification knows no descriptions, so a server
// may drop them: what has no mark is told to people and never revoked on suspicion.
//
// Thread rule: any thread; what is remembered between calls is behind a lock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lib/engine/strategies/astra_client.h"
#include "lib/engine/strategies/astra_secret.h"
#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

class AstraTokenStrategy final : public Strategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path, const StrategyDeps& deps);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Status discard(const StepContext& ctx, const SecretString& minted) const override;
  Result<SetResult> set(const StepContext& ctx, const SecretString& pending,
                        const SecretString& current, const SecretString* previous) const override;
  TestResult test(const StepContext& ctx, const SecretString& value) const override;
  Status retire(const StepContext& ctx, const SecretString& retired, const SecretString& current,
                const std::function<bool()>& confirm) const override;
  Status abandon(const StepContext& ctx, const SecretString& pending,
                 const std::function<bool()>& confirm) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  Result<std::vector<Leftover>> leftovers(const StepContext& ctx,
                                          const SecretString& current) const override;
  bool is_leftover(const Leftover& leftover, const SecretString& value) const override;
  Status revoke_leftover(const StepContext& ctx, const Leftover& leftover,
                         const SecretString& current) const override;
  Result<References> references(const SecretString& current) const override;

 private:
  AstraTokenStrategy(std::string url, StrategyDeps deps)
      : url_(std::move(url)), deps_(std::move(deps)) {}

  struct Root {
    astra::Client client;
    bool itself = false;  // the secret is its own root
  };
  // Whoever may make and revoke clients: the token of AWSCURRENT of the secret's rootarn.
  // `current`: this secret's own AWSCURRENT, where the caller has it.
  Result<Root> root(const StepContext& ctx, const astra::Secret& secret,
                    const SecretString* current) const;
  Result<SecretString> root_token(const std::string& arn) const;
  // Whether a refusal of the token is one of the token, and not of everybody.
  TestResult judge_refusal(const StepContext& ctx, const astra::Secret& secret,
                           const Error& refused) const;

  const std::string url_;
  const StrategyDeps deps_;
  struct Known {
    SecretString token;
    MonoTime until;
  };
  mutable std::mutex mutex_;
  mutable std::map<std::string, Known> roots_;  // by ARN
};

}  // namespace keyturn::engine
