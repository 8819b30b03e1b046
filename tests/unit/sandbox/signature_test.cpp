// Signature Version 4 on the server's side, and STS.
#include <gtest/gtest.h>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/sigv4_verify.h"
#include "tests/sandbox/sts.h"
#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

// The numbers come from botocore, an implementation that shares nothing with this one.
class VectorTest : public ::testing::Test {
 protected:
  VectorTest() {
    request.method = "POST";
    request.raw_path = request.path = "/";
    request.body = R"({"SecretId":"MyTestDatabaseSecret"})";
    request.headers = {
        {"host", "secretsmanager.us-east-1.amazonaws.com"},
        {"content-type", "application/x-amz-json-1.1"},
        {"x-amz-target", "secretsmanager.DescribeSecret"},
        {"x-amz-date", "20150830T123600Z"},
        {"x-amz-security-token", "SESSIONTOKENEXAMPLE=="},
        {"authorization",
         "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/secretsmanager/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
         "Signature=be90fed896f31d2b63e7dd9be20e155ce1148f9b0e2462a31d99a22dd0357bd4"}};
    Principal principal;
    principal.access_key = "AKIDEXAMPLE";
    principal.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    principal.session_token = "SESSIONTOKENEXAMPLE==";
    accounts.add_key(principal);
  }
  std::string verdict(Duration later = Duration(0), const std::string& skew_code = "") const {
    try {
      verify_signature(request, accounts, signed_at + later, skew_code);
      return "good";
    } catch (const AwsError& error) {
      return error.code;
    }
  }
  void set(const std::string& name, const std::string& value) {
    for (auto& [key, text] : request.headers) {
      if (key == name) text = value;
    }
  }

  SystemClock clock;
  AwsAccounts accounts{clock};
  HttpRequest request;
  const WallTime signed_at = *parse_rfc3339("2015-08-30T12:36:00Z");
};

TEST_F(VectorTest, AgreesWithBotocore) {
  const std::string canonical = canonical_request(
      request, {"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"});
  EXPECT_EQ(hex(sha256(canonical)),
            "c85274a3cfdc30fb1dc4a8065fa1c2d416dbd9a561dff92adc88314211fad6b2");
  EXPECT_EQ(verdict(), "good");
}

TEST_F(VectorTest, RefusesWhatWasChanged) {
  request.body += " ";
  EXPECT_EQ(verdict(), "InvalidSignatureException");
  request.body.pop_back();
  set("x-amz-target", "secretsmanager.DeleteSecret");
  EXPECT_EQ(verdict(), "InvalidSignatureException");
  set("x-amz-target", "secretsmanager.DescribeSecret");
  request.headers.emplace_back("x-amz-extra", "unsigned");
  EXPECT_EQ(verdict(), "InvalidSignatureException");
  request.headers.pop_back();
  set("x-amz-security-token", "other");
  EXPECT_EQ(verdict(), "UnrecognizedClientException");
}

TEST_F(VectorTest, ClocksMayDifferByFiveMinutes) {
  EXPECT_EQ(verdict(std::chrono::minutes(5)), "good");
  EXPECT_EQ(verdict(std::chrono::minutes(5) + Duration(1)), "InvalidSignatureException");
  EXPECT_EQ(verdict(-std::chrono::minutes(6)), "InvalidSignatureException");
  EXPECT_EQ(verdict(std::chrono::minutes(6), "RequestTimeTooSkewed"), "RequestTimeTooSkewed");
}

TEST(SignatureTest, TheServersClockIsInTheAnswer) {
  Sandbox sandbox;
  AwsClient aws(sandbox);
  sandbox.set_aws_clock_offset(std::chrono::hours(2));
  const Reply skewed = aws.call("ListSecrets", Json::object());
  EXPECT_EQ(text_at(skewed.body, "__type"), "InvalidSignatureException");
  EXPECT_NE(skewed.header("date"), "");
  EXPECT_NE(skewed.header("x-amzn-requestid"), "");
  aws.clock_offset = std::chrono::hours(2);
  EXPECT_EQ(aws.call("ListSecrets", Json::object()).status, 200);
  aws.secret_key = "wrong";
  EXPECT_EQ(text_at(aws.call("ListSecrets", Json::object()).body, "__type"),
            "InvalidSignatureException");
  aws.access_key = "nobody";
  EXPECT_EQ(text_at(aws.call("ListSecrets", Json::object()).body, "__type"),
            "UnrecognizedClientException");
}

TEST(StsTest, WebIdentityGivesASessionThatEnds) {
  Sandbox sandbox;
  Role role;
  role.arn = "arn:aws:iam::123456789012:role/orders";
  role.web_identity_subjects = {"system:serviceaccount:shop:orders"};
  sandbox.accounts().add_role(role);
  const auto ask = [&](const std::string& ns, const std::string& audience) {
    const Form form = {{"Action", "AssumeRoleWithWebIdentity"},
                       {"Version", "2011-06-15"},
                       {"RoleArn", role.arn},
                       {"RoleSessionName", "keyturn"},
                       {"WebIdentityToken", sandbox.auth().issue(ns, "orders", {audience}, 600)}};
    return assume_role(form, nullptr, sandbox.accounts(), sandbox.auth());
  };
  EXPECT_THROW(ask("other", "sts.amazonaws.com"), AwsError);
  EXPECT_THROW(ask("shop", "something"), AwsError);
  const std::string xml = ask("shop", "sts.amazonaws.com");
  const auto element = [&](const std::string& name) {
    const std::size_t start = xml.find("<" + name + ">") + name.size() + 2;
    return xml.substr(start, xml.find("</" + name + ">") - start);
  };
  AwsClient aws(sandbox);
  aws.access_key = element("AccessKeyId");
  aws.secret_key = element("SecretAccessKey");
  aws.session_token = element("SessionToken");
  EXPECT_EQ(aws.call("ListSecrets", Json::object()).status, 200);
  sandbox.accounts().expire_sessions();
  EXPECT_EQ(text_at(aws.call("ListSecrets", Json::object()).body, "__type"),
            "ExpiredTokenException");
}

}  // namespace
}  // namespace keyturn::sandbox::testing
