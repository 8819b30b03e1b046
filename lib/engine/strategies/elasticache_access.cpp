#include "lib/engine/strategies/elasticache_access.h"

#include <algorithm>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/redis_login.h"

namespace keyturn::engine::elasticache {
namespace {

// A primary keeps its name through a fail-over; shards that were added are seen after that.
constexpr Duration kRemember{3'600'000};

Status check_user(const UserSecret& secret, const aws::CacheUser& user) {
  const std::string whom = "ElastiCache user " + secret.arn.id;
  if (user.arn != secret.arn.text) {
    return invalid("Contradiction", "field user_arn says " + printable(secret.arn.text) +
                                        ", but here " + whom + " is " + printable(user.arn) +
                                        ": correct it, or the policy's region");
  }
  // What the field holds is not repeated: a person may have saved a password in it.
  if (user.name != secret.name) {
    return invalid("Contradiction", "field username is not the name of " + whom + ", which is " +
                                        printable(user.name, 80) + ": correct it");
  }
  if (user.authentication != "password") {
    return invalid("NotAPasswordUser",
                   whom + " authenticates by \"" + printable(user.authentication, 40) +
                       "\", not by passwords: give it one (aws elasticache modify-user "
                       "--authentication-mode Type=password,Passwords=…)");
  }
  return {};
}

}  // namespace

Result<aws::CacheUser> Access::user(const UserSecret& secret) const {
  if (!deps_.complete() || deps_.elasticache == nullptr) return no_backend_access();
  if (auto may = deps_.guard->resource(secret.arn.text); !may)
    return denied(std::move(may).error());
  auto user = deps_.elasticache->user(secret.arn.id);
  if (!user) return user;
  if (auto good = check_user(secret, *user); !good) return std::move(good).error();
  return user;
}

Result<aws::CacheUser> Access::replace_passwords(const UserSecret& secret,
                                                 const std::vector<const SecretString*>& passwords,
                                                 MonoTime not_after) const {
  return deps_.elasticache->replace_passwords(secret.arn.id, passwords, not_after);
}

TestResult Access::log_in(const UserSecret& secret, const aws::CacheUser& user,
                          MonoTime deadline) const {
  auto all = servers(secret, user);
  if (!all) return unknown(all.error());
  TestResult result;
  for (const Server& server : *all) {
    result = redis_login(deps_, server, secret.name, secret.password, deadline);
    if (result.verdict != Verdict::Accepted) break;
  }
  return result;
}

TestResult Access::log_in_anywhere(const UserSecret& secret, const aws::CacheUser& user,
                                   MonoTime deadline) const {
  auto all = servers(secret, user);
  if (!all) return unknown(all.error());
  TestResult result;
  bool is_known = true;
  for (const Server& server : *all) {
    TestResult one = redis_login(deps_, server, secret.name, secret.password, deadline);
    if (one.verdict == Verdict::Accepted) return one;
    if (is_known) result = one;
    is_known = is_known && one.verdict == Verdict::Rejected;
  }
  return result;
}

Result<std::vector<Server>> Access::servers(const UserSecret& secret,
                                            const aws::CacheUser& user) const {
  const Location& at = secret.location;
  if (!at.endpoint.empty()) {
    auto server = allowed_server(deps_, "https://" + at.endpoint);
    if (!server) return std::move(server).error();
    return std::vector<Server>{*std::move(server)};
  }
  const std::string key = secret.arn.text + " " + at.replication_group;
  std::vector<std::string> hosts;
  if (deps_.memory) hosts = deps_.memory->caches(key, deps_.clock->mono());
  if (hosts.empty()) {
    auto found = find(secret, user);
    if (!found) return std::move(found).error();
    hosts = *std::move(found);
    if (deps_.memory) deps_.memory->remember_caches(key, hosts, deps_.clock->mono() + kRemember);
  }
  std::vector<Server> out;
  for (const std::string& host : hosts) {
    auto server = allowed_server(deps_, "https://" + host);
    if (!server) return std::move(server).error();
    out.push_back(*std::move(server));
  }
  return out;
}

Result<std::vector<std::string>> Access::find(const UserSecret& secret,
                                              const aws::CacheUser& user) const {
  std::vector<std::string> groups{secret.location.replication_group};
  if (groups.front().empty()) {
    auto found = groups_of(user);
    if (!found) return found;
    groups = *std::move(found);
  }
  std::vector<std::string> out;
  for (const std::string& group : groups) {
    if (auto good = primaries(secret, user, group, out); !good) return std::move(good).error();
  }
  return out;
}

// The replication groups that take the user.
Result<std::vector<std::string>> Access::groups_of(const aws::CacheUser& user) const {
  std::vector<std::string> out;
  for (const std::string& id : user.user_groups) {
    auto group = deps_.elasticache->user_group(id);
    if (!group) return std::move(group).error();
    if (!group->serverless_caches.empty()) {
      return invalid("NoCache", "user group " + printable(id, 60) +
                                    " belongs to serverless cache " +
                                    printable(group->serverless_caches.front(), 60) +
                                    ", whose endpoint must be named: set endpoint in "
                                    "spec.strategy.elasticacheUser");
    }
    for (const std::string& one : group->replication_groups) {
      if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
    }
  }
  if (!out.empty()) return out;
  return invalid("NoCache",
                 "ElastiCache user " + printable(user.id, 60) +
                     " is in no user group of a replication group, so that no login can prove a "
                     "password: add it to one, or set endpoint in spec.strategy.elasticacheUser");
}

Status Access::primaries(const UserSecret& secret, const aws::CacheUser& user,
                         const std::string& id, std::vector<std::string>& out) const {
  if (auto may = deps_.guard->resource(secret.arn.replication_group(id)); !may)
    return denied(std::move(may).error());
  auto group = deps_.elasticache->replication_group(id);
  const std::string what = "replication group " + printable(id, 60);
  if (!group && group.error().cls == ErrorClass::NotFound) {
    return invalid("NoCache", "there is no " + what +
                                  " in this account and region; correct replicationGroupId");
  }
  if (!group) return std::move(group).error();
  if (!group->tls) {
    return invalid("NoTls", what +
                                " has no encryption in transit, which users with passwords need: "
                                "no password is sent in clear");
  }
  const bool member = std::any_of(
      group->user_groups.begin(), group->user_groups.end(), [&](const std::string& one) {
        return std::find(user.user_groups.begin(), user.user_groups.end(), one) !=
               user.user_groups.end();
      });
  if (!member) {
    return invalid("UserNotInGroup", "user " + printable(user.id, 60) + " is in no user group of " +
                                         what + ": add it to one");
  }
  std::vector<aws::CacheEndpoint> endpoints = group->primaries;
  if (endpoints.empty() && group->configuration) endpoints = {*group->configuration};
  if (endpoints.empty()) {
    return make_error(ErrorClass::Transient, "CacheNotReady",
                      what + " has no endpoint yet (status " + printable(group->status, 60) + ")");
  }
  for (const aws::CacheEndpoint& endpoint : endpoints)
    out.push_back(lower_ascii(endpoint.host) + ":" + std::to_string(endpoint.port));
  return {};
}

}  // namespace keyturn::engine::elasticache
