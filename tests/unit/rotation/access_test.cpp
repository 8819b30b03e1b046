#include "controller/rotation/access.h"

#include <gtest/gtest.h>

#include <memory>

#include "controller/rotation/access_guard.h"
#include "controller/rotation/operator_config.h"

namespace keyturn::rotation {
namespace {

constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf";

AccessRules shop_rules() {
  return AccessRules({
      {.namespaces = {"shop", "team-*"},
       .secrets = {"shop/*"},
       .resources = {"arn:aws:elasticache:*:*:user:shop-*"},
       .backends = {"*.influx.internal:8086"},
       .roles = {"arn:aws:iam::1:role/keyturn-*"}},
      {.namespaces = {"*"},
       .secrets = {"own/{namespace}/**", "arn:aws:secretsmanager:*:1:secret:by-arn/*"}},
  });
}

TEST(AccessRules, NoRuleNoAccess) {
  const AccessRules none;
  EXPECT_FALSE(none.secret("shop", "shop/db", kArn));
  EXPECT_FALSE(none.resource("shop", "arn:aws:elasticache:eu-west-1:1:user:shop-a"));
  EXPECT_FALSE(none.backend("shop", "a:1"));
  EXPECT_FALSE(none.role("shop", "arn:aws:iam::1:role/keyturn-a"));
  EXPECT_FALSE(none.might_touch_secret("shop", "shop/db"));
  EXPECT_EQ(none.secret("shop", "shop/db", kArn).error().cls, ErrorClass::Denied);
  EXPECT_EQ(none.secret("shop", "shop/db", kArn).error().code, "NoAccessRule");
}

TEST(AccessRules, AllowWhatTheyListForWhomTheyList) {
  const AccessRules rules = shop_rules();
  EXPECT_TRUE(rules.secret("shop", "shop/db", kArn));
  EXPECT_TRUE(rules.secret("team-a", "shop/db", kArn));
  EXPECT_FALSE(rules.secret("team", "shop/db", kArn));
  EXPECT_FALSE(rules.secret("shopping", "shop/db", kArn));
  EXPECT_FALSE(rules.secret("shop", "shop/db/inner", kArn));  // one star stops at a slash
  EXPECT_FALSE(rules.secret("shop", "Shop/db", kArn));
  EXPECT_TRUE(rules.resource("shop", "arn:aws:elasticache:eu-west-1:1:user:shop-a"));
  EXPECT_FALSE(rules.resource("shop", "arn:aws:elasticache:eu-west-1:1:user:other"));
  EXPECT_TRUE(rules.role("shop", "arn:aws:iam::1:role/keyturn-a"));
  EXPECT_FALSE(rules.role("shop", "arn:aws:iam::12:role/keyturn-a"));
  EXPECT_FALSE(rules.role("other", "arn:aws:iam::1:role/keyturn-a"));
}

TEST(AccessRules, HostsAreMatchedInLowerCase) {
  const AccessRules rules = shop_rules();
  EXPECT_TRUE(rules.backend("shop", "EU.influx.internal:8086"));
  EXPECT_FALSE(rules.backend("shop", "eu.influx.internal:443"));
  EXPECT_FALSE(rules.backend("shop", "eu.influx.internal.evil.example:8086"));
}

TEST(AccessRules, NamespaceVariable) {
  const AccessRules rules = shop_rules();
  EXPECT_TRUE(rules.secret("shop", "own/shop/a/b", kArn));
  EXPECT_FALSE(rules.secret("shop", "own/other/a", kArn));
  EXPECT_FALSE(rules.secret("shop", "own/shopping/a", kArn));
}

TEST(AccessRules, ArnPatternsAreMatchedAgainstTheArn) {
  const AccessRules rules = shop_rules();
  const std::string arn = "arn:aws:secretsmanager:eu-west-1:1:secret:by-arn/x-AbCdEf";
  EXPECT_TRUE(rules.secret("any", "by-arn/x", arn));
  EXPECT_FALSE(
      rules.secret("any", "by-arn/x", "arn:aws:secretsmanager:eu-west-1:2:secret:by-arn/x-AbCdEf"));
  // A name that reads like an ARN pattern's text proves nothing.
  EXPECT_FALSE(rules.secret("any", arn, "arn:aws:secretsmanager:eu-west-1:2:secret:z-AbCdEf"));
}

// Whatever is allowed once its name is known must not have been refused before.
TEST(AccessRules, MightTouchRefusesNothingThatIsAllowed) {
  struct Case {
    const char* pattern;
    const char* name;
    const char* arn;
  };
  const Case cases[] = {
      {"shop/*", "shop/db", kArn},
      {"shop/db", "shop/db", kArn},
      {"shop/db-AbCdEf", "shop/db-AbCdEf",
       "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf-Gh1234"},
      {kArn, "shop/db", kArn},
      {"arn:aws:secretsmanager:*:*:secret:shop/*", "shop/db", kArn},
      {"arn:aws:secretsmanager:*:*:secret:shop/db-*", "shop/db", kArn},
      {"arn:aws:secretsmanager:*:*:secret:shop/db-Ab*", "shop/db", kArn},
      {"arn:aws:secretsmanager:*:*:secret:*/db-AbCdEf", "shop/db", kArn},
      {"arn:aws:secretsmanager:*:*:secret:*C*f", "shop-db",
       "arn:aws:secretsmanager:eu-west-1:1:secret:shop-db-AbCdEf"},
      {"arn:aws:secretsmanager:**", "shop/db", kArn},
      {"**", "shop/db", kArn},
  };
  for (const Case& c : cases) {
    const AccessRules rules({{.namespaces = {"shop"}, .secrets = {c.pattern}}});
    ASSERT_TRUE(rules.secret("shop", c.name, c.arn)) << c.pattern;
    const std::string arn = c.arn;
    for (const std::string& id : {std::string(c.name), arn, arn.substr(0, arn.size() - 7)}) {
      EXPECT_TRUE(rules.might_touch_secret("shop", id)) << c.pattern << " for " << id;
    }
  }
}

TEST(AccessRules, MightTouchRefusesOthers) {
  const AccessRules rules = shop_rules();
  EXPECT_FALSE(rules.might_touch_secret("shop", "bank/db"));
  EXPECT_FALSE(
      rules.might_touch_secret("shop", "arn:aws:secretsmanager:eu-west-1:1:secret:bank/db-AbCdEf"));
  EXPECT_FALSE(rules.might_touch_secret("bank", "shop/db"));
  EXPECT_FALSE(
      rules.might_touch_secret("shop", "arn:aws:secretsmanager:eu-west-1:2:secret:by-arn/x"));
}

// The rule in the message, put into a config file, allows what was denied and nothing near it.
TEST(AccessRules, TheDenialNamesTheRuleThatWouldAllowIt) {
  const AccessRules none;
  const auto rule_in = [](const std::string& message) {
    const std::size_t at = message.find("- {namespaces");
    EXPECT_NE(at, std::string::npos) << message;
    return parse_operator_config("access:\n" + message.substr(at) + "\n", "f");
  };
  auto config = rule_in(none.secret("shop", "shop/db", kArn).error().message);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->access.secret("shop", "shop/db", kArn));
  EXPECT_FALSE(config->access.secret("shop", "shop/db2", kArn));
  EXPECT_FALSE(config->access.secret("shop2", "shop/db", kArn));
  config = rule_in(none.role("shop", "arn:aws:iam::1:role/r").error().message);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->access.role("shop", "arn:aws:iam::1:role/r"));
  config = rule_in(none.backend("shop", "db.internal:5432").error().message);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->access.backend("shop", "db.internal:5432"));
  config = rule_in(none.resource("shop", "arn:aws:elasticache:eu-west-1:1:user:a").error().message);
  ASSERT_TRUE(config) << config.error().message;
}

// A tenant writes the ARN into the secret's value, an administrator copies the rule out of the
// condition.
TEST(AccessRules, TheDenialNeverProposesMoreThanItsText) {
  const AccessRules none;
  for (const char* value :
       {"arn:aws:elasticache:*:*:user:**", "{namespace}", "a\nsecrets: [\"**\"]"}) {
    const std::string message = none.resource("shop", value).error().message;
    EXPECT_EQ(message.find("- {namespaces"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  const auto config = parse_operator_config(
      "access:\n" +
          [&] {
            const std::string message = none.role("shop", R"(x", "**"]} #:iam:)").error().message;
            return message.find("- {") == std::string::npos ? std::string()
                                                            : message.substr(message.find("- {"));
          }(),
      "f");
  EXPECT_FALSE(config && config->access.role("shop", "arn:aws:iam::1:role/r"));
}

TEST(PolicyGuard, AsksTheRulesOfItsNamespace) {
  const auto rules = std::make_shared<const AccessRules>(shop_rules());
  const PolicyGuard guard(rules, "shop", /*operator_identity=*/true);
  EXPECT_TRUE(guard.secret("shop/db", kArn));
  EXPECT_TRUE(guard.resource("arn:aws:elasticache:eu-west-1:1:user:shop-a"));
  EXPECT_TRUE(guard.backend("db.influx.internal:8086"));
  const PolicyGuard other(rules, "other", /*operator_identity=*/true);
  EXPECT_EQ(other.secret("shop/db", kArn).error().code, "NoAccessRule");
  EXPECT_FALSE(other.resource("arn:aws:elasticache:eu-west-1:1:user:shop-a"));
  EXPECT_FALSE(other.backend("db.influx.internal:8086"));
}

TEST(PolicyGuard, AnIdentityOfItsOwnIsBoundedByAwsButItsBackendsAreNot) {
  const PolicyGuard guard(std::make_shared<const AccessRules>(), "shop",
                          /*operator_identity=*/false);
  EXPECT_TRUE(guard.secret("other/admin", "arn:x"));
  EXPECT_TRUE(guard.resource("arn:aws:timestream-influxdb:eu-west-1:1:db-instance/x"));
  EXPECT_EQ(guard.backend("evil.example:8086").error().code, "NoAccessRule");
}

}  // namespace
}  // namespace keyturn::rotation
