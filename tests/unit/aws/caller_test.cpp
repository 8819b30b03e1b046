// Session::call: what goes over the wire, what is tried again, and what a caller learns.
#include "lib/aws/caller.h"

#include <gtest/gtest.h>

#include <stop_token>
#include <thread>

#include "tests/unit/aws/aws_fixture.h"

namespace keyturn::aws {
namespace {

class CallerTest : public AwsTest {
 protected:
  static Call read() {
    return json_call("secretsmanager", "secretsmanager", "DescribeSecret", "shop/db",
                     R"({"SecretId":"shop/db"})");
  }
  static Call write() {
    Call call = json_call("secretsmanager", "secretsmanager", "PutSecretValue", "shop/db", "{}");
    call.mutates = true;
    return call;
  }
};

TEST_F(CallerTest, SendsASignedSensitiveRequest) {
  transport->push(Wire::of(200, "{}", {{"Date", "Wed, 18 Nov 2026 11:46:40 GMT"}}));
  const auto reply = session()->call(read());
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->body, "{}");
  ASSERT_TRUE(reply->date.has_value());
  const auto sent = transport->requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://secretsmanager.eu-west-1.amazonaws.com/");
  EXPECT_EQ(sent.body, R"({"SecretId":"shop/db"})");
  EXPECT_TRUE(sent.sensitive);
  EXPECT_EQ(sent.timeout, Duration(15000));
  EXPECT_EQ(header(0, "Host"), "secretsmanager.eu-west-1.amazonaws.com");
  EXPECT_EQ(header(0, "Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.DescribeSecret");
  EXPECT_EQ(header(0, "X-Amz-Date"), amz_date(clock.now()));
  EXPECT_TRUE(header(0, "Authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKID1/"))
      << header(0, "Authorization");
  EXPECT_NE(
      header(0, "Authorization").find("SignedHeaders=content-type;host;x-amz-date;x-amz-target,"),
      std::string::npos);
  EXPECT_EQ(observer.seen(), std::vector<std::string>{"secretsmanager DescribeSecret ok"});
}

TEST_F(CallerTest, EndpointWithPortAndPathIsSignedAsSent) {
  SessionOptions o = options();
  o.settings.endpoint_urls["secretsmanager"] = "http://127.0.0.1:5000/base/";
  transport->push(Wire::of(200, "{}"));
  ASSERT_TRUE(make_session(o).value()->call(read()).ok());
  EXPECT_EQ(transport->requests()[0].url, "http://127.0.0.1:5000/base/");
  EXPECT_EQ(header(0, "Host"), "127.0.0.1:5000");
  EXPECT_NE(header(0, "Authorization").find("/eu-west-1/secretsmanager/aws4_request"),
            std::string::npos);
  o.settings.endpoint_urls["secretsmanager"] = "https://proxy.example:443";
  transport->push(Wire::of(200, "{}"));
  ASSERT_TRUE(make_session(o).value()->call(read()).ok());
  EXPECT_EQ(header(1, "Host"), "proxy.example");  // as curl writes it
}

TEST_F(CallerTest, FormCallHasActionAndVersionFirst) {
  transport->push(Wire::of(200, "<x/>"));
  ASSERT_TRUE(session()
                  ->call(query_call("sts", "AssumeRole", "2011-06-15", "r", {{"RoleArn", "a:b/c"}}))
                  .ok());
  EXPECT_EQ(transport->requests()[0].body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=a%3Ab%2Fc");
  EXPECT_EQ(transport->requests()[0].url, "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_EQ(header(0, "X-Amz-Target"), "(absent)");
}

TEST_F(CallerTest, ErrorNamesOperationSubjectRegionAndRequest) {
  transport->push(aws_error("ResourceNotFoundException",
                            "Secrets Manager can't find the specified secret.", 400,
                            {{"x-amzn-RequestId", "req-7"}}));
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::NotFound);
  EXPECT_EQ(reply.error().code, "ResourceNotFoundException");
  EXPECT_EQ(reply.error().message,
            "DescribeSecret shop/db in eu-west-1: Secrets Manager can't find the specified secret. "
            "(request req-7)");
  EXPECT_EQ(transport->request_count(), 1u);
}

TEST_F(CallerTest, RetriesTransientErrorsThriceInAll) {
  for (int i = 0; i < 4; ++i) transport->push(aws_error("InternalServiceError", "oops", 500));
  const auto s = session();
  const auto reply = s->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Transient);
  EXPECT_EQ(transport->request_count(), 3u);
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_LT(waits[0], Duration(1000));
  EXPECT_LT(waits[1], Duration(2000));
  EXPECT_EQ(s->retry_budget().left(), RetryBudget::kCapacity - 2 * RetryBudget::kRetryCost);
  EXPECT_EQ(observer.seen().size(), 3u);  // each try is seen
  EXPECT_EQ(observer.seen()[0], "secretsmanager DescribeSecret InternalServiceError");
}

TEST_F(CallerTest, MaxAttemptsOneMeansNoRetry) {
  SessionOptions o = options();
  o.settings.max_attempts = 1;
  transport->push(broken("Reset"));
  EXPECT_FALSE(make_session(o).value()->call(read()).ok());
  EXPECT_EQ(transport->request_count(), 1u);
}

TEST_F(CallerTest, SuccessAfterARetryPaysItBackAndATimeoutCostsDouble) {
  const auto s = session();
  transport->push(broken("Timeout"));
  transport->push(broken("Reset"));
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(s->call(read()).ok());
  // paid 10 and 5, the last retry's 5 came back
  EXPECT_EQ(s->retry_budget().left(), RetryBudget::kCapacity - RetryBudget::kTimeoutCost);
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(s->call(read()).ok());
  EXPECT_EQ(s->retry_budget().left(), RetryBudget::kCapacity - RetryBudget::kTimeoutCost + 1);
  EXPECT_EQ(observer.seen()[0], "secretsmanager DescribeSecret Timeout");
}

TEST_F(CallerTest, AnEmptyBudgetStopsRetries) {
  const auto s = session();
  transport->on_request([](const http::Request&) { return broken("Timeout"); });
  for (int i = 0;
       i < RetryBudget::kCapacity && s->retry_budget().left() >= RetryBudget::kTimeoutCost; ++i) {
    EXPECT_FALSE(s->call(read()).ok());
  }
  const auto before = transport->request_count();
  EXPECT_FALSE(s->call(read()).ok());
  EXPECT_EQ(transport->request_count(), before + 1);
}

TEST_F(CallerTest, WhatTheServiceAsksForIsWaited) {
  transport->push(aws_error("ThrottlingException", "slow", 400, {{"x-amz-retry-after", "4000"}}));
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(session()->call(read()).ok());
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0], Duration(4000));
}

TEST_F(CallerTest, ThrottledAtLastTellsForHowLong) {
  for (int i = 0; i < 3; ++i) {
    transport->push(aws_error("ThrottlingException", "slow", 400, {{"x-amz-retry-after", "1500"}}));
  }
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Throttled);
  EXPECT_EQ(reply.error().retry_after, Duration(1500));
}

TEST_F(CallerTest, QuotaErrorsAreRetriedBrieflyThenInvalid) {
  for (int i = 0; i < 3; ++i) transport->push(aws_error("LimitExceededException"));
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Invalid);
  EXPECT_EQ(transport->request_count(), 3u);
}

TEST_F(CallerTest, NoRetryIsBegunThatTheCallsDeadlineWouldNotAllow) {
  SessionOptions o = options();
  o.call_timeout = Duration(20000);
  transport->on_request([this](const http::Request& r) {
    clock.advance(r.timeout);  // it used up all it was given
    return broken("Timeout");
  });
  const auto start = clock.mono();
  EXPECT_FALSE(make_session(o).value()->call(read()).ok());
  const auto sent = transport->requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].timeout, Duration(15000));
  EXPECT_LT(sent[1].timeout, Duration(5000));
  EXPECT_LE(clock.mono() - start, Duration(20000));
}

TEST_F(CallerTest, ClockOffsetIsLearntOnceAndKept) {
  const auto s = session();
  const std::string aws_time = "Wed, 18 Nov 2026 12:00:00 GMT";
  const WallTime aws_now = http::parse_http_date(aws_time).value();
  clock.jump_wall(aws_now - std::chrono::minutes(10) - clock.now());
  transport->push(
      aws_error("InvalidSignatureException", "Signature expired", 400, {{"Date", aws_time}}));
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(s->call(read()).ok());
  EXPECT_TRUE(waits.empty());
  EXPECT_EQ(header(0, "X-Amz-Date"), "20261118T115000Z");
  EXPECT_EQ(header(1, "X-Amz-Date"), "20261118T120000Z");
  EXPECT_NE(header(0, "Authorization"), header(1, "Authorization"));
  clock.advance(std::chrono::minutes(1));
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(s->call(read()).ok());
  EXPECT_EQ(header(2, "X-Amz-Date"), "20261118T120100Z");
}

TEST_F(CallerTest, ClockIsCorrectedBackWhenTheMachineIsSetRight) {
  const auto s = session();
  const WallTime right = http::parse_http_date("Wed, 18 Nov 2026 12:00:00 GMT").value();
  clock.jump_wall(right + std::chrono::hours(1) - clock.now());
  transport->push(
      aws_error("RequestTimeTooSkewed", "x", 403, {{"Date", "Wed, 18 Nov 2026 12:00:00 GMT"}}));
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(s->call(read()).ok());
  EXPECT_EQ(header(1, "X-Amz-Date"), "20261118T120000Z");
  clock.jump_wall(std::chrono::hours(-1));  // ntp woke up
  transport->push(
      aws_error("AccessDeniedException", "x", 400, {{"Date", "Wed, 18 Nov 2026 12:00:00 GMT"}}));
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(s->call(read()).ok());
  EXPECT_EQ(header(2, "X-Amz-Date"), "20261118T110000Z");
  EXPECT_EQ(header(3, "X-Amz-Date"), "20261118T120000Z");
}

TEST_F(CallerTest, ARefusalWithTheRightTimeIsNotTriedAgain) {
  clock.jump_wall(http::parse_http_date("Wed, 18 Nov 2026 12:00:00 GMT").value() - clock.now());
  // just four minutes off, and without a Date
  transport->push(
      aws_error("AccessDeniedException", "no", 400, {{"Date", "Wed, 18 Nov 2026 12:04:00 GMT"}}));
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Denied);
  transport->push(aws_error("SignatureDoesNotMatch", "no", 403));
  EXPECT_FALSE(session()->call(read()).ok());
  EXPECT_EQ(transport->request_count(), 2u);
}

TEST_F(CallerTest, TheClockIsCorrectedAtMostOncePerCall) {
  transport->on_request([this](const http::Request&) {
    clock.jump_wall(std::chrono::hours(2));
    return aws_error("RequestTimeTooSkewed", "x", 403, {{"Date", "Wed, 18 Nov 2026 12:00:00 GMT"}});
  });
  EXPECT_FALSE(session()->call(read()).ok());
  EXPECT_EQ(transport->request_count(), 2u);
}

TEST_F(CallerTest, RefusedKeysAreRenewedOnce) {
  for (const char* code : {"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException",
                           "InvalidClientTokenId"}) {
    provider->generation = 1;
    const std::size_t before = transport->request_count();
    transport->push(aws_error(code));
    transport->push(Wire::of(200, "{}"));
    EXPECT_TRUE(session()->call(read()).ok()) << code;
    EXPECT_NE(header(before, "Authorization").find("=AKID1/"), std::string::npos);
    EXPECT_NE(header(before + 1, "Authorization").find("=AKID2/"), std::string::npos);
  }
  const std::size_t before = transport->request_count();
  transport->on_request([](const http::Request&) { return aws_error("ExpiredTokenException"); });
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Denied);
  EXPECT_EQ(transport->request_count(), before + 2);
}

TEST_F(CallerTest, FixedKeysAreNotSentAgainAfterARefusal) {
  provider->renews = false;
  transport->push(aws_error("UnrecognizedClientException"));
  EXPECT_FALSE(session()->call(read()).ok());
  EXPECT_EQ(transport->request_count(), 1u);
  EXPECT_EQ(provider->refused_ids, std::vector<std::string>{"AKID1"});
}

TEST_F(CallerTest, WhyThereAreNoNewKeysIsTold) {
  int asked = 0;
  provider->on_get = [&] {
    if (++asked == 2)
      provider->failure = make_error(ErrorClass::Denied, "IdentityNotAllowed", "taken back");
  };
  transport->push(aws_error("ExpiredTokenException"));
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, "IdentityNotAllowed");
  EXPECT_EQ(reply.error().message, "DescribeSecret shop/db in eu-west-1: taken back");
  EXPECT_EQ(transport->request_count(), 1u);
}

TEST_F(CallerTest, WithoutKeysNothingIsSent) {
  provider->failure = make_error(ErrorClass::Denied, "NoCredentials", "tried everything");
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, "NoCredentials");
  EXPECT_EQ(reply.error().message, "DescribeSecret shop/db in eu-west-1: tried everything");
  EXPECT_EQ(transport->request_count(), 0u);
}

TEST_F(CallerTest, AnOldViewIsNotSent) {
  Call call = write();
  call.not_after = clock.mono() - Duration(1);
  const auto reply = session()->call(std::move(call));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Unavailable);
  EXPECT_EQ(reply.error().code, "ViewTooOld");
  EXPECT_EQ(transport->request_count(), 0u);
  call = write();
  call.not_after = clock.mono();  // still in time
  transport->push(Wire::of(200, "{}"));
  EXPECT_TRUE(session()->call(std::move(call)).ok());
}

TEST_F(CallerTest, TheViewsAgeIsLookedAtAfterKeysWereFetched) {
  Call call = write();
  call.not_after = clock.mono() + std::chrono::seconds(30);
  provider->on_get = [this] { clock.advance(std::chrono::seconds(31)); };  // STS was slow
  const auto reply = session()->call(std::move(call));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, "ViewTooOld");
  EXPECT_EQ(transport->request_count(), 0u);
}

TEST_F(CallerTest, NothingIsSentWhenKeysTookAllTheTime) {
  provider->on_get = [this] { clock.advance(std::chrono::seconds(30)); };
  const auto reply = session()->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Unavailable);
  EXPECT_EQ(reply.error().code, "DeadlineOver");
  EXPECT_EQ(transport->request_count(), 0u);
}

TEST_F(CallerTest, ARetryOfAnOldViewIsNotSentAndTheTryThatWasIsReported) {
  Call call = write();
  call.not_after = clock.mono() + std::chrono::seconds(10);
  transport->on_request([this](const http::Request&) {
    clock.advance(std::chrono::seconds(15));
    return broken("Timeout");
  });
  const auto reply = session()->call(std::move(call));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Transient);  // it may have been done
  EXPECT_EQ(reply.error().code, "Timeout");
  EXPECT_EQ(transport->request_count(), 1u);
}

TEST_F(CallerTest, AWriteThatMayHaveBeenDoneStaysTransient) {
  transport->push(broken("Timeout"));
  transport->push(aws_error("AccessDeniedException", "no"));
  auto reply = session()->call(write());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().cls, ErrorClass::Transient);
  EXPECT_EQ(reply.error().code, "AccessDeniedException");
  EXPECT_NE(reply.error().message.find("an earlier try may have been carried out"),
            std::string::npos);

  transport->push(aws_error("InternalServiceError", "", 500));
  transport->push(aws_error("ThrottlingException"));
  transport->push(aws_error("ThrottlingException"));
  EXPECT_EQ(session()->call(write()).error().cls, ErrorClass::Transient);

  transport->push(broken("Reset"));
  transport->push(aws_error("ResourceExistsException"));
  EXPECT_EQ(session()->call(write()).error().cls, ErrorClass::Conflict);
}

TEST_F(CallerTest, ReadsAndTriesThatNeverLeftKeepTheirOwnClass) {
  transport->push(broken("Timeout"));
  transport->push(aws_error("ResourceNotFoundException"));
  EXPECT_EQ(session()->call(read()).error().cls, ErrorClass::NotFound);
  for (const char* code : {"Connect", "Resolve", "Tls"}) {
    transport->push(broken(code));
    transport->push(aws_error("AccessDeniedException"));
    EXPECT_EQ(session()->call(write()).error().cls, ErrorClass::Denied) << code;
  }
}

TEST_F(CallerTest, AWriteThatWasCancelledUnderWayIsOfUnknownOutcome) {
  const Error cancelled = make_error(ErrorClass::Unavailable, "Cancelled", "stopped");
  transport->push(Wire::failed(cancelled));
  EXPECT_EQ(session()->call(write()).error().cls, ErrorClass::Transient);
  transport->push(Wire::failed(cancelled));
  EXPECT_EQ(session()->call(read()).error().cls, ErrorClass::Unavailable);
  EXPECT_EQ(transport->request_count(), 2u);
}

TEST_F(CallerTest, AStopSendsNothingMoreAndEndsTheWaitAtOnce) {
  std::stop_source stop;
  SessionOptions o = options();
  o.stop = stop.get_token();
  o.wait = nullptr;  // the real wait, on a clock that stands still: only the stop can end it
  const auto s = make_session(o).value();
  transport->push(broken("Reset"));
  std::jthread stopper([&] {
    clock.await_waiters(1);
    stop.request_stop();
  });
  const auto reply = s->call(read());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(transport->request_count(), 1u);
  EXPECT_EQ(s->call(read()).error().code, "Cancelled");
  EXPECT_EQ(transport->request_count(), 1u);
}

TEST_F(CallerTest, AMessageThatRepeatsTheValueIsWithheld) {
  const SecretString value("hunter2-hunter2");
  Call call = write();
  call.withheld = {&value};
  transport->push(
      aws_error("ValidationException", "Value 'hunter2-hunter2' at 'secretString' is bad"));
  const auto reply = session()->call(std::move(call));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().message.find("hunter2"), std::string::npos);
  EXPECT_NE(reply.error().message.find("withheld"), std::string::npos);
}

TEST_F(CallerTest, CaBundleGoesToTheTransport) {
  SessionOptions o = options();
  o.settings.ca_bundle_pem = "-----BEGIN CERTIFICATE-----";
  transport->push(Wire::of(200, "{}"));
  ASSERT_TRUE(make_session(o).value()->call(read()).ok());
  ASSERT_NE(transport->requests()[0].tls, nullptr);
  EXPECT_EQ(transport->requests()[0].tls->ca_pem, "-----BEGIN CERTIFICATE-----");
}

TEST_F(CallerTest, SessionsNeedARegionThatIsOne) {
  SessionOptions o = options();
  o.settings.region = "";
  EXPECT_EQ(make_session(o).error().code, "NoRegion");
  o.region = "evil.example/";
  EXPECT_EQ(make_session(o).error().code, "BadRegion");
  o.region = "us-gov-east-1";  // the option wins
  o.settings.region = "eu-west-1";
  EXPECT_EQ(make_session(o).value()->region(), "us-gov-east-1");
  o.credentials = nullptr;
  EXPECT_EQ(make_session(o).error().code, "SessionOptions");
}

}  // namespace
}  // namespace keyturn::aws
