// From what a secret says to a client that may be used: finds the server, asks the access rules
// about everything on the way, and signs in. What was found out is kept for a minute, since a pass
// of the engine asks for the same several times.
//
// Order (design 2.6): GetDbInstance or the URL → guard.resource(ARN) → guard.backend(host:port) →
// GET /ping, which must be a version 2; then, for an administrator, DescribeSecret →
// guard.secret(name, ARN) → GetSecretValue → sign-in. No credential leaves before the host is
// allowed. What deps.memory knows is not asked of AWS again; the guard is.
// Errors: the guard's (as Invalid: a person must act), AWS's, the client's, and Unavailable
// "NoBackendAccess" (made without deps), Invalid "WrongVersion", "NoSuchDatabase", "AdminSecret",
// Transient "DatabaseNotReady", Denied "SignInRefused".
//
// Thread rule: any thread; the lock is held for no request.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "lib/engine/strategies/backend_access.h"
#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/influxdb_client.h"
#include "lib/engine/strategies/influxdb_fields.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine::influxdb {

class Access {
 public:
  explicit Access(StrategyDeps deps) : deps_(std::move(deps)) {}

  // A client that proves nothing yet.
  Result<Client> server(const Location& location, MonoTime deadline) const;
  // As the user whose name and password that secret holds.
  Result<Client> administrator(const Location& location, const std::string& admin_secret,
                               MonoTime deadline) const;
  // The value of AWSCURRENT.
  Result<SecretString> current_value(const std::string& arn) const {
    return engine::current_value(deps_, arn);
  }

 private:
  Result<Server> find(const Location& location) const;
  Result<Server> find_instance(const std::string& identifier) const;
  Result<Server> find_cluster(const std::string& id) const;
  Result<Server> found(const std::string& identifier, const std::string& arn,
                       const std::string& host, int port) const;
  Result<Client> sign_in(const Client& client, const std::string& admin_secret,
                         MonoTime deadline) const;
  template <class Make>
  Result<Client> remembered(const std::string& key, Make make) const;

  StrategyDeps deps_;
  struct Known {
    Client client;
    MonoTime until;
  };
  mutable std::mutex mutex_;
  mutable std::map<std::string, Known> known_;
};

}  // namespace keyturn::engine::influxdb
