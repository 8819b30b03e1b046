// The sandbox's runtime endpoint and RotateSecret, seen by a function that is none of Keyturn's.
#include <gtest/gtest.h>
#include <httplib.h>

#include <functional>
#include <thread>

#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox {
namespace {

const std::string kRuntime = "/2018-06-01/runtime/";
const std::string kVersion = "11111111-2222-4333-8444-555555555555";

// A process that serves a function.
class Runtime {
 public:
  explicit Runtime(const LambdaFunction& function)
      : client_("127.0.0.1", std::stoi(function.api().substr(function.api().find(':') + 1))) {
    client_.set_read_timeout(20, 0);
  }

  httplib::Result next() { return client_.Get(kRuntime + "invocation/next"); }
  int respond(const std::string& id, const std::string& body = "{}") {
    return post("invocation/" + id + "/response", body);
  }
  int fail(const std::string& id, const std::string& type = "Function.Reason") {
    return post("invocation/" + id + "/error",
                R"({"errorType":"Reason","errorMessage":"why","stackTrace":[]})", type);
  }
  int post(const std::string& path, const std::string& body, const std::string& type = "") {
    httplib::Headers headers;
    if (!type.empty()) headers.emplace("Lambda-Runtime-Function-Error-Type", type);
    const auto reply = client_.Post(kRuntime + path, headers, body, "application/json");
    return reply ? reply->status : 0;
  }
  // Answers so many invocations.
  void serve(int count, const std::function<bool(const Json& event)>& succeed) {
    for (int i = 0; i < count; ++i) {
      const auto got = next();
      if (!got || got->status != 200) return;
      const std::string id = got->get_header_value("Lambda-Runtime-Aws-Request-Id");
      succeed(Json::parse(got->body)) ? respond(id) : fail(id);
    }
  }

 private:
  httplib::Client client_;
};

TEST(Lambda, AnInvocationIsAnsweredOnceByItsId) {
  Sandbox sandbox;
  LambdaFunction& function = sandbox.functions().create("f", Duration(20'000));
  Runtime runtime(function);
  EXPECT_EQ(runtime.respond("nobodys"), 403);
  EXPECT_EQ(runtime.post("elsewhere", "{}"), 404);
  LambdaOutcome outcome;
  std::thread invoker([&] { outcome = function.invoke({{"Step", "x"}, {"RotationToken", "t"}}); });
  const auto got = runtime.next();
  ASSERT_TRUE(got);
  EXPECT_EQ(Json::parse(got->body).at("Step"), "x");
  EXPECT_EQ(got->get_header_value("Lambda-Runtime-Invoked-Function-Arn"), function.arn());
  EXPECT_GT(std::stoll(got->get_header_value("Lambda-Runtime-Deadline-Ms")), 1'700'000'000'000);
  EXPECT_EQ(runtime.next()->status, 403) << "an answer is owed";
  const std::string id = got->get_header_value("Lambda-Runtime-Aws-Request-Id");
  EXPECT_EQ(runtime.respond("another"), 403);
  EXPECT_EQ(runtime.fail(id, "NoCategory"), 400);
  EXPECT_EQ(runtime.post("invocation/" + id + "/error", "why", "A.B"), 400);
  EXPECT_EQ(runtime.respond(id, std::string((6u << 20) + 1, ' ')), 413);
  EXPECT_EQ(runtime.respond(id, R"({"a":1})"), 202);
  EXPECT_EQ(runtime.respond(id), 403) << "a second answer";
  invoker.join();
  EXPECT_TRUE(outcome.ok);
  EXPECT_EQ(outcome.response, R"({"a":1})");
  EXPECT_EQ(
      function.invocations(),
      Json({{{"event", {{"Step", "x"}}}, {"ok", true}, {"errorType", ""}, {"errorMessage", ""}}}));
}

TEST(Lambda, TimeIsOverAndAProcessIsGone) {
  Sandbox sandbox;
  LambdaFunction& function = sandbox.functions().create("f", Duration(300));
  Runtime runtime(function);
  std::thread invoker([&] {
    EXPECT_EQ(function.invoke(Json::object()).error_type, "Sandbox.Timedout");
    EXPECT_EQ(function.invoke(Json::object()).error_type, "Runtime.ExitError");
  });
  const auto late = runtime.next();
  ASSERT_TRUE(late);
  httplib::Result second = runtime.next();
  while (second && second->status == 403) second = runtime.next();  // until its time is over
  ASSERT_TRUE(second);
  EXPECT_EQ(runtime.respond(late->get_header_value("Lambda-Runtime-Aws-Request-Id")), 403);
  function.restart();
  invoker.join();
}

TEST(Lambda, AnInitErrorComesBeforeTheFirstNext) {
  Sandbox sandbox;
  LambdaFunction& function = sandbox.functions().create("f", Duration(20'000));
  Runtime runtime(function);
  const char* error = R"({"errorType":"Bad","errorMessage":"why","stackTrace":[]})";
  EXPECT_EQ(runtime.post("init/error", error), 400) << "without a type in the header";
  EXPECT_EQ(runtime.post("init/error", error, "Runtime.Bad"), 202);
  EXPECT_EQ(function.init_error(), "Bad: why");
  function.restart();
  std::thread invoker([&] { function.invoke(Json::object()); });
  const auto got = runtime.next();
  ASSERT_TRUE(got);
  EXPECT_EQ(runtime.post("init/error", error, "Runtime.Bad"), 403);
  EXPECT_EQ(runtime.respond(got->get_header_value("Lambda-Runtime-Aws-Request-Id")), 202);
  invoker.join();
}

// A function that does what a rotation function must, and fails once on the way.
TEST(Lambda, RotateSecretCallsTheFourStepsAndAgainAfterAFailure) {
  Sandbox sandbox;
  sandbox.rotations().set_patience(3, Duration(10));
  const std::string arn = sandbox.secrets().create("shop/orders", "old");
  LambdaFunction& function = sandbox.functions().create("f", Duration(20'000));
  testing::AwsClient aws(sandbox);
  std::vector<std::string> steps;
  bool failed = false;
  std::thread process([&] {
    Runtime runtime(function);
    runtime.serve(6, [&](const Json& event) {
      steps.push_back(event.at("Step"));
      EXPECT_EQ(event.at("SecretId"), arn);
      EXPECT_EQ(event.at("ClientRequestToken"), kVersion);
      if (steps.back() == "createSecret") {
        Json put = {{"SecretId", arn},
                    {"ClientRequestToken", kVersion},
                    {"SecretString", "new"},
                    {"VersionStages", {"AWSPENDING"}},
                    {"RotationToken", "11111111-2222-4333-8444-000000000000"}};
        EXPECT_EQ(aws.call("PutSecretValue", put).status, 400) << "another rotation's token";
        put["RotationToken"] = event.at("RotationToken");
        EXPECT_EQ(aws.call("PutSecretValue", put).status, 200);
      }
      if (steps.back() == "finishSecret") {
        const std::string current = sandbox.secrets().get(arn)->holder("AWSCURRENT")->id;
        EXPECT_EQ(aws.call("UpdateSecretVersionStage", {{"SecretId", arn},
                                                        {"VersionStage", "AWSCURRENT"},
                                                        {"RemoveFromVersionId", current},
                                                        {"MoveToVersionId", kVersion}})
                      .status,
                  200);
      }
      return steps.back() != "setSecret" || std::exchange(failed, true);
    });
  });
  EXPECT_EQ(aws.call("RotateSecret", {{"SecretId", arn},
                                      {"ClientRequestToken", kVersion},
                                      {"RotationLambdaARN", function.arn()}})
                .status,
            200);
  process.join();
  EXPECT_EQ(steps, (std::vector<std::string>{"createSecret", "setSecret", "createSecret",
                                             "setSecret", "testSecret", "finishSecret"}));
  EXPECT_EQ(sandbox.secrets().value(arn), "new");
}

}  // namespace
}  // namespace keyturn::sandbox
