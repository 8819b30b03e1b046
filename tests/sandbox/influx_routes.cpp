// Which request is which, and who asks.
#include "lib/base/text.h"
#include "tests/sandbox/influx_db.h"
#include "tests/sandbox/influx_error.h"
#include "tests/sandbox/influx_request.h"

namespace keyturn::sandbox {
namespace {

constexpr std::chrono::minutes kRenewal{5};

InfluxError unknown_caller() { return {"unauthorized", "unauthorized access"}; }

HttpResponse error_response(const InfluxError& error) {
  HttpResponse out =
      influx_answer(error.status(), {{"code", error.code}, {"message", error.message}});
  out.headers.emplace_back("X-Platform-Error-Code", error.code);
  return out;
}

// "*" in a pattern stands for one segment, which is returned as the id.
bool path_matches(const std::string& pattern, const std::string& path, std::string& id) {
  const std::vector<std::string> wanted = split(pattern, '/');
  const std::vector<std::string> given = split(path, '/');
  if (wanted.size() != given.size()) return false;
  std::string found;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "*") {
      if (given[i].empty()) return false;
      found = given[i];
    } else if (wanted[i] != given[i]) {
      return false;
    }
  }
  id = found;
  return true;
}

}  // namespace

struct InfluxDb::Route {
  const char* method;
  const char* pattern;
  const char* operation;
  const char* resource;
  HttpResponse (InfluxDb::*serve)(const Caller&, const HttpRequest&, const std::string&);
  bool open = false;  // needs no authentication
};

const std::vector<InfluxDb::Route>& InfluxDb::routes() {
  static const std::vector<Route> kRoutes = {
      {"GET", "/ping", "ping", "", &InfluxDb::ping, true},
      {"HEAD", "/ping", "ping", "", &InfluxDb::ping, true},
      {"GET", "/health", "health", "", &InfluxDb::health, true},
      {"GET", "/api/v2/setup", "get", "setup", &InfluxDb::get_setup, true},
      {"POST", "/api/v2/setup", "create", "setup", &InfluxDb::post_setup, true},
      {"POST", "/api/v2/signin", "signin", "", &InfluxDb::sign_in, true},
      {"POST", "/api/v2/signout", "signout", "", &InfluxDb::sign_out, true},
      {"GET", "/api/v2/me", "get", "me", &InfluxDb::me},
      {"PUT", "/api/v2/me/password", "update", "me/password", &InfluxDb::put_password},
      {"GET", "/api/v2/users", "list", "users", &InfluxDb::list_users},
      {"POST", "/api/v2/users", "create", "users", &InfluxDb::create_user},
      {"GET", "/api/v2/users/*", "get", "users", &InfluxDb::get_user},
      {"DELETE", "/api/v2/users/*", "delete", "users", &InfluxDb::delete_user},
      {"PUT", "/api/v2/users/*/password", "update", "users/password", &InfluxDb::put_password},
      {"POST", "/api/v2/users/*/password", "create", "users/password", &InfluxDb::post_password},
      {"GET", "/api/v2/orgs", "list", "orgs", &InfluxDb::list_orgs},
      {"POST", "/api/v2/orgs", "create", "orgs", &InfluxDb::create_org},
      {"GET", "/api/v2/orgs/*", "get", "orgs", &InfluxDb::get_org},
      {"POST", "/api/v2/orgs/*/members", "create", "orgs/members", &InfluxDb::add_person},
      {"POST", "/api/v2/orgs/*/owners", "create", "orgs/owners", &InfluxDb::add_person},
      {"GET", "/api/v2/buckets", "list", "buckets", &InfluxDb::list_buckets},
      {"POST", "/api/v2/buckets", "create", "buckets", &InfluxDb::create_bucket},
      {"GET", "/api/v2/buckets/*", "get", "buckets", &InfluxDb::get_bucket},
      {"GET", "/api/v2/authorizations", "list", "authorizations", &InfluxDb::list_tokens},
      {"POST", "/api/v2/authorizations", "create", "authorizations", &InfluxDb::create_token},
      {"GET", "/api/v2/authorizations/*", "get", "authorizations", &InfluxDb::get_token},
      {"PATCH", "/api/v2/authorizations/*", "update", "authorizations", &InfluxDb::patch_token},
      {"DELETE", "/api/v2/authorizations/*", "delete", "authorizations", &InfluxDb::delete_token},
      {"POST", "/api/v2/write", "write", "", &InfluxDb::write},
      {"POST", "/api/v2/query", "query", "", &InfluxDb::query},
  };
  return kRoutes;
}

const InfluxDb::Route* InfluxDb::route_of(const HttpRequest& request, std::string& id,
                                          bool& known_path) {
  known_path = false;
  for (const Route& route : routes()) {
    if (!path_matches(route.pattern, request.path, id)) continue;
    known_path = true;
    if (request.method == route.method) return &route;
  }
  return nullptr;
}

Call InfluxDb::call_of(const HttpRequest& request, const std::string& instance) {
  std::string id;
  bool known_path = false;
  const Route* route = route_of(request, id, known_path);
  if (!route) return {"influxdb", lower_ascii(request.method), "unknown", instance, ""};
  return {"influxdb", route->operation, route->resource, instance, id};
}

bool InfluxDb::allowed(const Caller& caller, const InfluxPermission& wanted) {
  if (!caller.usable) return false;
  for (const InfluxPermission& right : caller.rights) {
    if (right.covers(wanted)) return true;
  }
  return false;
}

void InfluxDb::require(const Caller& caller, const InfluxPermission& wanted) {
  if (!caller.usable) throw InfluxError("unauthorized", "token is inactive");
  if (!allowed(caller, wanted))
    throw InfluxError("unauthorized", wanted.text() + " is unauthorized");
}

InfluxDb::Caller InfluxDb::session_caller(const std::string& key) {
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) throw unknown_caller();
  if (found->second.expires <= clock_.now()) {
    sessions_.erase(found);
    throw unknown_caller();
  }
  // Every request makes it last at least so much longer.
  found->second.expires = std::max(found->second.expires, clock_.now() + kRenewal);
  Caller out;
  out.user = found->second.user;
  const auto take = [&](const InfluxPermissions& more) {
    out.rights.insert(out.rights.end(), more.begin(), more.end());
  };
  for (const auto& [id, org] : orgs_) {
    const auto person = org.people.find(out.user);
    if (person == org.people.end()) continue;
    take(person->second ? influx_owner_rights(id) : influx_member_rights(id));
  }
  if (out.user == instance_owner_) take(influx_instance_rights());
  // Of all its tokens, active or not.
  for (const auto& [id, authorization] : authorizations_) {
    if (authorization.user == out.user) take(authorization.permissions);
  }
  take(influx_own_rights(out.user));
  return out;
}

InfluxDb::Caller InfluxDb::authenticate(const HttpRequest& request) {
  Caller caller;
  if (const auto token = influx_token(request)) {  // it wins over a cookie
    const InfluxAuthorization* match = nullptr;
    for (const auto& [id, authorization] : authorizations_) {
      if (authorization.token == *token) match = &authorization;
    }
    if (!match) throw unknown_caller();
    caller = {match->user, match->active, match->permissions};
  } else if (const auto key = influx_session(request)) {
    caller = session_caller(*key);
  } else {
    throw unknown_caller();
  }
  const auto user = users_.find(caller.user);
  if (user == users_.end() || !user->second.active)
    throw InfluxError("forbidden", "User is inactive");
  return caller;
}

HttpResponse InfluxDb::route(const HttpRequest& request) {
  std::string id;
  bool known_path = false;
  const Route* route = route_of(request, id, known_path);
  const Caller caller = route && route->open ? Caller{} : authenticate(request);
  if (route) return (this->*route->serve)(caller, request, id);
  if (known_path) return {405, "text/plain", "", {}};
  throw InfluxError("not found", "path not found");
}

// As much of InfluxDB 3 as it takes to be told apart: none of the credentials' API is there.
HttpResponse InfluxDb::route_v3(const HttpRequest& request) const {
  if (request.path == "/ping")
    return influx_answer(200, {{"version", options_.version}, {"revision", "sandbox"}});
  throw InfluxError("not found", "not found");
}

HttpResponse InfluxDb::handle(const HttpRequest& request) {
  HttpResponse response;
  try {
    const std::lock_guard lock(mutex_);
    response = options_.version.starts_with('3') ? route_v3(request) : route(request);
  } catch (const InfluxError& error) {
    response = error_response(error);
  } catch (const Json::exception&) {
    response = error_response({"invalid", "invalid json structure"});
  }
  response.headers.emplace_back("X-Influxdb-Build", "OSS");
  response.headers.emplace_back("X-Influxdb-Version", "v" + options_.version);
  return response;
}

}  // namespace keyturn::sandbox
