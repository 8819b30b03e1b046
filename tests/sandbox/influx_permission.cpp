#include "tests/sandbox/influx_permission.h"

#include <algorithm>
#include <array>

#include "tests/sandbox/influx_error.h"

namespace keyturn::sandbox {
namespace {

constexpr std::array kTypes = {
    "authorizations", "buckets",     "dashboards",        "orgs",
    "sources",        "tasks",       "telegrafs",         "users",
    "variables",      "scrapers",    "secrets",           "labels",
    "views",          "documents",   "notificationRules", "notificationEndpoints",
    "checks",         "dbrp",        "notebooks",         "annotations",
    "remotes",        "replications"};
constexpr std::array kActions = {"read", "write"};
constexpr const char* kInstance = "instance";

// An id inside a JSON body; null and absence are "none".
std::string optional_id(const Json& resource, const char* key) {
  const Json& value = at(resource, key);
  return value.is_null() ? "" : influx_body_id(value);
}

}  // namespace

bool InfluxPermission::covers(const InfluxPermission& wanted) const {
  if (action != wanted.action) return false;
  if (type == kInstance) return true;
  if (type != wanted.type) return false;
  if (id.empty()) return org.empty() || org == wanted.org;
  return id == wanted.id;
}

std::string InfluxPermission::text() const {
  std::string out = action + ":";
  if (!org.empty()) out += "orgs/" + org + "/";
  out += type;
  return id.empty() ? out : out + "/" + id;
}

std::string influx_id(const std::string& text) {
  if (text.size() != 16) throw InfluxError("invalid", "id must have a length of 16 bytes");
  const bool digits = text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (!digits || text == std::string(16, '0')) throw InfluxError("invalid", "invalid ID");
  return text;
}

std::string influx_body_id(const Json& value) {
  if (!value.is_string()) throw InfluxError("invalid", "invalid json structure");
  try {
    return influx_id(value.get<std::string>());
  } catch (const InfluxError& error) {
    throw InfluxError("invalid", "invalid json structure: " + error.message);
  }
}

InfluxPermission influx_permission(const Json& entry) {
  if (!entry.is_object()) throw InfluxError("invalid", "invalid json structure");
  const Json& resource = at(entry, "resource");
  for (const Json* text : {&at(entry, "action"), &at(resource, "type")}) {
    if (!text->is_null() && !text->is_string())
      throw InfluxError("invalid", "invalid json structure");
  }
  InfluxPermission out;
  out.action = text_at(entry, "action");
  out.type = text_at(resource, "type");
  out.id = optional_id(resource, "id");
  out.org = optional_id(resource, "orgID");
  if (out.type != kInstance && std::find(kTypes.begin(), kTypes.end(), out.type) == kTypes.end()) {
    throw InfluxError("invalid",
                      "invalid resource type for permission: unknown resource type for permission");
  }
  if (std::find(kActions.begin(), kActions.end(), out.action) == kActions.end()) {
    throw InfluxError("invalid",
                      "invalid action type for permission: unknown action for permission");
  }
  return out;
}

InfluxPermissions influx_operator_rights() {
  InfluxPermissions out;
  for (const char* type : kTypes) {
    for (const char* action : kActions) out.push_back({action, type, "", ""});
  }
  return out;
}

InfluxPermissions influx_all_access_rights(const std::string& org, const std::string& user) {
  InfluxPermissions out = influx_owner_rights(org);
  std::erase_if(out, [](const InfluxPermission& p) {
    return p.type == "users" || (p.type == "orgs" && p.action == "write");
  });
  for (InfluxPermission& own : influx_own_rights(user)) out.push_back(std::move(own));
  return out;
}

InfluxPermissions influx_owner_rights(const std::string& org) {
  InfluxPermissions out;
  for (InfluxPermission permission : influx_operator_rights()) {
    (permission.type == "orgs" ? permission.id : permission.org) = org;
    out.push_back(std::move(permission));
  }
  return out;
}

InfluxPermissions influx_member_rights(const std::string& org) {
  InfluxPermissions out = influx_owner_rights(org);
  std::erase_if(out, [](const InfluxPermission& p) { return p.action != "read"; });
  return out;
}

InfluxPermissions influx_own_rights(const std::string& user) {
  return {{"read", "users", user, ""}, {"write", "users", user, ""}};
}

InfluxPermissions influx_instance_rights() {
  return {{"read", kInstance, "", ""}, {"write", kInstance, "", ""}};
}

}  // namespace keyturn::sandbox
