// From what a secret says to what may be asked and logged in to: the user at ElastiCache, and the
// primaries of its caches.
//
// Order (design 2.6): guard.resource(user ARN) → DescribeUsers; guard.resource(replication group
// ARN) → DescribeReplicationGroups → guard.backend(host:port). No password leaves before the host
// is allowed. Where the caches answer is kept in deps.memory for a while; the guard is asked anew.
// Errors: the guard's (as Invalid), AWS's, Unavailable "NoBackendAccess" (made without deps),
// Invalid "Contradiction", "NotAPasswordUser", "UserNotInGroup", "NoCache", "NoTls"; and NotFound
// "UserNotFound".
//
// Thread rule: any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/aws/elasticache.h"
#include "lib/engine/strategies/backend_access.h"
#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategies/elasticache_secret.h"

namespace keyturn::engine::elasticache {

class Access {
 public:
  explicit Access(StrategyDeps deps) : deps_(std::move(deps)) {}

  // As ElastiCache knows it, and as one that has passwords and is the secret's.
  Result<aws::CacheUser> user(const UserSecret& secret) const;
  // These passwords in place of all that there were. Preconditions: user() has allowed it; not
  // empty.
  Result<aws::CacheUser> replace_passwords(const UserSecret& secret,
                                           const std::vector<const SecretString*>& passwords,
                                           MonoTime not_after) const;
  // A login at every primary: Accepted if all accept.
  TestResult log_in(const UserSecret& secret, const aws::CacheUser& user, MonoTime deadline) const;
  // The same at one after the other, until one accepts: Rejected if all reject.
  TestResult log_in_anywhere(const UserSecret& secret, const aws::CacheUser& user,
                             MonoTime deadline) const;

  // How soon to look again at a user that is being changed.
  Duration look_again() const { return deps_.request_timeout / 3; }

 private:
  Result<std::vector<Server>> servers(const UserSecret& secret, const aws::CacheUser& user) const;
  Result<std::vector<std::string>> find(const UserSecret& secret, const aws::CacheUser& user) const;
  Result<std::vector<std::string>> groups_of(const aws::CacheUser& user) const;
  Status primaries(const UserSecret& secret, const aws::CacheUser& user, const std::string& group,
                   std::vector<std::string>& out) const;

  StrategyDeps deps_;
};

}  // namespace keyturn::engine::elasticache
