// Which authorization is a token's: the server has no call that says so.
//
// By the id in the secret, where the token there is not another one; by value on servers that show
// values; else, on a server that hides them, by what the token itself gets to know: it is the only
// active authorization of its user (or the only one that may not read its user). Where that leaves
// several, nothing is guessed: Invalid "AuthorizationUnknown" says what to store.
//
// Thread rule: pure but for the client's requests, which only read.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "lib/engine/strategies/influxdb_client.h"
#include "lib/engine/strategies/influxdb_secret.h"

namespace keyturn::engine::influxdb {

// NotFound "TokenNotFound": no authorization there is this token's. `not_this`: an id that it
// cannot be; may be empty.
Result<Authorization> find_authorization(const Client& client, const TokenSecret& secret,
                                         const std::string& not_this, MonoTime deadline);

// Denied: a list that is empty, for what the asker may not see is left out of it.
Error nothing_visible(const Client& client, const TokenSecret& secret);

// Whether the authorization can be that of the token: false when the server shows another value.
bool may_be(const Authorization& authorization, const SecretString& token);

}  // namespace keyturn::engine::influxdb
