// The control API for ElastiCache: replication groups with their redis-servers, users, and what is
// true of them.
#include <stdexcept>

#include "lib/base/text.h"
#include "tests/sandbox/admin.h"
#include "tests/sandbox/sandbox.h"

namespace keyturn::sandbox {
namespace {

std::vector<std::string> texts(const Json& body, const char* name) {
  return body.contains(name) ? body[name].get<std::vector<std::string>>()
                             : std::vector<std::string>();
}

Json state(const CacheUserState& user) {
  return {{"id", user.id},         {"name", user.name},           {"arn", user.arn},
          {"status", user.status}, {"passwords", user.passwords}, {"changes", user.changes}};
}

}  // namespace

Json Admin::elasticache(const HttpRequest& request, const std::string& rest, const Json& body) {
  ElastiCache& caches = sandbox_.elasticache();
  const auto path = split(rest, '/');
  if (rest == "behaviour") {
    caches.set_change_time(Duration(body.at("changeMs").get<std::int64_t>()));
    return Json::object();
  }
  if (rest == "groups") {
    CacheGroupSpec spec{body.at("id").get<std::string>()};
    spec.shards = body.value("shards", 1);
    spec.tls = body.value("tls", true);
    spec.cluster_mode = body.value("clusterMode", false);
    return {{"id", spec.id}, {"endpoints", caches.create_group(spec)}};
  }
  if (path.size() == 3 && path[0] == "groups" && (path[2] == "stop" || path[2] == "start")) {
    caches.stop(path[1], path[2] == "stop");
    return Json::object();
  }
  if (rest == "users") {
    CacheUserState user;
    user.id = body.at("id").get<std::string>();
    user.name = body.value("name", user.id);
    user.group = body.at("group").get<std::string>();
    user.passwords = texts(body, "passwords");
    user.access = body.value("access", user.access);
    return state(caches.create_user(std::move(user)));
  }
  if (path.size() == 2 && path[0] == "users") {
    if (request.method == "DELETE") {
      caches.remove_user(path[1]);
      return Json::object();
    }
    if (body.contains("passwords")) caches.set_passwords(path[1], texts(body, "passwords"));
    if (body.contains("authentication"))
      caches.set_authentication(path[1], body["authentication"].get<std::string>());
    return state(caches.user(path[1]));
  }
  throw std::invalid_argument("unknown: " + printable(rest));
}

}  // namespace keyturn::sandbox
