// Astra's DevOps API in memory, as far as clients and their application tokens go: any number of
// organisations behind one server, as the real one has them; which one is asked is known by the
// token.
//
// Written from DataStax's DevOps specification and Java SDK. Its awkward parts are kept on purpose:
// a secret and its token are shown once, in the answer that made them; that answer writes a
// client's id in another case than the list does; the list is the whole organisation's, other
// tools' clients included; a client may delete itself, and then its token is dead; refusals are
// JSON or, when something is not permitted, plain text; and where `drops_descriptions`, description
// and tokenExpiry are taken and forgotten, as the specification (which knows neither) has it. There
// is no witness: no real Astra was ever asked.
//
// Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "tests/sandbox/call_log.h"
#include "tests/sandbox/faults.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/shifted_clock.h"

namespace keyturn::sandbox {

struct AstraRole {
  std::string id, name;
  std::set<std::string> actions;  // "org-token-read"…
};

struct AstraClient {
  std::string id, secret, token, description, expiry;
  std::set<std::string> roles;  // ids
  WallTime generated;
};

class AstraApi {
 public:
  explicit AstraApi(const Clock& clock) : clock_(clock) {}

  // What faults and counts see: operation "list", "create", "delete", "get"; resource "clients",
  // "currentOrg", "roles"; namespace: the organisation's name; name: the id in the path.
  Call call_of(const HttpRequest& request) const;
  HttpResponse handle(const HttpRequest& request);
  static HttpResponse fault_reply(const Fault& fault);

  // --- for tests, without permission checks; organisations by name. All throw
  // std::invalid_argument. ---
  struct Behaviour {
    bool drops_descriptions = false;
    int delete_status = 200;  // 204 has been seen too
  };
  // With the roles "Organization Administrator" (everything) and "Reader", and one client of the
  // former, the root.
  AstraClient create_org(const std::string& name, const Behaviour& behaviour);
  void behave(const std::string& org, const Behaviour& behaviour);
  Behaviour behaviour(const std::string& org) const;
  AstraRole add_role(const std::string& org, const std::string& name,
                     std::set<std::string> actions);
  // `roles`: ids or names.
  AstraClient add_client(const std::string& org, const std::vector<std::string>& roles,
                         const std::string& description, const std::string& expiry);
  bool remove_client(const std::string& org, const std::string& id);
  void edit_client(const std::string& org, const std::string& id,
                   const std::optional<std::string>& description, std::chrono::seconds age);
  std::string org_id(const std::string& org) const;
  std::vector<AstraRole> roles(const std::string& org) const;
  std::vector<AstraClient> clients(const std::string& org) const;  // secrets and tokens included
  // What the server takes the time to be, beside the real one.
  void set_clock_offset(Duration offset) { clock_.set_offset(offset); }

 private:
  struct Org {
    std::string id, name;
    Behaviour behaviour;
    std::map<std::string, AstraRole> roles;
    std::map<std::string, AstraClient> clients;  // by id in lower case
  };
  struct Caller {
    Org* org = nullptr;
    const AstraClient* client = nullptr;
  };
  // The lock is held.
  HttpResponse route(const HttpRequest& request);
  Caller authenticate(const HttpRequest& request);
  std::set<std::string> rights(const Caller& caller) const;
  HttpResponse list_clients(const Caller& caller);
  HttpResponse create_client(const Caller& caller, const HttpRequest& request);
  HttpResponse delete_client(const Caller& caller, const std::string& id);
  HttpResponse list_roles(const Caller& caller);
  AstraClient& new_client(Org& org, std::set<std::string> roles);
  AstraRole& new_role(Org& org, const std::string& name, std::set<std::string> actions);
  Org& need(const std::string& name);
  const Org& need(const std::string& name) const;

  ShiftedClock clock_;
  mutable std::mutex mutex_;
  SystemRng rng_;
  std::map<std::string, Org> orgs_;  // by name
};

}  // namespace keyturn::sandbox
