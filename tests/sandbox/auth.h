// Who is asking the Kubernetes API, and may they: static tokens, service-account tokens, client
// certificates; RBAC over the stored (Cluster)Roles and bindings for everybody outside
// system:masters. Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/kube_request.h"
#include "tests/sandbox/object_store.h"

namespace keyturn::sandbox {

struct User {
  std::string name;
  std::vector<std::string> groups;
};

class Auth {
 public:
  Auth(const ObjectStore& store, const Clock& clock);

  // A bearer token for this user. "system:masters" among the groups allows everything.
  void add_token(const std::string& token, User user);
  void remove_token(const std::string& token);

  // A signed service-account token (JWT), as TokenRequest gives out.
  std::string issue(const std::string& ns, const std::string& service_account,
                    const std::vector<std::string>& audiences, std::int64_t seconds) const;
  struct Claims {
    std::string subject;  // system:serviceaccount:<ns>:<name>
    std::vector<std::string> audiences;
    std::int64_t expires = 0;
  };
  // nullopt: not ours, or expired.
  std::optional<Claims> verify(const std::string& jwt) const;

  std::optional<User> authenticate(const HttpRequest& request) const;
  bool allowed(const User& user, const KubeRequest& request) const;

 private:
  bool binding_allows(const Json& binding, const User& user, const KubeRequest& request,
                      const std::string& ns) const;

  const ObjectStore& store_;
  const Clock& clock_;
  std::string signing_key_;
  mutable std::mutex mutex_;
  std::map<std::string, User> tokens_;
};

}  // namespace keyturn::sandbox
