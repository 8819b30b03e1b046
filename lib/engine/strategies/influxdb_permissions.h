// What an InfluxDB 2.x token may do.
//
// A permission is an action on a resource: neither id nor orgID means every resource of the type on
// the server, orgID alone all of the type in the organisation. `name` and `org` inside a resource
// are decoration that the server ignores on input, so they are never read or written here: that is
// how the original's "custom" tokens got every bucket. Types and sets: InfluxDB 2.9.1, authz.go.
//
// Thread rule: pure functions.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::engine::influxdb {

struct Permission {
  std::string action;    // "read", "write"
  std::string type;      // "buckets"…
  std::string id{};      // one resource
  std::string org_id{};  // of one organisation
  friend auto operator<=>(const Permission&, const Permission&) = default;
};
using Permissions = std::vector<Permission>;

// Reading and writing everything, everywhere.
Permissions operator_permissions();
// Reading and writing everything in one organisation; of users only oneself, the organisation
// itself read-only.
Permissions all_access_permissions(const std::string& org_id, const std::string& user_id);

struct Custom {
  std::vector<std::string> read_buckets;   // ids
  std::vector<std::string> write_buckets;  // ids
  std::vector<std::string> permissions;    // "read-tasks", "write-notificationRules": org-wide
};
// Really only these. Invalid "BadPermission" names the entry.
Result<Permissions> custom_permissions(const Custom& custom, const std::string& org_id);

// Whether both allow the same, whatever their order and repetitions.
bool same_permissions(const Permissions& a, const Permissions& b);
// Whether GET /api/v2/me is allowed to a token of that user.
bool may_read_user(const Permissions& permissions, const std::string& user_id);

// An id as InfluxDB writes it: 16 hexadecimal digits.
bool is_id(std::string_view text);

}  // namespace keyturn::engine::influxdb
