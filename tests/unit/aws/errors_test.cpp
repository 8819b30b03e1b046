#include "lib/aws/errors.h"

#include <gtest/gtest.h>

namespace keyturn::aws {
namespace {

TEST(JsonErrorTest, CodeIsWhatStandsBetweenHashAndColon) {
  EXPECT_EQ(parse_json_error(400, R"({"__type":"ResourceNotFoundException","Message":"m"})").code,
            "ResourceNotFoundException");
  EXPECT_EQ(
      parse_json_error(400, R"({"__type":"com.amazonaws.secretsmanager#ThrottlingException"})")
          .code,
      "ThrottlingException");
  EXPECT_EQ(
      parse_json_error(400, R"({"__type":"a#b#SlowDown:http://internal.amazon.com/x#y"})").code,
      "SlowDown");
}

TEST(JsonErrorTest, MessageInEitherCaseOrNone) {
  EXPECT_EQ(parse_json_error(400, R"({"__type":"X","Message":"upper"})").message, "upper");
  EXPECT_EQ(parse_json_error(400, R"({"__type":"X","message":"lower"})").message, "lower");
  EXPECT_EQ(parse_json_error(400, R"({"__type":"X","Message":null,"message":7})").message, "");
}

TEST(JsonErrorTest, WithoutTypeTheStatusIsTheCode) {
  EXPECT_EQ(parse_json_error(503, R"({"Message":"m"})").code, "Http503");
  EXPECT_EQ(parse_json_error(503, R"({"__type":5})").code, "Http503");
  EXPECT_EQ(parse_json_error(500, "[1]").code, "Http500");
}

TEST(JsonErrorTest, OtherBodiesBecomeTheMessage) {
  const ServiceError html = parse_json_error(502, "<html>Bad Gateway</html>");
  EXPECT_EQ(html.code, "Http502");
  EXPECT_EQ(html.message, "<html>Bad Gateway</html>");
  EXPECT_EQ(parse_json_error(500, "").message, "");
}

TEST(QueryErrorTest, ReadsXml) {
  const ServiceError e = parse_query_error(
      403,
      "<ErrorResponse "
      "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
      "<Code>IDPRejectedClaim</Code><Message>no "
      "&lt;aud&gt;</Message></Error><RequestId>r-1</RequestId></ErrorResponse>");
  EXPECT_EQ(e.code, "IDPRejectedClaim");
  EXPECT_EQ(e.message, "no <aud>");
  EXPECT_EQ(e.request_id, "r-1");
}

TEST(QueryErrorTest, OtherBodiesBecomeTheMessage) {
  EXPECT_EQ(parse_query_error(503, "try later").code, "Http503");
  EXPECT_EQ(parse_query_error(503, "try later").message, "try later");
  EXPECT_EQ(parse_query_error(500, "<html/>").code, "Http500");
  EXPECT_EQ(parse_query_error(500, "<ErrorResponse><Error/></ErrorResponse>").code, "Http500");
}

struct Case {
  const char* code;
  int status;
  ErrorClass cls;
  Remedy remedy;
};

TEST(JudgeTest, ByCodeWhateverTheStatus) {
  constexpr Case kCases[] = {
      {"ResourceNotFoundException", 400, ErrorClass::NotFound, Remedy::None},
      {"ResourceNotFoundException", 404, ErrorClass::NotFound, Remedy::None},
      {"ResourceNotFoundException", 500, ErrorClass::NotFound, Remedy::None},
      {"ResourceExistsException", 400, ErrorClass::Conflict, Remedy::None},
      {"InvalidParameterException", 400, ErrorClass::Invalid, Remedy::None},
      {"InvalidRequestException", 400, ErrorClass::Invalid, Remedy::None},
      {"ValidationException", 400, ErrorClass::Invalid, Remedy::None},
      {"DecryptionFailure", 400, ErrorClass::Invalid, Remedy::None},
      {"EncryptionFailure", 400, ErrorClass::Invalid, Remedy::None},
      {"LimitExceededException", 400, ErrorClass::Invalid, Remedy::RetryThrottled},
      {"InternalServiceError", 500, ErrorClass::Transient, Remedy::Retry},
      {"InternalServiceError", 400, ErrorClass::Transient, Remedy::Retry},
      {"IDPCommunicationError", 400, ErrorClass::Transient, Remedy::Retry},
      {"RequestTimeoutException", 400, ErrorClass::Transient, Remedy::RetryTimeout},
      {"ThrottlingException", 400, ErrorClass::Throttled, Remedy::RetryThrottled},
      {"PriorRequestNotComplete", 400, ErrorClass::Throttled, Remedy::RetryThrottled},
      {"ExpiredTokenException", 400, ErrorClass::Denied, Remedy::FreshCredentials},
      {"UnrecognizedClientException", 400, ErrorClass::Denied, Remedy::FreshCredentials},
      {"InvalidSignatureException", 400, ErrorClass::Denied, Remedy::CorrectClock},
      {"AccessDeniedException", 400, ErrorClass::Denied, Remedy::CorrectClock},
  };
  for (const Case& c : kCases) {
    const Verdict v = judge(c.code, c.status);
    EXPECT_EQ(v.cls, c.cls) << c.code;
    EXPECT_EQ(v.remedy, c.remedy) << c.code;
  }
}

TEST(JudgeTest, ByStatusWhereNoCodeIsKnown) {
  constexpr Case kCases[] = {
      {"Http500", 500, ErrorClass::Transient, Remedy::Retry},
      {"Http504", 504, ErrorClass::Transient, Remedy::Retry},
      {"SomethingNewException", 503, ErrorClass::Transient, Remedy::Retry},
      {"SomethingNewException", 400, ErrorClass::Invalid, Remedy::None},
      {"Http429", 429, ErrorClass::Throttled, Remedy::RetryThrottled},
      {"Http509", 509, ErrorClass::Throttled, Remedy::RetryThrottled},
      {"Http408", 408, ErrorClass::Transient, Remedy::RetryTimeout},
      {"Http403", 403, ErrorClass::Denied, Remedy::None},
      {"Http302", 302, ErrorClass::Invalid, Remedy::None},
      // A proxy's 404 must never read as "this secret does not exist".
      {"Http404", 404, ErrorClass::Invalid, Remedy::None},
  };
  for (const Case& c : kCases) {
    const Verdict v = judge(c.code, c.status);
    EXPECT_EQ(v.cls, c.cls) << c.code << c.status;
    EXPECT_EQ(v.remedy, c.remedy) << c.code << c.status;
  }
}

}  // namespace
}  // namespace keyturn::aws
