// InfluxDB 2.x's HTTP API, as far as tokens and passwords need it. One client is one server and one
// way to prove who asks: nobody, a token, or the session of a user who signed in.
//
// A GET is sent with at most the time that is left before the deadline, /ping and /signout with
// five seconds at most; what changes anything is sent only before it, and then has the whole
// request time-out. What has no deadline takes back what an earlier request did.
//
// Errors, all with the server and the request in the message and never a credential:
//   Denied      "CredentialRefused" the token, session or password is wrong (401 "unauthorized
//               access"); "TokenInactive" it is set inactive; "PasswordTooOld" it is right, but
//               was set before the server bounded its length (403 "password change required");
//               "NotPermitted" it is right, but may not do this (401 "… is unauthorized", 403)
//   NotFound    "NotFound": InfluxDB itself says so
//   Conflict    "AlreadyThere" (422)
//   Throttled   "TooManyRequests" (429), with its Retry-After
//   Transient   503 and other 5xx, "BadReply", the transport's: outcome unknown
//   Unavailable "ViewTooOld": the deadline is over, "BackendBusy", "BackendDown" (http/breaker.h):
//               nothing was sent
//   Invalid     "Http400" and whatever else cannot get better by itself; "NoSuchOrg"
// Facts: InfluxDB 2.0.9 to 2.9.1, authorization/http_server.go, session/http_server.go.
//
// Thread rule: immutable; any thread. Every request is `sensitive`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/engine/strategies/backend_access.h"
#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/influxdb_codec.h"
#include "lib/engine/strategies/influxdb_fields.h"

namespace keyturn::engine::influxdb {

// Whether that error of a request says no to the credential that it was sent with.
inline bool credential_refused(const Error& error) {
  return error.code == "CredentialRefused" || error.code == "TokenInactive";
}

class Client {
 public:
  // The caller has asked the guard about the server. Precondition: deps.complete().
  Client(const StrategyDeps& deps, Server server) : deps_(deps), server_(std::move(server)) {}

  const Server& server() const { return server_; }
  Client with_token(const SecretString& token) const;
  enum class Connection { Any, Fresh };
  // POST /api/v2/signin.
  Result<Client> sign_in(const Login& login, MonoTime deadline,
                         Connection connection = Connection::Any) const;
  // POST /api/v2/signout: ends the session that this client is.
  Status sign_out(MonoTime deadline) const;
  // PUT /api/v2/me/password, as the session of `login`'s user: the server changes the password only
  // if `login`'s is still the right one, so that of two who change it one fails. 400: it is against
  // the server's rules.
  Status change_password(const Login& login, const SecretString& password, MonoTime deadline) const;

  // GET /ping: "2.7.12"; "" when the server does not tell.
  Result<std::string> version(MonoTime deadline) const;
  Result<Named> me(MonoTime deadline, Connection connection = Connection::Any) const;
  // By its name; an empty list is NotFound "OrgNotVisible".
  Result<Named> org(const std::string& name, MonoTime deadline) const;
  Result<Authorization> authorization(const std::string& id, MonoTime deadline) const;
  // Those of the organisation that the asker may see; an empty list is what a token without rights
  // gets.
  Result<std::vector<Authorization>> authorizations(const std::string& org,
                                                    MonoTime deadline) const;
  Result<Authorization> create(const NewAuthorization& wanted, MonoTime deadline) const;
  Status update(const std::string& id, bool active, const std::string& description,
                MonoTime deadline) const;
  Status remove(const std::string& id, MonoTime deadline) const;

 private:
  struct Call {
    const char* method = "GET";
    std::string path;  // with the query
    std::string body{};
    int expected = 200;
    bool changes = false;
    bool brief = false;  // costs a server nothing: who takes long over it is not there
    Connection connection = Connection::Any;
    bool quotes = true;  // its refusal may be quoted (but never where it repeats the proof)
  };
  // How the asker proves who it is: a header of that name with prefix and secret.
  struct Proof {
    std::string header;
    std::string prefix;
    SecretString secret;
  };
  Client(const StrategyDeps& deps, Server server, Proof proof)
      : deps_(deps),
        server_(std::move(server)),
        proof_(std::make_shared<const Proof>(std::move(proof))) {}

  Result<http::Response> send(const Call& call, MonoTime deadline,
                              const http::Headers& extra = {}) const;
  // The same with the login as HTTP's Basic.
  Result<http::Response> send_as(const Login& login, const Call& call, MonoTime deadline) const;
  Error refusal(const Call& call, const http::Response& response) const;
  Error in_context(const Call& call, Error error) const;

  StrategyDeps deps_;
  Server server_;
  std::shared_ptr<const Proof> proof_{};  // null: nobody
};

}  // namespace keyturn::engine::influxdb
