// Amazon ElastiCache, as far as passwords of its users go: an abstract client, so that tests can
// stand in.
//
// AWS Query (form and XML), version 2015-02-02, host and signing name elasticache (shapes from the
// service's botocore model). Error codes and classes as in secrets_manager.h; and NotFound
// "UserNotFound", "UserGroupNotFound", "ReplicationGroupNotFoundFault" (the service leaves "Fault"
// off most names), Transient "InvalidUserState": the user is being changed, nothing was done.
//
// Thread rule: any thread; each call blocks with a deadline.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::aws {

class Session;

// The values as AWS spells them.
struct CacheUser {
  std::string id;
  std::string name;  // what AUTH takes; several users may have one name
  std::string arn;
  std::string status;          // active, modifying, deleting
  std::string authentication;  // password, no-password, iam
  int password_count = 0;      // 0 to 2
  std::vector<std::string> user_groups;

  bool active() const { return status == "active"; }
};

struct CacheEndpoint {
  std::string host;
  int port = 6379;
};

struct ReplicationGroup {
  std::string id;
  std::string arn;
  std::string status;             // available, modifying…
  std::string auth_token_status;  // SETTING, ROTATING; usually empty
  bool tls = false;               // TransitEncryptionEnabled
  bool auth_token = false;        // AuthTokenEnabled
  std::vector<std::string> user_groups;
  // Of each shard; a group in cluster mode names none, but a configuration endpoint.
  std::vector<CacheEndpoint> primaries;
  std::optional<CacheEndpoint> configuration;
};

struct CacheUserGroup {
  std::string id;
  std::string status;
  std::vector<std::string> replication_groups;
  std::vector<std::string> serverless_caches;
};

class Elasticache {
 public:
  virtual ~Elasticache() = default;
  virtual Result<CacheUser> user(const std::string& id) = 0;
  // ModifyUser: these passwords (one or two), in place of all that there were. It is carried out
  // some time after the reply: until then the user is `modifying`. Not sent after `not_after`
  // (Unavailable "ViewTooOld").
  virtual Result<CacheUser> replace_passwords(const std::string& id,
                                              const std::vector<const SecretString*>& passwords,
                                              MonoTime not_after) = 0;
  virtual Result<CacheUserGroup> user_group(const std::string& id) = 0;
  virtual Result<ReplicationGroup> replication_group(const std::string& id) = 0;
};

std::unique_ptr<Elasticache> make_elasticache(std::shared_ptr<Session> session);

}  // namespace keyturn::aws
