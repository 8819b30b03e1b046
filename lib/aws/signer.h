// AWS Signature Version 4 (AWS4-HMAC-SHA256), header form. Written here because libcurl 7.88's own
// cannot correct clock skew and signs headers it does not send. The three stages are separate
// functions so that tests can compare each.
//
// Never log what canonical_request() returns: it holds the session token.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/aws/credentials.h"
#include "lib/base/clock.h"
#include "lib/http/transport.h"

namespace keyturn::aws {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;  // not encoded

// name=value&… with everything but A-Z a-z 0-9 - _ . ~ as %XX, in the given order: a query string
// or a form body.
std::string encode_parameters(const QueryParameters& parameters);

// What is signed. `headers` must be exactly those that will be sent (some names are skipped, see
// signer.cpp), "host" among them; `path` is the path on the wire. Outside S3 the service encodes it
// once more.
struct SignableRequest {
  std::string method;
  std::string path;
  QueryParameters query;
  http::Headers headers;
  std::string_view body;
};

struct SigningScope {
  std::string region;
  std::string service;  // the signing name, e.g. "secretsmanager"
  WallTime time;        // AWS's, that is corrected by the known clock offset
};

std::string amz_date(WallTime time);  // "20150830T123600Z"
std::string canonical_request(const SignableRequest& request);
std::string string_to_sign(std::string_view canonical, const SigningScope& scope);
std::string signature(const SecretString& secret_access_key, std::string_view to_sign,
                      const SigningScope& scope);

// Adds X-Amz-Date, X-Amz-Security-Token (session keys only) and Authorization to request.headers.
// What an earlier signing added is replaced, so a request can be signed again for a retry.
void sign(SignableRequest& request, const Credentials& credentials, const SigningScope& scope);

}  // namespace keyturn::aws
