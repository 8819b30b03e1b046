#include "controller/kube/status.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "controller/kube/json_access.h"
#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxCauses = 8;

ErrorClass class_of(int code) {
  switch (code) {
    case 401:
    case 403:
      return ErrorClass::Denied;
    case 404:
      return ErrorClass::NotFound;
    case 409:
    case 410:
      return ErrorClass::Conflict;
    case 429:
      return ErrorClass::Throttled;
    case 408:
      return ErrorClass::Transient;
    default:
      return code >= 300 && code < 500 ? ErrorClass::Invalid : ErrorClass::Transient;
  }
}

// For replies that carry no Status.reason (a proxy in between, a bare text).
std::string reason_of(int code) {
  switch (code) {
    case 400:
      return "BadRequest";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 409:
      return "Conflict";
    case 422:
      return "Invalid";
    case 429:
      return "TooManyRequests";
    case 500:
      return "InternalError";
    case 503:
      return "ServiceUnavailable";
    case 504:
      return "Timeout";
    default:
      return "Http" + std::to_string(code);
  }
}

// "spec.secretId: Required value"; only what the message does not say already.
void append_causes(std::string& message, const json& details) {
  const json* causes = member(details, "causes");
  if (causes == nullptr || !causes->is_array()) return;
  std::size_t added = 0;
  for (const json& cause : *causes) {
    const std::string_view text = string_at(cause, "message");
    if (text.empty() || message.find(text) != std::string::npos) continue;
    if (added++ == kMaxCauses) return;
    const std::string_view field = string_at(cause, "field");
    message += "; ";
    if (!field.empty()) message.append(field).append(": ");
    message += text;
  }
}

bool has_cause(const json& details, std::string_view reason) {
  const json* causes = member(details, "causes");
  if (causes == nullptr || !causes->is_array()) return false;
  for (const json& cause : *causes) {
    if (string_at(cause, "reason") == reason) return true;
  }
  return false;
}

// Validation's answer to a changed field that cannot be changed.
bool says_immutable(const json& details) {
  const json* causes = member(details, "causes");
  if (causes == nullptr || !causes->is_array()) return false;
  return std::any_of(causes->begin(), causes->end(), [](const json& cause) {
    return string_at(cause, "reason") == "FieldValueInvalid" &&
           string_at(cause, "message").ends_with("field is immutable");
  });
}

Error decode(const json& status, int code) {
  Error error;
  error.cls = class_of(code);
  error.code = string_at(status, "reason");
  if (error.code.empty()) error.code = reason_of(code);
  error.message = string_at(status, "message");
  if (error.message.empty()) error.message = "HTTP status " + std::to_string(code);
  if (const json* details = member(status, "details")) {
    append_causes(error.message, *details);
    if (const auto seconds = integer_at(*details, "retryAfterSeconds");
        seconds && *seconds > 0 && *seconds <= 24 * 3600) {
      error.retry_after = std::chrono::seconds(*seconds);
    }
    // Servers before 1.17 name it in the message only.
    if (has_cause(*details, "ResourceVersionTooLarge")) error.code = "ResourceVersionTooLarge";
    if (says_immutable(*details)) error.code = "FieldImmutable";
  }
  if (error.message.find("Too large resource version") != std::string::npos) {
    error.code = "ResourceVersionTooLarge";
  }
  if (code == 410) error.code = "Expired";
  error.message = printable(error.message, kMaxMessage);
  return error;
}

}  // namespace

Error error_from_reply(const http::Response& reply, WallTime now) {
  const json body = json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  Error error;
  if (string_at(body, "kind") == "Status") {
    error = decode(body, reply.status);
  } else {
    error = make_error(class_of(reply.status),
                       reply.status == 410 ? "Expired" : reason_of(reply.status),
                       "HTTP status " + std::to_string(reply.status));
    const std::string text = printable(trim(reply.body));
    if (!text.empty()) error.message += ": " + text;
  }
  if (const auto wait = http::retry_after(reply.headers, now)) error.retry_after = wait;
  return error;
}

Error error_from_status(const json& status) {
  const auto code = integer_at(status, "code");
  const int http = code && *code >= 300 && *code <= 599 ? static_cast<int>(*code) : 500;
  return decode(status, http);
}

bool is_expired(const Error& error) { return error.code == "Expired" || error.code == "Gone"; }

bool is_resource_version_too_large(const Error& error) {
  return error.code == "ResourceVersionTooLarge";
}

}  // namespace keyturn::kube
