#include "tests/sandbox/aws_api.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/sigv4_verify.h"
#include "tests/sandbox/sts.h"

namespace keyturn::sandbox {
namespace {

constexpr std::string_view kTarget = "secretsmanager.";
constexpr const char* kJson = "application/x-amz-json-1.1";

// IMF-fixdate, what clients read the server's clock from.
std::string http_date(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

const char* default_code(int status) {
  switch (status) {
    case 400:
      return "ThrottlingException";
    case 403:
      return "AccessDeniedException";
    case 429:
      return "TooManyRequestsException";
    case 503:
      return "ServiceUnavailable";
    default:
      return "InternalServiceError";
  }
}

}  // namespace

AwsApi::AwsApi(SecretsManager& secrets, AwsAccounts& accounts, const Auth& tokens,
               ServiceFront& front, const Clock& clock)
    : secrets_(secrets), accounts_(accounts), tokens_(tokens), front_(front), clock_(clock) {}

void AwsApi::set_skew_code(const std::string& code) {
  const std::lock_guard lock(mutex_);
  skew_code_ = code;
}

std::string AwsApi::skew_code() const {
  const std::lock_guard lock(mutex_);
  return skew_code_;
}

HttpResponse AwsApi::finish(HttpResponse response) const {
  static SystemRng rng;
  response.headers.emplace_back("x-amzn-RequestId", uuid_v4(rng));
  response.headers.emplace_back("Date", http_date(clock_.now()));
  return response;
}

HttpResponse AwsApi::json_error(int status, const std::string& code,
                                const std::string& message) const {
  Json body = {{"__type", code}};
  body[lower_case_message_ ? "message" : "Message"] = message;
  return finish({status, kJson, body.dump(), {}});
}

HttpResponse AwsApi::json_call(const HttpRequest& request, const std::string& operation) {
  try {
    const Signed caller = verify_signature(request, accounts_, clock_.now(), skew_code());
    if (caller.service != "secretsmanager") {
      throw AwsError("InvalidSignatureException",
                     "Credential should be scoped to correct service: 'secretsmanager'.", 403);
    }
    if (request.header("content-type") != kJson) {
      throw AwsError("UnknownOperationException", std::string("Content-Type must be ") + kJson);
    }
    const Json input = request.body.empty() ? Json::object() : Json::parse(request.body);
    const Json output = secrets_.call(operation, input, {caller.principal, caller.region});
    return finish({200, kJson, output.is_null() ? "" : output.dump(), {}});
  } catch (const AwsError& error) {
    return json_error(error.status, error.code, error.message);
  } catch (const Json::exception& error) {
    return json_error(400, "SerializationException", "the body could not be read");
  }
}

HttpResponse AwsApi::sts_call(const HttpRequest& request) {
  const Form form = parse_query(request.body);
  try {
    std::optional<Signed> caller;
    if (!request.header("authorization").empty()) {
      caller = verify_signature(request, accounts_, clock_.now(), skew_code());
      if (caller->service != "sts") {
        throw AwsError("SignatureDoesNotMatch",
                       "Credential should be scoped to correct service: 'sts'.", 403);
      }
    }
    return finish({200,
                   "text/xml",
                   assume_role(form, caller ? &caller->principal : nullptr, accounts_, tokens_),
                   {}});
  } catch (const AwsError& error) {
    return finish({error.status, "text/xml", sts_error_xml(error.code, error.message), {}});
  }
}

void AwsApi::handle(const HttpRequest& request, HttpExchange& exchange) {
  const std::string target = request.header("x-amz-target");
  if (target.starts_with(kTarget)) {
    const std::string operation = target.substr(kTarget.size());
    const Json input = Json::parse(request.body, nullptr, false);
    std::string id = text_at(input, "SecretId");
    if (id.empty()) id = text_at(input, "Name");
    front_.run(
        {"secretsmanager", operation, id, "", ""}, exchange,
        [&](const Fault& fault) {
          return json_error(fault.status,
                            fault.code.empty() ? default_code(fault.status) : fault.code,
                            fault.message.empty() ? "ordered by the sandbox" : fault.message);
        },
        [&] {
          return request.method == "POST" ? json_call(request, operation)
                                          : json_error(404, "UnknownOperationException", "POST it");
        });
    return;
  }
  if (request.header("content-type").starts_with("application/x-www-form-urlencoded")) {
    const Form form = parse_query(request.body);
    front_.run(
        {"sts", field_of_form(form, "Action"), field_of_form(form, "RoleArn"), "", ""}, exchange,
        [&](const Fault& fault) {
          return finish(
              {fault.status,
               "text/xml",
               sts_error_xml(fault.code.empty() ? "InternalFailure" : fault.code, fault.message),
               {}});
        },
        [&] { return sts_call(request); });
    return;
  }
  exchange.reply(
      json_error(404, "UnknownOperationException", "neither X-Amz-Target nor a Query form"));
}

}  // namespace keyturn::sandbox
