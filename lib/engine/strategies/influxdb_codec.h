// InfluxDB 2.x's JSON. Unknown members are ignored; a missing or mistyped one that is needed is
// Transient "BadReply" and named. None quotes the reply. Tokens are cut out of the text before a
// JSON library sees it, and the rest of the text is wiped by whoever owns it.
//
// Thread rule: pure functions; any bytes are accepted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/strategies/influxdb_permissions.h"

namespace keyturn::engine::influxdb {

struct Authorization {
  std::string id;
  SecretString token{};  // empty: the server hides it (2.9; an option in 2.8)
  bool active = false;
  std::string description{};
  std::string org_id{}, org{};
  std::string user_id{}, user{};
  Permissions permissions{};
  std::optional<WallTime> created{};
};

struct Named {  // an organisation, a user
  std::string id;
  std::string name;
};

struct ApiError {
  std::string code;     // "unauthorized"; "" when the reply is none of InfluxDB's
  std::string message;  // as sent
};

Result<Authorization> decode_authorization(std::string& body);
Result<std::vector<Authorization>> decode_authorizations(std::string& body);
Result<std::vector<Named>> decode_orgs(const std::string& body);
Result<Named> decode_user(const std::string& body);
ApiError decode_error(const std::string& body);

struct NewAuthorization {
  std::string org_id;
  std::string user_id;  // always named: the server's default is the caller
  std::string description;
  Permissions permissions;
};
std::string encode_authorization(const NewAuthorization& wanted);
// Of PATCH: nothing else can be changed.
std::string encode_update(bool active, const std::string& description);
// Of a change of password. Precondition: UTF-8. The caller wipes it.
std::string encode_password(const SecretString& password);

}  // namespace keyturn::engine::influxdb
