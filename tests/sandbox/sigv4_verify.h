// Verifies AWS Signature Version 4, written from the signing specification and not from the
// product's signer: rebuilds the canonical request from what arrived on the wire. Thread rule: pure
// functions.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/http_server.h"

namespace keyturn::sandbox {

struct Signed {
  Principal principal;
  std::string region, service;
};

// Throws AwsError: MissingAuthenticationTokenException, IncompleteSignatureException,
// UnrecognizedClientException, ExpiredTokenException, InvalidSignatureException (also for a
// timestamp more than five minutes off; `skew_code` replaces the code then).
Signed verify_signature(const HttpRequest& request, const AwsAccounts& accounts, WallTime now,
                        const std::string& skew_code);

// Exposed for tests: hex SHA-256 of the canonical request over these signed headers.
std::string canonical_request(const HttpRequest& request,
                              const std::vector<std::string>& signed_headers);

}  // namespace keyturn::sandbox
