// ElastiCache's control plane (Query API 2015-02-02), as far as users and their passwords go:
// DescribeUsers, ModifyUser, DescribeUserGroups, DescribeReplicationGroups. Behind each shard of a
// replication group stands a real redis-server over TLS (redis_server.h), or whatever a unit test
// names.
//
// Kept on purpose, because clients fall over it: Passwords replaces the whole list, at most two;
// nobody can read them; a change is carried out some time after its reply, and until then the user
// is `modifying`, the old list holds, and any other change is InvalidUserState; error codes come
// without "Fault"; 16 to 128 printable characters without , " / @. Shapes from botocore's model; no
// real ElastiCache was ever asked.
//
// Thread rule: any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/redis_server.h"
#include "tests/sandbox/sts.h"

namespace keyturn::sandbox {

struct CacheUserState {
  std::string id, name, arn, group;  // `group`: the replication group whose user group holds it
  std::string status = "active";
  std::string authentication = "password";
  std::string access = "on ~* +@all";
  std::vector<std::string> passwords;
  std::optional<std::vector<std::string>> next;  // accepted, not yet carried out
  MonoTime due{};
  int changes = 0;  // ModifyUser calls that were taken
};

struct CacheGroupSpec {
  std::string id;
  int shards = 1;  // 0: `endpoints` instead of servers
  bool tls = true;
  bool cluster_mode = false;  // no primary's endpoint is told, only a configuration endpoint
  std::vector<std::string> endpoints{};
};

class ElastiCache {
 public:
  ElastiCache(const Clock& clock, const Authority* authority, std::string region)
      : clock_(clock), authority_(authority), region_(std::move(region)) {}

  // One signed request: its XML. Throws AwsError.
  std::string call(const Form& form, const Principal& caller, const std::string& region);
  static std::string subject(const Form& form);  // the id that it names

  // By another hand, at once. Throws std::invalid_argument or std::runtime_error.
  std::vector<std::string> create_group(const CacheGroupSpec& spec);  // "host:port" of each shard
  CacheUserState create_user(CacheUserState user);
  void set_passwords(const std::string& id, std::vector<std::string> passwords);
  void set_authentication(const std::string& id, const std::string& type);
  void remove_user(const std::string& id);
  void stop(const std::string& group, bool stopped);
  CacheUserState user(const std::string& id);
  // How long a change takes (200 ms).
  void set_change_time(Duration time);
  // What a login would say.
  bool accepts(const std::string& name, const std::string& password);

 private:
  struct Group {
    CacheGroupSpec spec;
    std::vector<std::unique_ptr<RedisServer>> servers;
    std::string arn, users;  // `users`: the id of its user group
  };
  CacheUserState& need_user(const std::string& id);
  Group& need_group(const std::string& id);
  void settle();
  void apply(const CacheUserState& user);
  std::string arn(const std::string& what) const;
  std::string users_xml(const Form& form, const Principal& caller);
  std::string modify_xml(const Form& form, const Principal& caller);
  std::string user_groups_xml(const Form& form, const Principal& caller);
  std::string groups_xml(const Form& form, const Principal& caller);
  std::string user_members(const CacheUserState& user) const;

  const Clock& clock_;
  const Authority* const authority_;
  const std::string region_;
  std::mutex mutex_;
  Duration change_time_{200};
  std::map<std::string, CacheUserState> users_;
  std::map<std::string, Group> groups_;
};

}  // namespace keyturn::sandbox
