#include "controller/cli/lambda_runtime.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/testing/fake_transport.h"

namespace keyturn::cli {
namespace {

using testing::Reply;

struct Endpoint {
  std::shared_ptr<testing::FakeTransport> transport = std::make_shared<testing::FakeTransport>();
  LambdaRuntime runtime{transport, "127.0.0.1:9001"};

  http::Request last() const { return transport->requests().back(); }
  std::string error_type() const {
    const http::Headers headers = last().headers;
    const auto* type = http::find_header(headers, "Lambda-Runtime-Function-Error-Type");
    return type != nullptr ? *type : "";
  }
};

Reply invocation(http::Headers headers = {{"Lambda-Runtime-Aws-Request-Id", "8476a536"},
                                          {"lambda-runtime-deadline-ms", "1795776000500"}}) {
  return Reply::of(200, R"({"Step": "createSecret"})", std::move(headers));
}

TEST(LambdaRuntime, WaitsForAnInvocationWithoutEndAndWithoutAProxy) {
  Endpoint at;
  at.transport->push(invocation());
  const auto next = at.runtime.next();
  ASSERT_TRUE(next.ok()) << next.error().describe();
  EXPECT_EQ(next->id, "8476a536");
  EXPECT_EQ(next->event.reveal(), R"({"Step": "createSecret"})");
  EXPECT_EQ(next->deadline, WallTime(Duration(1795776000500)));
  EXPECT_EQ(at.last().method, "GET");
  EXPECT_EQ(at.last().url, "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next");
  EXPECT_EQ(at.last().timeout, Duration::max());
  EXPECT_EQ(at.last().proxy, http::kNoProxy);
}

TEST(LambdaRuntime, AnInvocationWithoutIdOrDeadlineIsNone) {
  for (const http::Headers& headers :
       {http::Headers{{"Lambda-Runtime-Aws-Request-Id", "8476a536"}},
        http::Headers{{"Lambda-Runtime-Deadline-Ms", "1795776000500"}},
        http::Headers{{"Lambda-Runtime-Aws-Request-Id", "8476a536"},
                      {"Lambda-Runtime-Deadline-Ms", "soon"}}}) {
    Endpoint at;
    at.transport->push(invocation(headers));
    const auto next = at.runtime.next();
    ASSERT_FALSE(next.ok());
    EXPECT_EQ(next.error().code, "RuntimeRefused");
  }
}

TEST(LambdaRuntime, ReportsASuccess) {
  Endpoint at;
  at.transport->push(Reply::of(202));
  ASSERT_TRUE(at.runtime.succeeded("8476a536", R"({"note": "x"})").ok());
  EXPECT_EQ(at.last().url, "http://127.0.0.1:9001/2018-06-01/runtime/invocation/8476a536/response");
  EXPECT_EQ(at.last().body, R"({"note": "x"})");
}

TEST(LambdaRuntime, ReportsAnErrorWithTypeAndMessage) {
  Endpoint at;
  at.transport->push(Reply::of(202));
  ASSERT_TRUE(at.runtime.failed("8476a536", invalid("NotPending", "say \"why\"")).ok());
  EXPECT_EQ(at.last().url, "http://127.0.0.1:9001/2018-06-01/runtime/invocation/8476a536/error");
  EXPECT_EQ(at.error_type(), "Keyturn.NotPending");
  const nlohmann::json expected = {{"errorType", "NotPending"},
                                   {"errorMessage", "say \"why\""},
                                   {"stackTrace", nlohmann::json::array()}};
  EXPECT_EQ(nlohmann::json::parse(at.last().body), expected);
}

TEST(LambdaRuntime, ACodeThatIsNoWordIsNotPutIntoAHeader) {
  Endpoint at;
  at.transport->push(Reply::of(202));
  ASSERT_TRUE(at.runtime.failed("1", make_error(ErrorClass::Denied, "x\r\nInjected: 1", "m")).ok());
  EXPECT_EQ(at.error_type(), "Keyturn.Denied");
}

TEST(LambdaRuntime, ReportsAFailedStart) {
  Endpoint at;
  at.transport->push(Reply::of(202));
  ASSERT_TRUE(at.runtime.failed_to_start(invalid("BadSettings", "m")).ok());
  EXPECT_EQ(at.last().url, "http://127.0.0.1:9001/2018-06-01/runtime/init/error");
}

TEST(LambdaRuntime, AnAnswerThatIsNotTakenIsSaid) {
  Endpoint at;
  at.transport->push(Reply::of(403, R"({"errorType": "InvalidStateTransition"})"));
  const auto told = at.runtime.succeeded("1", "{}");
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().code, "RuntimeRefused");
  EXPECT_NE(told.error().message.find("403"), std::string::npos);
}

}  // namespace
}  // namespace keyturn::cli
