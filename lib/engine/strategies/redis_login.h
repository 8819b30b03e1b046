// A login at a Redis or Valkey server, as a proof that a password works: TLS (verified, with SNI),
// a connection of its own, AUTH and PING (RESP; redis.io/commands/auth). Nothing else is ever sent.
//
//   +OK +PONG, or -NOPERM to the PING   Accepted: a user may be forbidden to PING
//   -WRONGPASS (6.0 and newer), -ERR invalid password   Rejected
//   whatever else, or nothing   Unknown
//
// Thread rule: any thread; blocks, at most until the deadline.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/secret_string.h"
#include "lib/engine/strategies/backend_access.h"

namespace keyturn::engine {

// `server`: allowed already. `user` may be empty: AUTH with the password alone.
TestResult redis_login(const StrategyDeps& deps, const Server& server, std::string_view user,
                       const SecretString& password, MonoTime deadline);

// What the two replies say; `replies` may be cut off. Pure.
TestResult judge_redis_login(std::string_view replies, const std::string& host_port);

}  // namespace keyturn::engine
