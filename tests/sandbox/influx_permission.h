// Permissions of InfluxDB 2: an action on a kind of resource, on one resource of it, or on all of
// an organisation.
//
// Whose meaning is easily got wrong: a permission with an id covers that id in any organisation,
// and one with neither id nor organisation covers everything of its type. `instance` covers every
// type there is; only the session of whoever set the server up has it.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

struct InfluxPermission {
  std::string action;   // "read", "write"
  std::string type;     // "buckets", "orgs", …
  std::string id, org;  // "": any

  bool covers(const InfluxPermission& wanted) const;
  std::string text() const;  // "read:orgs/0123456789abcdef/buckets", as in error messages
};

using InfluxPermissions = std::vector<InfluxPermission>;

// Sixteen hex digits, not all of them zero. Throws InfluxError ("invalid").
std::string influx_id(const std::string& text);

// The same, of an id in a request's body.
std::string influx_body_id(const Json& value);

// One entry of a request's `permissions`. `name` and `org` inside the resource are ignored, as the
// server ignores them. Throws InfluxError ("invalid").
InfluxPermission influx_permission(const Json& entry);

// Read and write on every type without a scope: an operator token.
InfluxPermissions influx_operator_rights();
// What the originals call all-access: everything of one organisation, but only its own user, and
// the organisation itself read only.
InfluxPermissions influx_all_access_rights(const std::string& org, const std::string& user);
// What membership of an organisation gives a session.
InfluxPermissions influx_owner_rights(const std::string& org);
InfluxPermissions influx_member_rights(const std::string& org);
// What everybody's session may do to its own user.
InfluxPermissions influx_own_rights(const std::string& user);
InfluxPermissions influx_instance_rights();

}  // namespace keyturn::sandbox
