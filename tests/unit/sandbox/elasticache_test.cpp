// ElastiCache: what it takes and refuses, and the parts that clients fall over.
#include "tests/sandbox/elasticache.h"

#include <gtest/gtest.h>

#include "tests/sandbox/aws_error.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::sandbox::testing {
namespace {

class ElastiCacheSandboxTest : public ::testing::Test {
 protected:
  ElastiCacheSandboxTest() {
    api.create_group({.id = "c", .shards = 0, .endpoints = {"h:1"}});
    api.create_user(
        {.id = "u", .name = "orders", .arn = {}, .group = "c", .passwords = {"old-Password-0123"}});
  }
  std::string ask(Form form) {
    form.emplace_back("Version", "2015-02-02");
    try {
      return api.call(form, caller, "eu-west-1");
    } catch (const AwsError& error) {
      return error.code;
    }
  }
  std::string modify(const std::vector<std::string>& passwords) {
    Form form = {{"Action", "ModifyUser"}, {"UserId", "u"}};
    for (const std::string& one : passwords)
      form.emplace_back("Passwords.member." + std::to_string(form.size() - 1), one);
    return ask(std::move(form));
  }

  keyturn::testing::FakeClock clock;
  ElastiCache api{clock, nullptr, "eu-west-1"};
  Principal caller;
};

TEST_F(ElastiCacheSandboxTest, AChangeIsCarriedOutLaterAndReplacesTheList) {
  EXPECT_NE(modify({"new-Password-0123"}).find("<Status>modifying<"), std::string::npos);
  EXPECT_TRUE(api.accepts("orders", "old-Password-0123"));
  EXPECT_FALSE(api.accepts("orders", "new-Password-0123"));
  EXPECT_EQ(modify({"third-Password-0123"}), "InvalidUserState");
  clock.advance(Duration(200));
  const std::string user = ask({{"Action", "DescribeUsers"}, {"UserId", "u"}});
  EXPECT_NE(user.find("<Status>active<"), std::string::npos);
  EXPECT_NE(user.find("<PasswordCount>1<"), std::string::npos);
  EXPECT_EQ(user.find("Password-0123"), std::string::npos);
  EXPECT_FALSE(api.accepts("orders", "old-Password-0123"));
  EXPECT_TRUE(api.accepts("orders", "new-Password-0123"));
}

TEST_F(ElastiCacheSandboxTest, PasswordsAreReadStrictly) {
  for (const char* bad : {"fifteen-chars-0", "with,comma-01234567", "with\"quote-01234567",
                          "with/slash-01234567", "with@at-0123456789", "with space-01234567"})
    EXPECT_EQ(modify({bad}), "InvalidParameterValue") << bad;
  EXPECT_EQ(modify({}), "InvalidParameterValue");
  EXPECT_EQ(modify({"a-Password-0123456", "b-Password-0123456", "c-Password-0123456"}),
            "InvalidParameterValue");
  EXPECT_EQ(modify({"a-Password-0123456", "a-Password-0123456"}), "InvalidParameterValue");
  EXPECT_EQ(ask({{"Action", "ModifyUser"}, {"UserId", "u"}, {"NoPasswordRequired", "true"}}),
            "InvalidParameterValue");
  api.set_authentication("u", "iam");
  EXPECT_EQ(modify({"a-Password-0123456"}), "InvalidParameterCombination");
  EXPECT_EQ(api.user("u").changes, 0);
}

TEST_F(ElastiCacheSandboxTest, WhatIsNotThereOrNotPermittedSaysSo) {
  EXPECT_EQ(ask({{"Action", "DescribeUsers"}, {"UserId", "x"}}), "UserNotFound");
  EXPECT_EQ(ask({{"Action", "DescribeReplicationGroups"}, {"ReplicationGroupId", "x"}}),
            "ReplicationGroupNotFoundFault");
  EXPECT_EQ(ask({{"Action", "DescribeUserGroups"}, {"UserGroupId", "x"}}), "UserGroupNotFound");
  EXPECT_EQ(ask({{"Action", "DeleteUser"}, {"UserId", "u"}}), "InvalidAction");
  EXPECT_NE(ask({{"Action", "DescribeUserGroups"}, {"UserGroupId", "c-users"}}).find("<member>c<"),
            std::string::npos);
  caller.rules = {IamRule{true, {"elasticache:Describe*"}, {"**"}}};
  EXPECT_EQ(modify({"a-Password-0123456"}), "AccessDenied");
}

}  // namespace
}  // namespace keyturn::sandbox::testing
