// The control API for InfluxDB: instances, clusters, and what is true inside a server.
#include <stdexcept>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/admin.h"
#include "tests/sandbox/influx_error.h"
#include "tests/sandbox/sandbox.h"

namespace keyturn::sandbox {
namespace {

[[noreturn]] void unknown(const std::string& what) {
  throw std::invalid_argument("unknown: " + printable(what));
}

template <class T>
void take(const Json& body, const char* key, T& out) {
  if (const auto found = body.find(key); found != body.end()) out = found->get<T>();
}

Json summary(const InfluxInstance& instance) {
  return {{"id", instance.id},
          {"name", instance.name},
          {"arn", instance.arn},
          {"status", instance.status},
          {"version", instance.db->options().version},
          {"url", instance.url()},
          {"host", instance.host()},
          {"port", instance.server->port()},
          {"cluster", instance.cluster},
          {"secretArn", instance.secret_arn},
          {"username", instance.username},
          {"password", instance.password},
          {"userID", instance.setup.user},
          {"orgID", instance.setup.org},
          {"bucketID", instance.setup.bucket},
          {"token", instance.setup.token},
          {"tokenID", instance.setup.token_id}};
}

Json authorization_state(const InfluxAuthorization& authorization) {
  Json permissions = Json::array();
  for (const InfluxPermission& permission : authorization.permissions)
    permissions.push_back(permission.text());
  return {{"id", authorization.id},
          {"token", authorization.token},
          {"status", authorization.active ? "active" : "inactive"},
          {"description", authorization.description},
          {"orgID", authorization.org},
          {"userID", authorization.user},
          {"createdAt", format_rfc3339_micro(authorization.created)},
          {"updatedAt", format_rfc3339_micro(authorization.updated)},
          {"permissions", std::move(permissions)}};
}

Json full_state(const InfluxInstance& instance) {
  Json out = summary(instance);
  for (const char* list : {"users", "orgs", "buckets", "authorizations"}) out[list] = Json::array();
  for (const InfluxUser& user : instance.db->users()) {
    out["users"].push_back({{"id", user.id},
                            {"name", user.name},
                            {"password", user.password},
                            {"active", user.active}});
  }
  for (const InfluxOrg& org : instance.db->orgs()) {
    Json people = Json::object();
    for (const auto& [user, owner] : org.people) people[user] = owner ? "owner" : "member";
    out["orgs"].push_back({{"id", org.id}, {"name", org.name}, {"people", std::move(people)}});
  }
  for (const InfluxBucket& bucket : instance.db->buckets())
    out["buckets"].push_back({{"id", bucket.id}, {"orgID", bucket.org}, {"name", bucket.name}});
  for (const InfluxAuthorization& authorization : instance.db->authorizations())
    out["authorizations"].push_back(authorization_state(authorization));
  out["sessions"] = instance.db->sessions();
  return out;
}

InfluxSpec spec_of(const Json& body) {
  InfluxSpec out;
  for (const auto& [key, value] : body.items()) {
    if (key == "name") {
      out.name = value.get<std::string>();
    } else if (key == "version") {
      out.version = value.get<std::string>();
    } else if (key == "org") {
      out.org = value.get<std::string>();
    } else if (key == "bucket") {
      out.bucket = value.get<std::string>();
    } else if (key == "username") {
      out.username = value.get<std::string>();
    } else if (key == "password") {
      out.password = value.get<std::string>();
    } else if (key == "tls") {
      out.tls = value.get<bool>();
    } else if (key == "setUp") {
      out.set_up = value.get<bool>();
    } else if (key == "strongPasswords") {
      out.strong_passwords = value.get<bool>();
    } else if (key == "sessionSeconds") {
      out.session_length = std::chrono::seconds(value.get<std::int64_t>());
    } else if (key == "cluster") {
      out.cluster = value.get<std::string>();
    } else {
      unknown(key);
    }
  }
  return out;
}

// `permissions` as the API takes them, or `type` for the usual sets.
InfluxPermissions permissions_of(const Json& body, const std::string& org,
                                 const std::string& user) {
  const std::string type = text_at(body, "type");
  if (type == "operator") return influx_operator_rights();
  if (type == "allAccess") return influx_all_access_rights(org, user);
  if (!type.empty()) unknown(type);
  InfluxPermissions out;
  for (const Json& entry : body.at("permissions")) out.push_back(influx_permission(entry));
  return out;
}

Json authorization_call(const InfluxInstance& instance, const std::string& method,
                        const std::string& id, const Json& body) {
  InfluxDb& db = *instance.db;
  if (method == "POST") {
    std::string org = instance.setup.org;
    std::string user = instance.setup.user;
    take(body, "orgID", org);
    take(body, "userID", user);
    const InfluxAuthorization made = db.add_authorization(
        org, user, permissions_of(body, org, user), text_at(body, "description"));
    if (text_at(body, "status") == "inactive") db.edit_authorization(made.id, false, std::nullopt);
    return authorization_state(made);
  }
  if (method == "DELETE") {
    if (!db.remove_authorization(id)) unknown(id);
    return Json::object();
  }
  if (method != "PATCH") unknown(method);
  std::optional<bool> active;
  std::optional<std::string> description;
  if (body.contains("status")) active = text_at(body, "status") == "active";
  if (body.contains("description")) description = text_at(body, "description");
  db.edit_authorization(id, active, description);
  return Json::object();
}

Json user_call(const InfluxInstance& instance, const std::string& method, const std::string& id,
               const Json& body) {
  InfluxDb& db = *instance.db;
  if (method == "POST") {
    const std::string made =
        db.add_user(body.at("name").get<std::string>(), text_at(body, "password"));
    if (body.contains("role")) {
      std::string org = instance.setup.org;
      take(body, "orgID", org);
      db.join_org(org, made, text_at(body, "role") == "owner");
    }
    return {{"id", made}};
  }
  if (method == "DELETE") {
    db.remove_user(id);
    return Json::object();
  }
  if (method != "PATCH") unknown(method);
  if (body.contains("password")) db.set_password(id, body["password"].get<std::string>());
  if (body.contains("active")) db.set_user_active(id, body["active"].get<bool>());
  return Json::object();
}

Json cluster_state(const InfluxCluster& cluster) {
  return {
      {"id", cluster.id},         {"name", cluster.name},         {"arn", cluster.arn},
      {"status", cluster.status}, {"engineType", cluster.engine}, {"instance", cluster.instance}};
}

}  // namespace

Json Admin::influx_instance(const HttpRequest& request, const std::vector<std::string>& path,
                            const Json& body) {
  InfluxInstances& instances = sandbox_.influx();
  const InfluxInstance instance = instances.need(path[1]);
  if (path.size() == 2) {
    if (request.method == "DELETE") {
      instances.remove(instance.id);
      return Json::object();
    }
    if (request.method == "PATCH")
      instances.set_status(instance.id, body.at("status").get<std::string>());
    return full_state(instances.need(instance.id));
  }
  const std::string id = path.size() > 3 ? path[3] : "";
  const std::string& what = path[2];
  if (what == "authorizations") return authorization_call(instance, request.method, id, body);
  if (what == "users") return user_call(instance, request.method, id, body);
  if (what == "orgs") return {{"id", instance.db->add_org(body.at("name").get<std::string>())}};
  if (what == "buckets") {
    std::string org = instance.setup.org;
    take(body, "orgID", org);
    return {{"id", instance.db->add_bucket(org, body.at("name").get<std::string>())}};
  }
  if (what == "stop") {
    instance.server->stop();
  } else if (what == "start") {
    instance.server->start();
  } else if (what == "drop-connections") {
    instance.server->drop_connections();
  } else if (what == "expire-sessions") {
    instance.db->expire_sessions();
  } else {
    unknown(what);
  }
  return Json::object();
}

Json Admin::influx(const HttpRequest& request, const std::string& rest, const Json& body) {
  InfluxInstances& instances = sandbox_.influx();
  const std::vector<std::string> path = split(rest, '/');
  if (path[0] == "clock") {
    instances.set_clock_offset(Duration(body.at("offsetMs").get<std::int64_t>()));
    return Json::object();
  }
  if (path[0] == "instances") {
    if (path.size() > 1) return influx_instance(request, path, body);
    if (request.method == "POST") return summary(instances.create(spec_of(body)));
    Json out = Json::array();
    for (const InfluxInstance& instance : instances.list()) out.push_back(summary(instance));
    return {{"instances", std::move(out)}};
  }
  if (path[0] != "clusters") unknown(rest);
  if (path.size() > 1) {
    if (request.method == "PATCH")
      instances.set_cluster_status(path[1], body.at("status").get<std::string>());
    return cluster_state(instances.need_cluster(path[1]));
  }
  if (request.method == "POST") {
    InfluxCluster wanted;
    wanted.name = body.at("name").get<std::string>();
    wanted.instance = text_at(body, "instance");
    take(body, "engineType", wanted.engine);
    return cluster_state(instances.create_cluster(wanted));
  }
  Json out = Json::array();
  for (const InfluxCluster& cluster : instances.clusters()) out.push_back(cluster_state(cluster));
  return {{"clusters", std::move(out)}};
}

}  // namespace keyturn::sandbox
