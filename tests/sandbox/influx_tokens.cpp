// Authorizations of InfluxDB over HTTP.
#include "lib/base/time.h"
#include "tests/sandbox/influx_db.h"
#include "tests/sandbox/influx_error.h"
#include "tests/sandbox/influx_request.h"

namespace keyturn::sandbox {
namespace {

// A member of a body, "" when it is absent or null. Of another type it makes the body unreadable.
std::string text_member(const Json& body, const char* key) {
  const Json& value = at(body, key);
  return value.is_null() ? "" : value.get<std::string>();
}

}  // namespace

InfluxAuthorization& InfluxDb::need_authorization(const std::string& id) {
  const auto found = authorizations_.find(influx_id(id));
  if (found == authorizations_.end()) throw InfluxError("not found", "authorization not found");
  return found->second;
}

void InfluxDb::may_read(const Caller& caller, const InfluxAuthorization& authorization) const {
  require(caller, {"read", "authorizations", authorization.id, authorization.org});
  require(caller, {"read", "users", authorization.user, ""});
}

void InfluxDb::may_write(const Caller& caller, const InfluxAuthorization& authorization) const {
  require(caller, {"write", "authorizations", authorization.id, authorization.org});
  require(caller, {"write", "users", authorization.user, ""});
}

Json InfluxDb::permission_json(const InfluxPermission& permission, bool names) const {
  Json resource = {{"type", permission.type}};
  bool named = names;
  if (!permission.id.empty()) {
    resource["id"] = permission.id;
    // Only these have names; one that is gone hides the organisation's name, too.
    if (permission.type == "buckets") {
      const auto bucket = buckets_.find(permission.id);
      named = named && bucket != buckets_.end();
      if (named) resource["name"] = bucket->second.name;
    } else if (permission.type == "orgs") {
      const auto org = orgs_.find(permission.id);
      named = named && org != orgs_.end();
      if (named) resource["name"] = org->second.name;
    } else if (permission.type == "users") {
      const auto user = users_.find(permission.id);
      named = named && user != users_.end();
      if (named) resource["name"] = user->second.name;
    }
  }
  if (!permission.org.empty()) {
    resource["orgID"] = permission.org;
    const auto org = orgs_.find(permission.org);
    if (named && org != orgs_.end()) resource["org"] = org->second.name;
  }
  return {{"action", permission.action}, {"resource", std::move(resource)}};
}

Json InfluxDb::authorization_json(const InfluxAuthorization& authorization, bool with_token) const {
  const auto org = orgs_.find(authorization.org);
  const auto user = users_.find(authorization.user);
  if (org == orgs_.end() || user == users_.end()) return nullptr;
  Json permissions = Json::array();
  for (const InfluxPermission& permission : authorization.permissions)
    permissions.push_back(permission_json(permission, true));
  return {{"id", authorization.id},
          {"token", with_token ? authorization.token : ""},
          {"status", authorization.active ? "active" : "inactive"},
          {"description", authorization.description},
          {"orgID", authorization.org},
          {"org", org->second.name},
          {"userID", authorization.user},
          {"user", user->second.name},
          {"permissions", std::move(permissions)},
          {"links",
           {{"self", "/api/v2/authorizations/" + authorization.id},
            {"user", "/api/v2/users/" + authorization.user}}},
          {"createdAt", format_rfc3339_micro(authorization.created)},
          {"updatedAt", format_rfc3339_micro(authorization.updated)}};
}

HttpResponse InfluxDb::list_tokens(const Caller& caller, const Request& request,
                                   const std::string&) {
  std::string user = influx_id_param(request, "userID");
  std::string org = influx_id_param(request, "orgID");
  const std::string id = influx_id_param(request, "id");
  const std::string user_name = influx_param(request, "user");
  const std::string org_name = influx_param(request, "org");
  if (user.empty() && !user_name.empty()) {
    const InfluxUser* found = user_named(user_name);
    if (!found) throw InfluxError("not found", "user not found");
    user = found->id;
  }
  if (org.empty() && !org_name.empty()) {
    const InfluxOrg* found = org_named(org_name);
    if (!found) throw InfluxError("not found", "organization name \"" + org_name + "\" not found");
    org = found->id;
  }
  if (!id.empty()) need_authorization(id);
  Json list = Json::array();
  for (const auto& [key, authorization] : authorizations_) {
    const bool wanted = id.empty() ? (user.empty() || authorization.user == user) &&
                                         (org.empty() || authorization.org == org)
                                   : key == id;
    if (!wanted ||
        !allowed(caller, {"read", "authorizations", authorization.id, authorization.org}) ||
        !allowed(caller, {"read", "users", authorization.user, ""})) {
      continue;
    }
    Json view = authorization_json(authorization, !options_.hides_tokens);
    if (!view.is_null()) list.push_back(std::move(view));
  }
  return influx_answer(
      200, {{"links", {{"self", "/api/v2/authorizations"}}}, {"authorizations", std::move(list)}});
}

HttpResponse InfluxDb::create_token(const Caller& caller, const Request& request,
                                    const std::string&) {
  const Json body = Json::parse(request.body);
  if (!body.is_object()) throw InfluxError("invalid", "invalid json structure");
  InfluxAuthorization wanted;
  const Json& permissions = at(body, "permissions");
  if (!permissions.is_null() && !permissions.is_array())
    throw InfluxError("invalid", "invalid json structure");
  if (permissions.empty()) throw InfluxError("invalid", "authorization must include permissions");
  for (const Json& entry : permissions) wanted.permissions.push_back(influx_permission(entry));
  const Json& org = at(body, "orgID");
  if (org.is_null()) throw InfluxError("invalid", "org id required: invalid ID");
  wanted.org = influx_body_id(org);
  const std::string status = text_member(body, "status");
  if (status != "" && status != "active" && status != "inactive")
    throw InfluxError("invalid", "invalid status: must be active or inactive");
  wanted.active = status != "inactive";
  wanted.description = text_member(body, "description");
  // Whoever asks owns it, unless another is named.
  const Json& owner = at(body, "userID");
  wanted.user = owner.is_null() ? caller.user : influx_body_id(owner);

  require(caller, {"write", "authorizations", "", wanted.org});
  require(caller, {"write", "users", wanted.user, ""});
  for (const InfluxPermission& permission : wanted.permissions) {
    if (allowed(caller, permission)) continue;
    throw InfluxError("forbidden", "permission " + permission.text() + " is not allowed: " +
                                       permission.text() + " is unauthorized");
  }
  for (const InfluxPermission& permission : wanted.permissions) {
    if (permission.type != "instance") continue;
    throw InfluxError("internal error",
                      "authorizations cannot be created with the instance type, it is only used "
                      "during setup");
  }
  const InfluxAuthorization& made = new_authorization(std::move(wanted));
  return influx_answer(201, authorization_json(made, true));
}

HttpResponse InfluxDb::get_token(const Caller& caller, const Request&, const std::string& id) {
  const InfluxAuthorization& found = need_authorization(id);
  may_read(caller, found);
  const Json view = authorization_json(found, !options_.hides_tokens);
  if (view.is_null()) throw InfluxError("not found", "user not found");
  return influx_answer(200, view);
}

HttpResponse InfluxDb::patch_token(const Caller& caller, const Request& request,
                                   const std::string& id) {
  influx_id(id);
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object()) throw InfluxError("internal error", "unexpected EOF");
  InfluxAuthorization& found = need_authorization(id);
  may_read(caller, found);
  may_write(caller, found);
  // Anything else in the body is ignored.
  const Json& status = at(body, "status");
  const Json& description = at(body, "description");
  for (const Json* each : {&status, &description}) {
    if (!each->is_null() && !each->is_string())
      throw InfluxError("internal error", "json: cannot unmarshal into a string");
  }
  if (!status.is_null()) {
    if (status != "active" && status != "inactive")
      throw InfluxError("invalid", "unknown authorization status");
    found.active = status == "active";
  }
  if (!description.is_null()) found.description = description.get<std::string>();
  found.updated = clock_.now();
  const Json view = authorization_json(found, !options_.hides_tokens);
  if (view.is_null()) throw InfluxError("not found", "user not found");
  return influx_answer(200, view);
}

HttpResponse InfluxDb::delete_token(const Caller& caller, const Request&, const std::string& id) {
  may_write(caller, need_authorization(id));
  authorizations_.erase(id);
  return influx_no_content();
}

}  // namespace keyturn::sandbox
