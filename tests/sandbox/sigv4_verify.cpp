#include "tests/sandbox/sigv4_verify.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/aws_error.h"

namespace keyturn::sandbox {
namespace {

constexpr std::chrono::minutes kMaxSkew{5};

struct Authorization {
  std::string access_key, date, region, service, signature;
  std::vector<std::string> headers;
};

Authorization parse(const std::string& header) {
  static constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256 ";
  if (header.empty())
    throw AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403);
  if (!header.starts_with(kAlgorithm)) {
    throw AwsError("IncompleteSignatureException", "Unsupported AWS 'algorithm'", 403);
  }
  Authorization out;
  for (const std::string& part : split(header.substr(kAlgorithm.size()), ',')) {
    const std::string field(trim(part));
    const std::string value = field.substr(std::min(field.size(), field.find('=') + 1));
    if (field.starts_with("Credential=")) {
      const std::vector<std::string> scope = split(value, '/');
      if (scope.size() != 5 || scope[4] != "aws4_request") {
        throw AwsError("IncompleteSignatureException",
                       "Credential must have exactly 5 slash-delimited elements", 403);
      }
      out.access_key = scope[0];
      out.date = scope[1];
      out.region = scope[2];
      out.service = scope[3];
    } else if (field.starts_with("SignedHeaders=")) {
      out.headers = split(value, ';');
    } else if (field.starts_with("Signature=")) {
      out.signature = value;
    }
  }
  if (out.access_key.empty() || out.headers.empty() || out.signature.empty()) {
    throw AwsError("IncompleteSignatureException",
                   "Authorization header requires Credential, SignedHeaders and Signature", 403);
  }
  return out;
}

// "20150830T123600Z" → time; nullopt when it is not one.
std::optional<WallTime> parse_stamp(const std::string& text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto parsed =
      parse_rfc3339(text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 2) + "T" +
                    text.substr(9, 2) + ":" + text.substr(11, 2) + ":" + text.substr(13, 2) + "Z");
  if (!parsed) return std::nullopt;
  return *parsed;
}

std::string stamp_of(WallTime time) {
  std::string text = format_rfc3339(time);
  std::erase(text, '-');
  std::erase(text, ':');
  return text;
}

std::string collapse(std::string_view text) {
  std::string out;
  for (const char c : trim(text)) {
    if (c == ' ' && !out.empty() && out.back() == ' ') continue;
    out += c;
  }
  return out;
}

std::string canonical_query(const HttpRequest& request) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [key, value] : request.query)
    pairs.emplace_back(url_encode(key), url_encode(value));
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [key, value] : pairs) {
    if (!out.empty()) out += "&";
    out += key + "=" + value;
  }
  return out;
}

std::string hmac(const std::string& key, std::string_view data) {
  const Sha256 mac = hmac_sha256(as_bytes_of(key), data);
  return std::string(reinterpret_cast<const char*>(mac.data()), mac.size());
}

void check_signed_headers(const HttpRequest& request, const std::vector<std::string>& headers) {
  const auto is_signed = [&](const std::string& name) {
    return std::find(headers.begin(), headers.end(), name) != headers.end();
  };
  if (!std::is_sorted(headers.begin(), headers.end())) {
    throw AwsError("InvalidSignatureException", "SignedHeaders are not sorted");
  }
  if (!is_signed("host"))
    throw AwsError("InvalidSignatureException",
                   "'Host' must be a 'SignedHeader' in the AWS Authorization.", 403);
  for (const auto& [name, value] : request.headers) {
    if (name.starts_with("x-amz-") && !is_signed(name)) {
      throw AwsError("InvalidSignatureException",
                     "'" + name + "' must be a 'SignedHeader' in the AWS Authorization.", 403);
    }
  }
  for (const std::string& name : headers) {
    const bool sent = std::any_of(request.headers.begin(), request.headers.end(),
                                  [&](const auto& header) { return header.first == name; });
    if (!sent)
      throw AwsError("InvalidSignatureException", "a signed header was not sent: " + name, 403);
  }
}

void check_time(const std::string& stamp, WallTime now, const std::string& skew_code) {
  const auto time = parse_stamp(stamp);
  if (!time)
    throw AwsError("IncompleteSignatureException",
                   "Date must be in ISO-8601 'basic format'. Got '" + printable(stamp) + "'", 403);
  const std::string code = skew_code.empty() ? "InvalidSignatureException" : skew_code;
  if (*time < now - kMaxSkew) {
    throw AwsError(code,
                   "Signature expired: " + stamp + " is now earlier than " +
                       stamp_of(now - kMaxSkew) + " (" + stamp_of(now) + " - 5 min.)",
                   403);
  }
  if (*time > now + kMaxSkew) {
    throw AwsError(code,
                   "Signature not yet current: " + stamp + " is still later than " +
                       stamp_of(now + kMaxSkew) + " (" + stamp_of(now) + " + 5 min.)",
                   403);
  }
}

}  // namespace

std::string canonical_request(const HttpRequest& request,
                              const std::vector<std::string>& signed_headers) {
  std::string headers;
  for (const std::string& name : signed_headers) {
    std::string value;
    for (const auto& [key, text] : request.headers) {
      if (key == name) value += (value.empty() ? "" : ",") + collapse(text);
    }
    headers += name + ":" + value + "\n";
  }
  return request.method + "\n" + (request.raw_path.empty() ? "/" : request.raw_path) + "\n" +
         canonical_query(request) + "\n" + headers + "\n" + join(signed_headers, ";") + "\n" +
         hex(sha256(request.body));
}

Signed verify_signature(const HttpRequest& request, const AwsAccounts& accounts, WallTime now,
                        const std::string& skew_code) {
  const Authorization given = parse(request.header("authorization"));
  const std::string stamp = request.header("x-amz-date");
  const std::optional<Principal> principal = accounts.find(given.access_key);
  if (!principal) {
    throw AwsError("UnrecognizedClientException",
                   "The security token included in the request is invalid.", 403);
  }
  if (principal->session_token != request.header("x-amz-security-token")) {
    throw AwsError("UnrecognizedClientException",
                   "The security token included in the request is invalid.", 403);
  }
  if (principal->expires && *principal->expires <= now) {
    throw AwsError("ExpiredTokenException", "The security token included in the request is expired",
                   403);
  }
  check_time(stamp, now, skew_code);
  check_signed_headers(request, given.headers);
  if (stamp.substr(0, 8) != given.date)
    throw AwsError(
        "InvalidSignatureException",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
        403);
  const std::string scope = given.date + "/" + given.region + "/" + given.service + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" +
                              hex(sha256(canonical_request(request, given.headers)));
  std::string key = "AWS4" + principal->secret_key;
  for (const std::string& part :
       {given.date, given.region, given.service, std::string("aws4_request")})
    key = hmac(key, part);
  if (hex(as_bytes_of(hmac(key, to_sign))) != given.signature) {
    throw AwsError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your "
        "AWS "
        "Secret Access Key and signing method. Consult the service documentation for details.",
        403);
  }
  return {*principal, given.region, given.service};
}

}  // namespace keyturn::sandbox
