// `influxdbUser`: the password of a user of InfluxDB 2.x (Amazon Timestream for InfluxDB, or a
// server named by `url`). The server knows one password, so this is a forward-only backend: once it
// has taken the new one, the old one is dead.
//
//   {"engine": "timestream-influxdb", "username": "orders", "password": "…",
//    "dbIdentifier": "abcdef1234"}
//
// The format of the rotation function that AWS publishes, with `url` as in influxdb_secret.h; and
// the secret that Timestream makes for the first user (organization, bucket, username, password),
// for which the options say where the server is. Only `password` is ever written.
//
// The user changes its own password, in a session, and names the old one: the server compares and
// sets, so that a request that comes late overwrites nothing. Tokens and other sessions stay.
// Options: dbIdentifier or url, passwordLength.
//
// Thread rule: any thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/influxdb_access.h"
#include "lib/engine/strategies/influxdb_fields.h"
#include "lib/engine/strategies/nothing_to_revoke.h"
#include "lib/engine/strategies/password.h"

namespace keyturn::engine {

namespace influxdb {

struct UserSecret {
  Document document;  // the whole value
  Location location;
  Login login;

  // Invalid "NoValueYet", "NotAnObject", and those of Fields and Login.
  static Result<UserSecret> read(const SecretString& value, const Location& option);
  // Whether both are about one user of one server.
  bool same_user(const UserSecret& other) const;
};

}  // namespace influxdb

class InfluxdbUserStrategy final : public NothingToRevokeStrategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path, const StrategyDeps& deps);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Result<SetResult> set(const StepContext& ctx, const SecretString& pending,
                        const SecretString& current, const SecretString* previous) const override;
  TestResult test(const StepContext& ctx, const SecretString& value) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;
  // Invalid "OtherUser" where the two are not about one user: which of them is meant, a person must
  // say.
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  Result<References> references(const SecretString& current) const override;

 private:
  InfluxdbUserStrategy(influxdb::Location location, PasswordRecipe recipe, StrategyDeps deps)
      : location_(std::move(location)), recipe_(std::move(recipe)), access_(std::move(deps)) {}

  Result<influxdb::UserSecret> read(const SecretString& value) const {
    return influxdb::UserSecret::read(value, location_);
  }
  const influxdb::Location location_;  // of the options
  const PasswordRecipe recipe_;
  const influxdb::Access access_;
};

}  // namespace keyturn::engine
