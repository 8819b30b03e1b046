// What a secret of `influxdbToken` says, together with the policy's options.
//
//   {"engine": "timestream-influxdb", "org": "shop", "type": "custom", "token": "…",
//    "dbIdentifier": "abcdef1234", "adminSecretArn": "arn:…", "authorizationId": "0b3d5e7f90a1b2c3",
//    "readBuckets": ["0a…"], "writeBuckets": [], "permissions": ["write-tasks"]}
//
// The format of the rotation functions that AWS publishes, and two fields of ours: `url`, for
// servers that are not Timestream's, and `authorizationId`, which Keyturn writes. An empty string
// counts as absent. Errors are Invalid and name the field; none holds a part of a token.
//
// Thread rule: plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/influxdb_fields.h"
#include "lib/engine/strategies/influxdb_permissions.h"

namespace keyturn::engine::influxdb {

struct TokenOptions {
  bool allow_create = false;
  Location location{};  // at most one; for secrets that do not name it

  // Takes allowCreate, dbIdentifier and url. Invalid "InvalidStrategy".
  static Result<TokenOptions> read(const nlohmann::json& options, const std::string& path);
};

enum class TokenType { Operator, AllAccess, Custom };

struct TokenSecret {
  Document document;  // the whole value
  Location location;
  std::string org;
  TokenType type = TokenType::Custom;
  std::string admin_secret;      // empty: the token replaces itself
  std::string authorization_id;  // empty: not known yet
  SecretString token;            // empty: none yet
  Custom custom;

  bool single_user() const { return admin_secret.empty(); }

  // Invalid "NoValueYet", "NotAnObject", "MissingField", "BadField", "WrongEngine",
  // "Contradiction". The token may be missing.
  static Result<TokenSecret> read(const SecretString& value, const TokenOptions& options);
  // Invalid "NoToken": none, and none may be made.
  Status check_token(bool allow_create) const;
  // The value with this credential; every other byte stays.
  static Result<SecretString> with_credential(const Document& onto, const SecretString& token,
                                              const std::string& authorization_id);
};

}  // namespace keyturn::engine::influxdb
