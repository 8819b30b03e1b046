// `influxdbToken`: an API token of InfluxDB 2.x (Amazon Timestream for InfluxDB, or a server named
// by `url`). Old and new token live side by side; the old one is revoked at the end.
//
// Options: allowCreate (make a first token when the secret has none), dbIdentifier or url (where
// the server is, for secrets that do not say). What the secret holds: influxdb_secret.h.
//
// Who acts: with adminSecretArn the user in that secret, else the token itself (an operator or
// all-access one). A new token has the old one's permissions and owner; its authorization's id goes
// into the secret and our mark into its description (mark.h), because InfluxDB 2.9 shows
// no token value and so nothing can be found by it.
//
// Thread rule: any thread; what is remembered between calls is behind locks.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/influxdb_access.h"
#include "lib/engine/strategies/influxdb_secret.h"
#include "lib/engine/strategies/mark.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

class InfluxdbTokenStrategy final : public Strategy {
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
  Status restore(const StepContext& ctx, const SecretString& value,
                 const SecretString* other) const override;
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
  InfluxdbTokenStrategy(influxdb::TokenOptions options, StrategyDeps deps)
      : options_(std::move(options)), access_(std::move(deps)) {}

  Result<influxdb::TokenSecret> read(const SecretString& value) const;
  // Whoever may change tokens there: the administrator, or the secret's own token.
  Result<influxdb::Client> actor(const influxdb::TokenSecret& secret, MonoTime deadline) const;
  // What the new token shall be: as the old one, or, for a first one, as the secret says.
  Result<influxdb::NewAuthorization> wanted(const StepContext& ctx,
                                            const influxdb::TokenSecret& secret,
                                            const influxdb::Client& client) const;
  Result<influxdb::NewAuthorization> as_before(const StepContext& ctx,
                                               const influxdb::TokenSecret& secret,
                                               const influxdb::Client& client) const;
  Result<influxdb::NewAuthorization> first(const StepContext& ctx,
                                           const influxdb::TokenSecret& secret,
                                           const influxdb::Client& client) const;
  // The authorization of the old token: by its id, by its value, or by the mark of the token that
  // replaced it. NotFound: it is gone.
  Result<influxdb::Authorization> find_retired(const StepContext& ctx,
                                               const influxdb::TokenSecret& retired,
                                               const influxdb::TokenSecret& current,
                                               const influxdb::Client& client) const;
  TestResult compare_with_old(const StepContext& ctx, const influxdb::Authorization& mine,
                              const influxdb::Client& client) const;

  const influxdb::TokenOptions options_;
  const influxdb::Access access_;
  mutable std::mutex mutex_;
  struct Listed {
    SecretString token;    // "" from servers that hide it
    std::string replaces;  // of its mark
  };
  mutable std::map<std::string, Listed> listed_;  // what carries our mark, by authorization id
  mutable std::string replaced_;  // of the current one's mark: what it took over from; "" = unknown
};

}  // namespace keyturn::engine
