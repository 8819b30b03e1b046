#include "tests/unit/strategies/influx_server.h"

#include <algorithm>
#include <cstdio>

#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::testing {
namespace {

using nlohmann::json;

constexpr const char* kLength = "passwords must be between 8 and 72 characters long";

Reply error(int status, const std::string& code, const std::string& message) {
  return Reply::of(status, json{{"code", code}, {"message", message}}.dump());
}
Reply unauthorized() { return error(401, "unauthorized", "unauthorized access"); }
Reply not_permitted(const std::string& what) {
  return error(401, "unauthorized", what + " is unauthorized");
}

std::string named(const json& permission) {
  const json& r = permission.at("resource");
  return permission.value("action", "") + ":" + r.value("type", "") + "/" + r.value("id", "");
}

}  // namespace

json InfluxServer::permission(const std::string& action, const std::string& type,
                              const std::string& id, const std::string& org) {
  json resource = {{"type", type}};
  if (!id.empty()) resource["id"] = id;
  if (!org.empty()) resource["orgID"] = org;
  return {{"action", action}, {"resource", resource}};
}

json InfluxServer::everything(const std::string& org) {
  json out = json::array();
  for (const char* type : {"authorizations",
                           "buckets",
                           "tasks",
                           "telegrafs",
                           "notificationRules",
                           "users",
                           "orgs",
                           "dashboards",
                           "sources",
                           "variables",
                           "scrapers",
                           "secrets",
                           "labels",
                           "views",
                           "documents",
                           "notificationEndpoints",
                           "checks",
                           "dbrp",
                           "notebooks",
                           "annotations",
                           "remotes",
                           "replications"}) {
    for (const char* action : {"read", "write"}) {
      if (!org.empty() && std::string(type) == "users")
        out.push_back(permission(action, type, kAdmin));
      else if (!org.empty() && std::string(type) == "orgs") {
        if (std::string(action) == "read") out.push_back(permission(action, type, org));
      } else
        out.push_back(permission(action, type, "", org));
    }
  }
  return out;
}

std::string InfluxServer::add(const std::string& token, const std::string& user_id,
                              json permissions, const std::string& description) {
  char id[17];
  std::snprintf(id, sizeof id, "0a000000000000%02x", static_cast<unsigned>(++made_));
  auths.push_back({id, token, true, description, user_id, std::move(permissions), clock_.now()});
  return id;
}

InfluxServer::Auth* InfluxServer::find(const std::string& id) {
  const auto found =
      std::find_if(auths.begin(), auths.end(), [&](const Auth& a) { return a.id == id; });
  return found == auths.end() ? nullptr : &*found;
}

InfluxServer::Auth* InfluxServer::with_token(const std::string& token) {
  const auto found =
      std::find_if(auths.begin(), auths.end(), [&](const Auth& a) { return a.token == token; });
  return found == auths.end() ? nullptr : &*found;
}

bool InfluxServer::accepts(const std::string& token) const {
  return std::any_of(auths.begin(), auths.end(),
                     [&](const Auth& a) { return a.token == token && a.active; });
}

Reply InfluxServer::handle(const http::Request& request) {
  const auto url = request.url.substr(std::min(request.url.find("/", 8), request.url.size()));
  log.push_back(request.method + " " + url);
  if (fault) {
    if (auto reply = fault(request, When::Before)) return *reply;
  }
  Reply reply = answer(request);
  if (fault) {
    if (auto lost = fault(request, When::After)) return *lost;
  }
  return reply;
}

Reply InfluxServer::answer(const http::Request& request) {
  const std::string url = request.url.substr(request.url.find("/", 8));
  const std::string path = url.substr(0, url.find('?'));
  const std::string query = path.size() == url.size() ? "" : url.substr(path.size() + 1);
  if (path == "/ping") return Reply::of(204, "", {{"X-Influxdb-Version", version}});
  if (path == "/api/v2/signin") return sign_in(request);
  const auto asker = authenticate(request);
  if (!asker) return unauthorized();
  if (path == "/api/v2/signout" && request.method == "POST") return sign_out(request);
  if (!user_active(*asker)) return error(403, "forbidden", "User is inactive");
  if (path == "/api/v2/me/password" && request.method == "PUT")
    return change_password(*asker, request);
  const std::string auths_path = "/api/v2/authorizations";
  if (path == "/api/v2/me") return me(*asker);
  if (path == "/api/v2/orgs") return orgs(*asker, query);
  if (path == auths_path && request.method == "POST") return create(*asker, request.body);
  if (path == auths_path) {
    if (query == "org=" + url_encode(org_name)) return list(*asker);
    return error(404, "not found", "organization name not found");
  }
  if (path.starts_with(auths_path + "/"))
    return one(*asker, request, path.substr(auths_path.size() + 1));
  return error(404, "not found", "path not found");
}

Reply InfluxServer::sign_in(const http::Request& request) {
  const std::string* given = http::find_header(request.headers, "Authorization");
  for (const User& user : users) {
    if (given == nullptr || *given != "Basic " + base64(user.name + ":" + user.password)) continue;
    if (user.password.size() < 8 || user.password.size() > longest_password)
      return error(403, "forbidden", "password change required\n" + std::string(kLength));
    sessions_.emplace_back("cookie-of-" + user.id + "-" + std::to_string(++signed_in_), user.id);
    return Reply::of(204, "",
                     {{"Set-Cookie", "influxdb-oss-session=" + sessions_.back().first +
                                         "; Path=/api/; Expires=never; SameSite=Strict"}});
  }
  return unauthorized();
}

Reply InfluxServer::sign_out(const http::Request& request) {
  const std::string* cookie = http::find_header(request.headers, "Cookie");
  const auto gone = std::erase_if(sessions_, [&](const auto& session) {
    return cookie != nullptr && *cookie == "influxdb-oss-session=" + session.first;
  });
  return gone > 0 ? Reply::of(204) : unauthorized();
}

// Compares and sets. The cookie says who asks, Basic what the old password was.
Reply InfluxServer::change_password(const Asker& asker, const http::Request& request) {
  const std::string* given = http::find_header(request.headers, "Authorization");
  const std::string password = json::parse(request.body).value("password", "");
  User& changing = user(asker.user_id);
  if (given == nullptr || *given != "Basic " + base64(changing.name + ":" + changing.password))
    return error(403, "forbidden", "your username or password is incorrect");
  if (password.size() < 8 || password.size() > longest_password)
    return error(400, "invalid", kLength);
  int classes = 0;
  for (const char* kind :
       {"0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "!@#$%^&*()_+"})
    classes += password.find_first_of(kind) != std::string::npos ? 1 : 0;
  if (strong_passwords && classes < 3)
    return error(400, "invalid", "passwords must contain at least three of the following");
  changing.password = password;
  return Reply::of(204);
}

InfluxServer::User& InfluxServer::user(const std::string& id) {
  return *std::find_if(users.begin(), users.end(), [&](const User& u) { return u.id == id; });
}

bool InfluxServer::user_active(const Asker& asker) const {
  return std::none_of(users.begin(), users.end(),
                      [&](const User& u) { return u.id == asker.user_id && !u.active; });
}

std::optional<InfluxServer::Asker> InfluxServer::authenticate(const http::Request& request) const {
  if (const auto* cookie = http::find_header(request.headers, "Cookie")) {
    for (const auto& [key, user] : sessions_) {
      if (*cookie != "influxdb-oss-session=" + key) continue;
      // The onboarding admin owns the instance; others have what their tokens have, and themselves.
      if (user == kAdmin) return Asker{user, everything()};
      json all = {permission("read", "users", user), permission("write", "users", user)};
      for (const Auth& auth : auths) {
        if (auth.user_id == user)
          all.insert(all.end(), auth.permissions.begin(), auth.permissions.end());
      }
      return Asker{user, all};
    }
  }
  const auto* header = http::find_header(request.headers, "Authorization");
  for (const Auth& auth : auths) {
    if (header != nullptr && *header == "Token " + auth.token)
      return Asker{auth.user_id, auth.permissions, auth.active};
  }
  return std::nullopt;
}

bool InfluxServer::allowed(const Asker& asker, const json& wanted) {
  const json& resource = wanted.at("resource");
  return asker.active &&
         std::any_of(asker.permissions.begin(), asker.permissions.end(), [&](const json& p) {
           const json& has = p.at("resource");
           if (p.at("action") != wanted.at("action") || has.at("type") != resource.at("type"))
             return false;
           if (has.contains("id")) return has.at("id") == resource.value("id", "");
           return !has.contains("orgID") || has.at("orgID") == resource.value("orgID", "");
         });
}

Reply InfluxServer::me(const Asker& asker) {
  if (!asker.active) return error(401, "unauthorized", "token is inactive");
  const json needed = permission("read", "users", asker.user_id);
  if (!allowed(asker, needed)) return not_permitted(named(needed));
  return Reply::of(200, json{{"id", asker.user_id}, {"name", "whoever"}}.dump());
}

Reply InfluxServer::orgs(const Asker& asker, const std::string& query) {
  json out = json::array();
  if (query != "org=" + url_encode(org_name))
    return error(404, "not found", "organization name not found");
  if (allowed(asker, permission("read", "orgs", kOrg)))
    out.push_back({{"id", kOrg}, {"name", org_name}});
  return Reply::of(200, json{{"orgs", out}}.dump());
}

json InfluxServer::render(const Auth& auth, bool with_token) const {
  json permissions = auth.permissions;
  for (json& p : permissions) p["resource"]["org"] = org_name;  // decoration
  return {{"id", auth.id},
          {"token", with_token ? auth.token : ""},
          {"status", auth.active ? "active" : "inactive"},
          {"description", auth.description},
          {"orgID", kOrg},
          {"org", org_name},
          {"userID", auth.user_id},
          {"user", "whoever"},
          {"permissions", permissions},
          {"createdAt", format_rfc3339(auth.created)}};
}

Reply InfluxServer::list(const Asker& asker) {
  json out = json::array();
  for (const Auth& auth : auths) {
    if (allowed(asker, permission("read", "authorizations", auth.id, kOrg)) &&
        allowed(asker, permission("read", "users", auth.user_id)))
      out.push_back(render(auth, !hides_values));
  }
  return Reply::of(200, json{{"links", json::object()}, {"authorizations", out}}.dump());
}

Reply InfluxServer::create(const Asker& asker, const std::string& body) {
  const json asked = json::parse(body);
  const std::string owner = asked.value("userID", asker.user_id);  // the default is the caller
  if (!allowed(asker, permission("write", "authorizations", "", kOrg)))
    return not_permitted("write:orgs/authorizations");
  if (!allowed(asker, permission("write", "users", owner)))
    return not_permitted("write:users/" + owner);
  json permissions = json::array();
  for (const json& p : asked.at("permissions")) {
    if (!allowed(asker, p))
      return error(403, "forbidden", "permission " + named(p) + " is not allowed");
    // name and org of a resource are ignored
    permissions.push_back(permission(p.at("action"), p.at("resource").at("type"),
                                     p.at("resource").value("id", ""),
                                     p.at("resource").value("orgID", "")));
  }
  add("minted-token-" + std::to_string(made_ + 1) + "==", owner, std::move(permissions),
      asked.value("description", ""));
  return Reply::of(201, render(auths.back(), true).dump());
}

Reply InfluxServer::one(const Asker& asker, const http::Request& request, const std::string& id) {
  Auth* auth = find(id);
  if (auth == nullptr) return error(404, "not found", "authorization not found");
  const std::string action = request.method == "GET" ? "read" : "write";
  if (!allowed(asker, permission(action, "authorizations", id, kOrg)) ||
      !allowed(asker, permission(action, "users", auth->user_id)))
    return not_permitted(action + ":orgs/authorizations/" + id);
  if (request.method == "GET") return Reply::of(200, render(*auth, !hides_values).dump());
  if (request.method == "PATCH") {
    const json change = json::parse(request.body);
    if (change.contains("status")) auth->active = change.at("status") == "active";
    if (change.contains("description")) auth->description = change.at("description");
    return Reply::of(200, render(*auth, !hides_values).dump());
  }
  std::erase_if(auths, [&](const Auth& a) { return a.id == id; });
  return Reply::of(204);
}

}  // namespace keyturn::testing
