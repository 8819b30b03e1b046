#include "controller/cli/lambda_function.h"

#include <gtest/gtest.h>

#include <map>

namespace keyturn::cli {
namespace {

using Variables = std::map<std::string, std::string>;

Result<LambdaSettings> settings(Variables changes) {
  Variables all = {{"KEYTURN_STRATEGY", "generic"}, {"KEYTURN_SECRETS", "shop/*"}};
  for (const auto& [name, value] : changes) all[name] = value;
  return read_lambda_settings([all](const std::string& name) -> std::optional<std::string> {
    const auto found = all.find(name);
    if (found == all.end()) return std::nullopt;
    return found->second;
  });
}

TEST(LambdaSettings, ReadsTheEnvironment) {
  const auto read =
      settings({{"KEYTURN_OPTIONS", R"({"fields": [{"pointer": "/password"}]})"},
                {"KEYTURN_SECRETS", " shop/a, shop/b\n arn:aws:secretsmanager:**:secret:x-?????? "},
                {"KEYTURN_BACKENDS", "*.Influx.internal:8086"},
                {"KEYTURN_REQUEST_DEADLINE", "5s"}});
  ASSERT_TRUE(read.ok()) << read.error().describe();
  EXPECT_EQ(read->secrets, (std::vector<std::string>{"shop/a", "shop/b",
                                                     "arn:aws:secretsmanager:**:secret:x-??????"}));
  EXPECT_EQ(read->backends, std::vector<std::string>{"*.influx.internal:8086"});
  EXPECT_EQ(read->request_deadline, Duration(5'000));
  EXPECT_EQ(settings({})->options, "{}");
  EXPECT_EQ(settings({})->request_deadline, Duration(15'000));
}

TEST(LambdaSettings, SaysWhichVariableIsWrong) {
  for (const auto& [name, value] :
       {std::pair{"KEYTURN_STRATEGY", ""}, std::pair{"KEYTURN_STRATEGY", "generc"},
        std::pair{"KEYTURN_STRATEGY", "syncOnly"}, std::pair{"KEYTURN_OPTIONS", "[]"},
        std::pair{"KEYTURN_OPTIONS", R"({"feilds": []})"}, std::pair{"KEYTURN_SECRETS", " ,"},
        std::pair{"KEYTURN_REQUEST_DEADLINE", "1"}, std::pair{"KEYTURN_REQUEST_DEADLINE", "1h"}}) {
    const auto read = settings({{name, value}});
    ASSERT_FALSE(read.ok()) << name << value;
    EXPECT_EQ(read.error().cls, ErrorClass::Invalid);
    EXPECT_NE(read.error().message.find(name), std::string::npos) << read.error().message;
  }
}

TEST(LambdaSettings, ListsSecretsByNameOrByArn) {
  const std::string arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf";
  const auto listed = [&](const std::string& globs) {
    return is_listed(*settings({{"KEYTURN_SECRETS", globs}}), "shop/db", arn).ok();
  };
  EXPECT_TRUE(listed("shop/db"));
  EXPECT_TRUE(listed("other shop/*"));
  EXPECT_TRUE(listed("**"));
  EXPECT_TRUE(listed("arn:aws:secretsmanager:*:*:secret:shop/db-*"));
  EXPECT_FALSE(listed("shop"));
  EXPECT_FALSE(listed("*"));
  EXPECT_FALSE(listed("arn:aws:secretsmanager:us-*:*:secret:shop/db-*"));
}

TEST(LambdaGuard, HostsAreAskedAboutAndNothingElse) {
  const auto guard = make_lambda_guard({"*.influx.internal:8086"});
  EXPECT_TRUE(guard->backend("A.influx.internal:8086").ok());
  EXPECT_TRUE(guard->secret("influx/admin", "arn:x").ok());
  EXPECT_TRUE(guard->resource("arn:x").ok());
  const auto denied = guard->backend("evil.example:8086");
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().code, "BackendNotListed");
  EXPECT_EQ(denied.error().cls, ErrorClass::Denied);
}

TEST(RotationEvent, IsReadWithOrWithoutARotationToken) {
  const auto read = read_rotation_event(SecretString(
      R"({"Step": "setSecret", "SecretId": "arn:x", "ClientRequestToken": "v1",
          "RotationToken": "t", "Later": 1})"));
  ASSERT_TRUE(read.ok()) << read.error().describe();
  EXPECT_EQ(read->secret_id, "arn:x");
  EXPECT_EQ(read->call.step, engine::Step::SetSecret);
  EXPECT_EQ(read->call.version_id, "v1");
  EXPECT_EQ(read->call.rotation_token, "t");
  EXPECT_TRUE(
      read_rotation_event(
          SecretString(R"({"Step":"createSecret","SecretId":"a","ClientRequestToken":"v"})"))
          .ok());
}

TEST(RotationEvent, AnythingElseIsNone) {
  for (const char* event :
       {"", "[]", "\"createSecret\"", "{}", R"({"Step": "createSecret", "SecretId": "a"})",
        R"({"Step": 1, "SecretId": "a", "ClientRequestToken": "v"})",
        R"({"Step": "rollout", "SecretId": "a", "ClientRequestToken": "v"})"}) {
    const auto read = read_rotation_event(SecretString(event));
    ASSERT_FALSE(read.ok()) << event;
    EXPECT_EQ(read.error().code, "BadEvent");
  }
}

}  // namespace
}  // namespace keyturn::cli
