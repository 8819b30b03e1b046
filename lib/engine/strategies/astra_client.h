// Astra's DevOps API, as far as clients and their application tokens need it. One client is one
// server and one token that asks. Deadlines: engine::send (backend_access.h).
//
// Errors, all with the server and the request in the message and never a credential:
//   Denied      "KeyRefused" (401): the token does not work; "NotPermitted" (403): it may not do this
//   NotFound    "NotFound" (404), of remove() alone
//   Throttled   "TooManyRequests" (429), with its Retry-After
//   Transient   408, 409, 5xx, "BadReply", the transport's: outcome unknown
//   Unavailable "ViewTooOld" and the breaker's: nothing was sent
//   Invalid     "Http400" and whatever else cannot get better by itself; "Http404": no such API there
// Facts: DataStax's DevOps specification and Java SDK; what neither says is not relied on: a
// refusal may be JSON or plain text, descriptions and dates may be dropped, the list may have pages
// some day.
//
// Thread rule: immutable; any thread. Every request is `sensitive`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/engine/strategies/backend_access.h"

namespace keyturn::engine::astra {

struct ClientInfo {
  std::string id;
  std::vector<std::string> roles{};  // sorted, each once
  std::string description{};
  std::string expiry{};  // as the server writes it; empty: none
  std::optional<WallTime> generated{};
  std::string problem{};  // what about it cannot be read
};

struct NewClient {
  std::vector<std::string> roles;
  std::string description;
  std::string expiry;  // empty: none
};

// Shown once, in the reply that made it.
struct Minted {
  std::string id;
  SecretString token, secret;
  std::vector<std::string> roles{};  // sorted, each once; empty: not told
};

// Tokens are cut out of the text before a JSON library sees it; the caller wipes the rest. Clients
// whose ids Keyturn could not use are left out: no secret holds them.
Result<std::vector<ClientInfo>> decode_clients(const std::string& body);
// "BadReply" also where token, client and secret do not belong together.
Result<Minted> decode_minted(std::string& body);
std::string encode_client(const NewClient& wanted);

class Client {
 public:
  // The caller has asked the guard about the server. Precondition: deps.complete().
  Client(const StrategyDeps& deps, Server server, SecretString token)
      : deps_(deps),
        server_(std::move(server)),
        token_(std::make_shared<const SecretString>(std::move(token))) {}

  const Server& server() const { return server_; }
  // The client that its token names; "" when it does not.
  std::string own_id() const;
  // GET /v2/currentOrg on a connection of its own: whether the token works.
  Status current_org(MonoTime deadline) const;
  // GET /v2/clientIdSecrets: those of the whole organisation.
  Result<std::vector<ClientInfo>> clients(MonoTime deadline) const;
  Result<Minted> create(const NewClient& wanted, MonoTime deadline) const;
  Status remove(const std::string& id, MonoTime deadline) const;

 private:
  struct Call {
    const char* method = "GET";
    std::string path;
    std::string body{};
    bool changes = false;
    bool fresh = false;
  };
  Result<http::Response> send(const Call& call, MonoTime deadline) const;
  Error refusal(const Call& call, const http::Response& response) const;
  Error in_context(const Call& call, Error error) const;

  StrategyDeps deps_;
  Server server_;
  std::shared_ptr<const SecretString> token_;
};

}  // namespace keyturn::engine::astra
