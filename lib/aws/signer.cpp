#include "lib/aws/signer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <map>
#include <span>

#include "lib/base/digest.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
// Proxies and HTTP libraries add or change these on the way, so they are never signed.
// `authorization` is the result.
constexpr std::array<std::string_view, 10> kNeverSigned = {
    "authorization", "connection",        "expect",  "keep-alive", "te",
    "trailer",       "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"};
constexpr std::array<std::string_view, 3> kAddedBySigning = {"x-amz-date", "x-amz-security-token",
                                                             "authorization"};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Trimmed, and every run of white space inside is one blank: folded header lines become one line.
std::string collapse(std::string_view value) {
  std::string out;
  for (char c : trim(value)) {
    if (!is_space(c)) {
      out += c;
    } else if (out.empty() || out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

// RFC 3986 §5.2.4, and empty segments dropped as AWS does; then every octet but unreserved and '/'
// encoded.
std::string canonical_path(std::string_view path) {
  std::vector<std::string> kept;
  for (std::string& segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else {
      kept.push_back(url_encode(segment));
    }
  }
  std::string out = "/" + join(kept, "/");
  if (path.ends_with('/') && !kept.empty()) out += '/';
  return out;
}

std::string canonical_query(const QueryParameters& query) {
  QueryParameters encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(url_encode(name), url_encode(value));
  }
  std::sort(encoded.begin(), encoded.end());  // by encoded name, then by encoded value
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

// By lower-case name; values of a repeated header joined in the order in which they are sent.
std::map<std::string, std::string> canonical_headers(const http::Headers& headers) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : headers) {
    std::string lower = lower_ascii(trim(name));
    if (std::find(kNeverSigned.begin(), kNeverSigned.end(), lower) != kNeverSigned.end()) continue;
    auto [at, fresh] = out.try_emplace(std::move(lower), collapse(value));
    if (!fresh) at->second.append(",").append(collapse(value));
  }
  return out;
}

std::string signed_names(const std::map<std::string, std::string>& headers) {
  std::string out;
  for (const auto& [name, value] : headers) {
    if (!out.empty()) out += ';';
    out += name;
  }
  return out;
}

std::string credential_scope(const SigningScope& scope) {
  return amz_date(scope.time).substr(0, 8) + "/" + scope.region + "/" + scope.service +
         "/aws4_request";
}

}  // namespace

std::string encode_parameters(const QueryParameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out.append(url_encode(name)).append("=").append(url_encode(value));
  }
  return out;
}

std::string amz_date(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::string canonical_request(const SignableRequest& request) {
  const auto headers = canonical_headers(request.headers);
  std::string out = request.method;
  out.append("\n").append(canonical_path(request.path));
  out.append("\n").append(canonical_query(request.query)).append("\n");
  for (const auto& [name, value] : headers) out.append(name).append(":").append(value).append("\n");
  out.append("\n").append(signed_names(headers));
  out.append("\n").append(hex(sha256(request.body)));
  return out;
}

std::string string_to_sign(std::string_view canonical, const SigningScope& scope) {
  std::string out(kAlgorithm);
  out.append("\n").append(amz_date(scope.time));
  out.append("\n").append(credential_scope(scope));
  out.append("\n").append(hex(sha256(canonical)));
  return out;
}

std::string signature(const SecretString& secret_access_key, std::string_view to_sign,
                      const SigningScope& scope) {
  std::string seed = "AWS4";
  seed.reserve(seed.size() + secret_access_key.size());  // no second copy left behind by growing
  seed += secret_access_key.reveal();
  Sha256 key = hmac_sha256(as_bytes_of(seed), amz_date(scope.time).substr(0, 8));
  cleanse(seed);
  for (std::string_view part : {std::string_view(scope.region), std::string_view(scope.service),
                                std::string_view("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  return hex(hmac_sha256(key, to_sign));
}

void sign(SignableRequest& request, const Credentials& credentials, const SigningScope& scope) {
  std::erase_if(request.headers, [](const auto& header) {
    const std::string lower = lower_ascii(header.first);
    return std::find(kAddedBySigning.begin(), kAddedBySigning.end(), lower) !=
           kAddedBySigning.end();
  });
  request.headers.emplace_back("X-Amz-Date", amz_date(scope.time));
  if (!credentials.session_token.empty()) {
    request.headers.emplace_back("X-Amz-Security-Token",
                                 std::string(credentials.session_token.reveal()));
  }
  std::string canonical = canonical_request(request);
  const std::string signed_hex =
      signature(credentials.secret_access_key, string_to_sign(canonical, scope), scope);
  cleanse(canonical);
  request.headers.emplace_back(
      "Authorization", std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + "/" +
                           credential_scope(scope) +
                           ", SignedHeaders=" + signed_names(canonical_headers(request.headers)) +
                           ", Signature=" + signed_hex);
}

}  // namespace keyturn::aws
