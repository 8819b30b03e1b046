// AWS STS (Query API, version 2011-06-15): the two calls that give temporary keys.
// Always the regional endpoint: the global one is a single point of failure and knows no opt-in
// regions.
//
// Thread rule: any thread.
#pragma once

#include <string>
#include <string_view>

#include "lib/aws/caller.h"
#include "lib/aws/credentials.h"
#include "lib/base/result.h"

namespace keyturn::aws {

// Unsigned: the token is what proves the caller.
Result<Credentials> assume_role_with_web_identity(Session& session, const std::string& role_arn,
                                                  const std::string& session_name,
                                                  const SecretString& token);
// Signed with the session's keys. Duration is STS's default, one hour (also the most that chaining
// allows).
Result<Credentials> assume_role(Session& session, const AssumeRoleOptions& role);

// The <Credentials> of either reply; `operation` is the API's name. The buffer is parsed in place
// and wiped.
Result<Credentials> parse_sts_reply(std::string& xml, const std::string& operation);

// RoleSessionName allows 2 to 64 of [\w+=,.@-]: others become '-', what is too long is cut.
std::string role_session_name(std::string_view wish);

}  // namespace keyturn::aws
