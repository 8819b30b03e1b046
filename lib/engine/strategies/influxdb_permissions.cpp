#include "lib/engine/strategies/influxdb_permissions.h"

#include <algorithm>
#include <array>
#include <set>

#include "lib/base/suggest.h"
#include "lib/base/text.h"

namespace keyturn::engine::influxdb {
namespace {

// Without `instance`, which no token may have.
constexpr std::array<std::string_view, 22> kTypes = {
    "authorizations", "buckets",     "dashboards",        "orgs",
    "sources",        "tasks",       "telegrafs",         "users",
    "variables",      "scrapers",    "secrets",           "labels",
    "views",          "documents",   "notificationRules", "notificationEndpoints",
    "checks",         "dbrp",        "notebooks",         "annotations",
    "remotes",        "replications"};
constexpr std::array<const char*, 2> kActions = {"read", "write"};

Error bad(const std::string& field, const std::string& entry, const std::string& why) {
  return invalid("BadPermission", "field " + field + ": \"" + printable(entry, 60) + "\" " + why);
}

Status add_buckets(Permissions& out, const std::string& field, const char* action,
                   const std::vector<std::string>& ids, const std::string& org_id) {
  for (const std::string& id : ids) {
    if (!is_id(id))
      return bad(field, id,
                 "is not a bucket id (16 hexadecimal digits, as `influx bucket list` shows)");
    out.push_back({action, "buckets", id, org_id});
  }
  return {};
}

}  // namespace

Permissions operator_permissions() {
  Permissions out;
  for (const std::string_view type : kTypes) {
    for (const char* action : kActions) out.push_back({action, std::string(type)});
  }
  return out;
}

Permissions all_access_permissions(const std::string& org_id, const std::string& user_id) {
  Permissions out;
  for (const std::string_view type : kTypes) {
    if (type == "orgs") {
      out.push_back({"read", "orgs", org_id, ""});
      continue;
    }
    for (const char* action : kActions) {
      if (type == "users")
        out.push_back({action, "users", user_id, ""});
      else
        out.push_back({action, std::string(type), "", org_id});
    }
  }
  return out;
}

Result<Permissions> custom_permissions(const Custom& custom, const std::string& org_id) {
  Permissions out;
  if (auto added = add_buckets(out, "readBuckets", "read", custom.read_buckets, org_id); !added)
    return std::move(added).error();
  if (auto added = add_buckets(out, "writeBuckets", "write", custom.write_buckets, org_id); !added)
    return std::move(added).error();
  for (const std::string& entry : custom.permissions) {
    const std::size_t dash = entry.find('-');
    const std::string action = entry.substr(0, dash);
    if (dash == std::string::npos || (action != "read" && action != "write"))
      return bad("permissions", entry, "must be read- or write- and a type, as in write-tasks");
    const std::string type = entry.substr(dash + 1);
    if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end())
      return bad("permissions", entry, "names no type of resource" + did_you_mean(type, kTypes));
    out.push_back({action, type, "", org_id});
  }
  if (out.empty())
    return invalid("BadPermission",
                   "a custom token needs at least one entry in readBuckets, writeBuckets or "
                   "permissions");
  return out;
}

bool same_permissions(const Permissions& a, const Permissions& b) {
  return std::set<Permission>(a.begin(), a.end()) == std::set<Permission>(b.begin(), b.end());
}

bool may_read_user(const Permissions& permissions, const std::string& user_id) {
  return std::any_of(permissions.begin(), permissions.end(), [&](const Permission& p) {
    if (p.action != "read" || p.type != "users") return false;
    return p.id.empty() ? p.org_id.empty() : p.id == user_id;
  });
}

bool is_id(std::string_view text) {
  return text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace keyturn::engine::influxdb
