#include "lib/aws/errors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

namespace keyturn::aws {
namespace {

struct Row {
  std::string_view code;
  Verdict verdict;
};

constexpr Verdict kTransient{ErrorClass::Transient, Remedy::Retry};
constexpr Verdict kTimeout{ErrorClass::Transient, Remedy::RetryTimeout};
constexpr Verdict kThrottled{ErrorClass::Throttled, Remedy::RetryThrottled};
constexpr Verdict kInvalid{ErrorClass::Invalid, Remedy::None};
constexpr Verdict kDenied{ErrorClass::Denied, Remedy::None};
constexpr Verdict kKeys{ErrorClass::Denied, Remedy::FreshCredentials};
constexpr Verdict kClock{ErrorClass::Denied, Remedy::CorrectClock};

constexpr Row kRows[] = {
    {"ResourceNotFoundException", {ErrorClass::NotFound, Remedy::None}},
    // ElastiCache's
    {"UserNotFound", {ErrorClass::NotFound, Remedy::None}},
    {"UserGroupNotFound", {ErrorClass::NotFound, Remedy::None}},
    {"ReplicationGroupNotFoundFault", {ErrorClass::NotFound, Remedy::None}},
    // Being changed by somebody: it passes, in minutes and not in moments.
    {"InvalidUserState", {ErrorClass::Transient, Remedy::None}},
    {"InvalidReplicationGroupState", {ErrorClass::Transient, Remedy::None}},
    {"ResourceExistsException", {ErrorClass::Conflict, Remedy::None}},
    {"InvalidParameterException", kInvalid},
    {"InvalidRequestException", kInvalid},
    {"ValidationException", kInvalid},
    {"ValidationError", kInvalid},
    {"MalformedPolicyDocumentException", kInvalid},
    {"MalformedPolicyDocument", kInvalid},
    {"PackedPolicyTooLarge", kInvalid},
    {"RegionDisabledException", kInvalid},
    {"PreconditionNotMetException", kInvalid},
    {"InvalidNextTokenException", kInvalid},
    {"EncryptionFailure", kInvalid},
    {"DecryptionFailure", kInvalid},
    // A quota (versions, labels). The SDKs class it with the throttles: worth a short retry, but no
    // slowing down helps.
    {"LimitExceededException", {ErrorClass::Invalid, Remedy::RetryThrottled}},

    {"InternalServiceError", kTransient},
    {"InternalServiceErrorException", kTransient},
    {"InternalFailure", kTransient},
    {"InternalError", kTransient},
    {"ServiceUnavailable", kTransient},
    {"ServiceUnavailableException", kTransient},
    {"IDPCommunicationError", kTransient},
    {"RequestTimeout", kTimeout},
    {"RequestTimeoutException", kTimeout},

    {"Throttling", kThrottled},
    {"ThrottlingException", kThrottled},
    {"ThrottledException", kThrottled},
    {"RequestThrottled", kThrottled},
    {"RequestThrottledException", kThrottled},
    {"TooManyRequestsException", kThrottled},
    {"RequestLimitExceeded", kThrottled},
    {"ProvisionedThroughputExceededException", kThrottled},
    {"BandwidthLimitExceeded", kThrottled},
    {"TransactionInProgressException", kThrottled},
    {"PriorRequestNotComplete", kThrottled},
    {"SlowDown", kThrottled},
    {"EC2ThrottledException", kThrottled},

    {"ExpiredTokenException", kKeys},
    {"ExpiredToken", kKeys},
    {"UnrecognizedClientException", kKeys},
    {"InvalidClientTokenId", kKeys},

    {"RequestTimeTooSkewed", kClock},
    {"RequestExpired", kClock},
    {"RequestInTheFuture", kClock},
    {"InvalidSignatureException", kClock},
    {"SignatureDoesNotMatch", kClock},
    {"AuthFailure", kClock},
    {"AccessDeniedException", kClock},
    {"AccessDenied", kClock},

    {"MissingAuthenticationTokenException", kDenied},
    {"MissingAuthenticationToken", kDenied},
    {"IncompleteSignatureException", kDenied},
    {"IncompleteSignature", kDenied},
    {"NotAuthorized", kDenied},
    {"OptInRequired", kDenied},
    {"InvalidIdentityToken", kDenied},
    {"IDPRejectedClaim", kDenied},
};

Verdict judge_status(int status) {
  if (status == 408) return kTimeout;
  if (status == 429 || status == 509) return kThrottled;
  if (status >= 500) return kTransient;
  if (status == 401 || status == 403 || status == 407) return kDenied;
  return kInvalid;  // 404 too: only AWS's own code may say that a secret is not there
}

std::string status_code(int status) { return "Http" + std::to_string(status); }

// "com.amazon.x#Code:http://…" → "Code"
std::string bare_code(std::string_view type) {
  type = type.substr(0, type.find(':'));
  if (const auto hash = type.rfind('#'); hash != std::string_view::npos)
    type.remove_prefix(hash + 1);
  return std::string(type);
}

std::string text_member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

ServiceError parse_json_error(int status, std::string_view body) {
  ServiceError out;
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    out.code = bare_code(text_member(json, "__type"));
    out.message = text_member(json, "Message");
    if (out.message.empty()) out.message = text_member(json, "message");
  } else if (json.is_discarded()) {
    out.message = std::string(body);
  }
  if (out.code.empty()) out.code = status_code(status);
  return out;
}

ServiceError parse_query_error(int status, std::string_view body) {
  ServiceError out;
  pugi::xml_document xml;
  const bool parsed = xml.load_buffer(body.data(), body.size());
  if (const pugi::xml_node reply = xml.child("ErrorResponse"); parsed && reply) {
    out.code = reply.child("Error").child_value("Code");
    out.message = reply.child("Error").child_value("Message");
    out.request_id = reply.child_value("RequestId");
  } else {
    out.message = std::string(body);
  }
  if (out.code.empty()) out.code = status_code(status);
  return out;
}

Verdict judge(std::string_view code, int status) {
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [code](const Row& r) { return r.code == code; });
  return row != std::end(kRows) ? row->verdict : judge_status(status);
}

}  // namespace keyturn::aws
