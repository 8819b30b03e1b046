// What a secret of `astraToken` says.
//
//   {"engine": "Astra", "astraKey": "AstraCS:<client id>:<64 hex digits>", "clientID": "…",
//    "clientSecret": "…", "rootarn": "arn:aws:secretsmanager:…"}
//
// The format of the rotation function that went before. An application token of Astra belongs to a
// client, by whose id everything goes; rootarn is the secret (name or ARN) of the token that may
// make and revoke clients, perhaps this secret itself. Errors are Invalid and name the field; none
// holds a part of a token.
//
// Thread rule: plain values, pure functions.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"

namespace keyturn::engine::astra {

// A client's id as Keyturn uses it, in a URL too: 1 to 128 letters, digits, "-" and "_".
bool is_client_id(std::string_view text);
// Ids are compared without case: Astra writes one and the same in several ways.
bool same_client(std::string_view a, std::string_view b);
// The client that the token itself names; "" when it is written in another way.
std::string client_of(const SecretString& token);

struct Secret {
  Document document;  // the whole value
  SecretString token;
  std::string client_id;
  SecretString client_secret{};  // may be missing
  std::string root;              // a secret's name or ARN

  // "NoValueYet", "NotAnObject", "MissingField", "BadField", "WrongEngine", "Contradiction" (the
  // token is another client's).
  static Result<Secret> read(const SecretString& value);
  // `onto` with this credential; every other byte stays.
  static Result<SecretString> with_credential(const Document& onto, const SecretString& token,
                                              const std::string& client_id,
                                              const SecretString& client_secret);
};

}  // namespace keyturn::engine::astra
