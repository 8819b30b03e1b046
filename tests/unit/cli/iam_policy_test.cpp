#include "controller/cli/iam_policy.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

using nlohmann::json;

IamRequest wanted(const std::string& strategy) {
  IamRequest request;
  request.strategy = strategy;
  request.secret = "shop/orders";
  request.region = "eu-west-1";
  request.account = "123456789012";
  request.function = "rotate";
  return request;
}

TEST(IamPolicy, EveryStrategyHasOne) {
  for (const std::string_view name : engine::strategy_names()) {
    const auto policy = operator_policy(wanted(std::string(name)));
    ASSERT_TRUE(policy.ok()) << name << policy.error().describe();
    for (const json& statement : policy->at("Statement")) {
      EXPECT_EQ(statement.at("Effect"), "Allow");
      EXPECT_TRUE(statement.at("Resource") != "*" ||
                  statement.at("Action") == "secretsmanager:ListSecrets")
          << name;
    }
  }
}

TEST(IamPolicy, NamesBecomeArnsOfThatNameAlone) {
  const auto secret = [](IamRequest request) {
    return operator_policy(request)->at("Statement")[0].at("Resource");
  };
  EXPECT_EQ(secret(wanted("generic")),
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/orders-??????");
  IamRequest request = wanted("generic");
  request.secret = "shop/*";
  request.region = "cn-north-1";
  EXPECT_EQ(secret(request), "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:shop/*");
  request.secret = "arn:aws:secretsmanager:us-east-1:210987654321:secret:a-AbCdEf";
  request.region = request.account = "";
  EXPECT_EQ(secret(request), request.secret);
}

TEST(IamPolicy, SaysWhatIsMissing) {
  IamRequest request = wanted("generic");
  request.account = "";
  EXPECT_NE(operator_policy(request).error().message.find("--account"), std::string::npos);
  request = wanted("generic");
  request.region = "";
  EXPECT_NE(operator_policy(request).error().message.find("--region"), std::string::npos);
  request = wanted("generic");
  request.reads = {"other"};
  EXPECT_NE(operator_policy(request).error().message.find("--reads"), std::string::npos);
  EXPECT_FALSE(function_policy(wanted("syncOnly")).ok());
  EXPECT_EQ(operator_policy(wanted("generc")).error().code, "UnknownStrategy");
}

TEST(IamPolicy, OptionsNarrowIt) {
  IamRequest request = wanted("influxdbToken");
  request.options = R"({"dbIdentifier": "abcdef1234"})";
  request.reads = {"influx/admin"};
  request.kms_key = "arn:aws:kms:eu-west-1:123456789012:key/k";
  const json statements = operator_policy(request)->at("Statement");
  ASSERT_EQ(statements.size(), 5u);
  EXPECT_EQ(statements[2].at("Resource")[0],
            "arn:aws:timestream-influxdb:eu-west-1:123456789012:db-instance/abcdef1234");
  EXPECT_EQ(statements[3].at("Resource"),
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:influx/admin-??????");
  EXPECT_EQ(statements[4].at("Action"), json({"kms:Decrypt", "kms:GenerateDataKey"}));
  request.options = R"({"url": "https://influx.internal:8086"})";
  EXPECT_EQ(operator_policy(request)->at("Statement").size(), 4u);
}

TEST(IamPolicy, AUserOfElastiCacheAndWhereItLogsIn) {
  IamRequest request = wanted("elasticacheUser");
  const json any = operator_policy(request)->at("Statement");
  ASSERT_EQ(any.size(), 4u);
  EXPECT_EQ(any[2].at("Action"), json({"elasticache:DescribeUsers", "elasticache:ModifyUser"}));
  EXPECT_EQ(any[2].at("Resource"), "arn:aws:elasticache:eu-west-1:123456789012:user:*");
  request.options = R"({"replicationGroupId": "shop-cache"})";
  const json one = operator_policy(request)->at("Statement");
  EXPECT_EQ(one[3].at("Resource"),
            "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:shop-cache");
  request.options = R"({"endpoint": "cache.internal:6379"})";
  EXPECT_EQ(operator_policy(request)->at("Statement").size(), 3u);
}

TEST(IamPolicy, AFunctionMayLogAndIsInvokedBySecretsManagerAlone) {
  const json role = function_policy(wanted("generic"))->at("Statement");
  ASSERT_EQ(role.size(), 2u);
  EXPECT_EQ(role[1].at("Resource"),
            "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/rotate:*");
  const json invoke = invoke_policy(wanted("generic"))->at("Statement");
  ASSERT_EQ(invoke.size(), 1u);
  EXPECT_EQ(invoke[0].at("Principal"), json({{"Service", "secretsmanager.amazonaws.com"}}));
  EXPECT_EQ(invoke[0].at("Resource"), "arn:aws:lambda:eu-west-1:123456789012:function:rotate");
  EXPECT_EQ(invoke[0].at("Condition"),
            json({{"StringEquals", {{"aws:SourceAccount", "123456789012"}}}}));
  EXPECT_EQ(trust_policy().at("Statement")[0].at("Principal").at("Service"),
            "lambda.amazonaws.com");
}

}  // namespace
}  // namespace keyturn::cli
