#include "tests/sandbox/aws_api.h"

#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/http_date.h"
#include "tests/sandbox/sigv4_verify.h"
#include "tests/sandbox/sts.h"

namespace keyturn::sandbox {
namespace {

constexpr std::string_view kTarget = "secretsmanager.";
constexpr const char* kJson = "application/x-amz-json-1.1";
constexpr std::string_view kTimestreamTarget = "AmazonTimestreamInfluxDB.";
constexpr const char* kTimestreamJson = "application/x-amz-json-1.0";

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

AwsApi::AwsApi(SecretsManager& secrets, const Timestream& timestream, ElastiCache& elasticache,
               AwsAccounts& accounts, const Auth& tokens, ServiceFront& front, const Clock& clock)
    : secrets_(secrets),
      timestream_(timestream),
      elasticache_(elasticache),
      accounts_(accounts),
      tokens_(tokens),
      front_(front),
      clock_(clock) {}

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

// Services made from Smithy models put a namespace before the code and write `message` in lower
// case.
HttpResponse AwsApi::timestream_error(int status, const std::string& code,
                                      const std::string& message, int retry_after) const {
  Json body = {{"__type", "com.amazonaws.timestreaminfluxdb#" + code}, {"message", message}};
  if (retry_after > 0) body["retryAfterSeconds"] = retry_after;
  return finish({status, kTimestreamJson, body.dump(), {}});
}

HttpResponse AwsApi::timestream_call(const HttpRequest& request, const std::string& operation) {
  try {
    const Signed caller = verify_signature(request, accounts_, clock_.now(), skew_code());
    if (caller.service != "timestream-influxdb") {
      throw AwsError("InvalidSignatureException",
                     "Credential should be scoped to correct service: 'timestream-influxdb'.", 403);
    }
    if (request.method != "POST" || request.header("content-type") != kTimestreamJson) {
      throw AwsError("UnknownOperationException",
                     std::string("POST it with Content-Type ") + kTimestreamJson);
    }
    const Json output =
        timestream_.call(operation, Json::parse(request.body), caller.principal, caller.region);
    return finish({200, kTimestreamJson, output.dump(), {}});
  } catch (const AwsError& error) {
    return timestream_error(error.status, error.code, error.message);
  } catch (const Json::exception&) {
    return timestream_error(400, "SerializationException", "the body could not be read");
  }
}

void AwsApi::handle_timestream(const HttpRequest& request, HttpExchange& exchange,
                               const std::string& operation) {
  const Json input = Json::parse(request.body, nullptr, false);
  front_.run(
      {"timestream-influxdb", operation, Timestream::id_of(input), "", ""}, exchange,
      [&](const Fault& fault) {
        return timestream_error(
            fault.status, fault.code.empty() ? default_code(fault.status) : fault.code,
            fault.message.empty() ? "ordered by the sandbox" : fault.message, fault.retry_after);
      },
      [&] { return timestream_call(request, operation); });
}

// The Query services share one form: of which a request is, its version and its signature tell.
HttpResponse AwsApi::query_call(const HttpRequest& request, const std::string& service) {
  const Form form = parse_query(request.body);
  try {
    std::optional<Signed> caller;
    if (!request.header("authorization").empty() || service != "sts") {
      caller = verify_signature(request, accounts_, clock_.now(), skew_code());
      if (caller->service != service) {
        throw AwsError("SignatureDoesNotMatch",
                       "Credential should be scoped to correct service: '" + service + "'.", 403);
      }
    }
    const std::string xml =
        service == "sts"
            ? assume_role(form, caller ? &caller->principal : nullptr, accounts_, tokens_)
            : elasticache_.call(form, caller->principal, caller->region);
    return finish({200, "text/xml", xml, {}});
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
  if (target.starts_with(kTimestreamTarget)) {
    handle_timestream(request, exchange, target.substr(kTimestreamTarget.size()));
    return;
  }
  if (request.header("content-type").starts_with("application/x-www-form-urlencoded")) {
    const Form form = parse_query(request.body);
    const bool cache = field_of_form(form, "Version") == "2015-02-02";
    const std::string service = cache ? "elasticache" : "sts";
    front_.run(
        {service, field_of_form(form, "Action"),
         cache ? ElastiCache::subject(form) : field_of_form(form, "RoleArn"), "", ""},
        exchange,
        [&](const Fault& fault) {
          return finish(
              {fault.status,
               "text/xml",
               sts_error_xml(fault.code.empty() ? "InternalFailure" : fault.code, fault.message),
               {}});
        },
        [&] { return query_call(request, service); });
    return;
  }
  exchange.reply(
      json_error(404, "UnknownOperationException", "neither X-Amz-Target nor a Query form"));
}

}  // namespace keyturn::sandbox
