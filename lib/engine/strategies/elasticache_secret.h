// What a secret of `elasticacheUser` holds, in the format of the rotation function that AWS
// publishes, and where its cache is:
//
//   {"user_arn": "arn:aws:elasticache:eu-west-1:123456789012:user:orders", "username": "orders",
//    "password": "…"}
//
// password is absent before the first rotation. replicationGroupId or endpoint ("host:port") may
// stand in the secret or in the options; where both speak they must agree; without any, every
// replication group whose user groups hold the user is meant.
//
// Thread rule: plain values. Errors are Invalid, name the field, and hold no part of a credential.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine::elasticache {

// Where the user logs in: at most one of the two.
struct Location {
  std::string replication_group{};
  std::string endpoint{};  // "host:port"
  friend bool operator==(const Location&, const Location&) = default;

  // The options replicationGroupId and endpoint. Problems fail `options`.
  static Location read(Options& options);
};

// arn:aws:elasticache:REGION:ACCOUNT:user:ID
struct UserArn {
  std::string text;
  std::string id;

  static Result<UserArn> parse(const std::string& text);
  // Of a replication group of the same account and region.
  std::string replication_group(const std::string& id) const;
};

struct UserSecret {
  Document document;  // the whole value
  UserArn arn;
  std::string name;       // Redis' name of the user, which AUTH takes
  SecretString password;  // empty: none yet
  Location location;

  // "NoValueYet", "NotAnObject", "MissingField", "BadField", "Contradiction".
  static Result<UserSecret> read(const SecretString& value, const Location& option);
  bool same_user(const UserSecret& other) const {
    return arn.text == other.arn.text && name == other.name;
  }
};

}  // namespace keyturn::engine::elasticache
