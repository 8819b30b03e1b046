// The ElastiCache client against canned wire replies.
#include "lib/aws/elasticache.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "lib/aws/elasticache_codec.h"
#include "tests/unit/aws/aws_fixture.h"

namespace keyturn::aws {
namespace {

const std::string kUser =
    "<UserId>orders-id</UserId><UserName>orders</UserName><Status>modifying</Status>"
    "<Engine>redis</Engine><UserGroupIds><member>a</member><member>b</member></UserGroupIds>"
    "<Authentication><Type>password</Type><PasswordCount>2</PasswordCount></Authentication>"
    "<ARN>arn:aws:elasticache:eu-west-1:123456789012:user:orders-id</ARN>";

std::string reply(const std::string& operation, const std::string& result) {
  return "<" + operation + "Response xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><" +
         operation + "Result>" + result + "</" + operation + "Result></" + operation + "Response>";
}

Wire query_error(const std::string& code, int status, const std::string& message = "because") {
  return Wire::of(status, "<ErrorResponse><Error><Type>Sender</Type><Code>" + code +
                              "</Code><Message>" + message +
                              "</Message></Error><RequestId>r</RequestId></ErrorResponse>");
}

class ElasticacheClientTest : public AwsTest {
 protected:
  ElasticacheClientTest() : client(make_elasticache(session())) {}
  std::unique_ptr<Elasticache> client;
};

TEST_F(ElasticacheClientTest, AUserIsAskedForInAFormUnderItsOwnName) {
  transport->push(Wire::of(
      200, reply("DescribeUsers", "<Users><member>" + kUser + "</member></Users><Marker/>")));
  const auto user = client->user("orders-id");
  ASSERT_TRUE(user.ok()) << user.error().describe();
  EXPECT_EQ(user->name, "orders");
  EXPECT_EQ(user->arn, "arn:aws:elasticache:eu-west-1:123456789012:user:orders-id");
  EXPECT_FALSE(user->active());
  EXPECT_EQ(user->authentication, "password");
  EXPECT_EQ(user->password_count, 2);
  EXPECT_EQ(user->user_groups, (std::vector<std::string>{"a", "b"}));
  const auto sent = transport->requests().at(0);
  EXPECT_EQ(sent.url, "https://elasticache.eu-west-1.amazonaws.com/");
  EXPECT_EQ(sent.body, "Action=DescribeUsers&Version=2015-02-02&UserId=orders-id");
  EXPECT_NE(header(0, "Authorization").find("/eu-west-1/elasticache/aws4_request"),
            std::string::npos);
}

TEST_F(ElasticacheClientTest, PasswordsReplaceTheListAndAreNotSentTooLate) {
  transport->push(Wire::of(200, reply("ModifyUser", kUser)));
  const SecretString first("new!Password#0123"), second("old-Password-0123");
  const MonoTime until = clock.mono() + Duration(1000);
  const auto user = client->replace_passwords("orders-id", {&first, &second}, until);
  ASSERT_TRUE(user.ok()) << user.error().describe();
  EXPECT_EQ(user->status, "modifying");
  EXPECT_EQ(transport->requests().at(0).body,
            "Action=ModifyUser&Version=2015-02-02&UserId=orders-id&Passwords.member.1="
            "new%21Password%230123&Passwords.member.2=old-Password-0123");
  clock.advance(Duration(1001));
  const auto late = client->replace_passwords("orders-id", {&first}, until);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, "ViewTooOld");
  EXPECT_EQ(transport->request_count(), 1u);
}

TEST_F(ElasticacheClientTest, ErrorsKeepTheirClassAndHoldNoPassword) {
  const SecretString first("new-Password-0123"), second("old-Password-0123");
  const std::pair<const char*, ErrorClass> cases[] = {
      {"UserNotFound", ErrorClass::NotFound},
      {"InvalidUserState", ErrorClass::Transient},
      {"InvalidParameterValue", ErrorClass::Invalid},
      {"AccessDenied", ErrorClass::Denied},
  };
  for (const auto& [code, cls] : cases) {
    transport->push(query_error(code, cls == ErrorClass::NotFound ? 404 : 400,
                                "you sent " + std::string(second.reveal())));
    const auto got =
        client->replace_passwords("orders-id", {&first, &second}, clock.mono() + Duration(1000));
    ASSERT_FALSE(got.ok()) << code;
    EXPECT_EQ(got.error().cls, cls) << got.error().describe();
    EXPECT_EQ(got.error().code, code);
    EXPECT_NE(got.error().message.find("orders-id"), std::string::npos);
    EXPECT_EQ(got.error().message.find("Password-0123"), std::string::npos);
  }
  EXPECT_EQ(transport->request_count(), 4u);  // a user that is being changed is not asked again
}

TEST_F(ElasticacheClientTest, AReplicationGroupTellsItsShardsOrItsConfigurationEndpoint) {
  transport->push(Wire::of(
      200,
      reply("DescribeReplicationGroups",
            "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>c</ReplicationGroupId>"
            "<Status>available</Status><PendingModifiedValues><AuthTokenStatus>ROTATING"
            "</AuthTokenStatus></PendingModifiedValues><NodeGroups><NodeGroup><PrimaryEndpoint>"
            "<Address>one</Address><Port>6380</Port></PrimaryEndpoint></NodeGroup><NodeGroup>"
            "<PrimaryEndpoint><Address>two</Address></PrimaryEndpoint></NodeGroup><NodeGroup/>"
            "</NodeGroups><TransitEncryptionEnabled>true</TransitEncryptionEnabled><ARN>arn:c</ARN>"
            "<UserGroupIds><member>u</member></UserGroupIds></ReplicationGroup>"
            "</ReplicationGroups>")));
  const auto group = client->replication_group("c");
  ASSERT_TRUE(group.ok()) << group.error().describe();
  ASSERT_EQ(group->primaries.size(), 2u);
  EXPECT_EQ(group->primaries[0].port, 6380);
  EXPECT_EQ(group->primaries[1].host, "two");
  EXPECT_EQ(group->primaries[1].port, 6379);
  EXPECT_FALSE(group->configuration.has_value());
  EXPECT_TRUE(group->tls);
  EXPECT_FALSE(group->auth_token);
  EXPECT_EQ(group->auth_token_status, "ROTATING");
  EXPECT_EQ(group->user_groups, std::vector<std::string>{"u"});
}

TEST_F(ElasticacheClientTest, AUserGroupTellsWhoTakesIt) {
  transport->push(Wire::of(
      200, reply("DescribeUserGroups",
                 "<UserGroups><member><UserGroupId>u</UserGroupId><ReplicationGroups>"
                 "<member>c</member></ReplicationGroups><ServerlessCaches><member>s</member>"
                 "</ServerlessCaches></member></UserGroups>")));
  const auto group = client->user_group("u");
  ASSERT_TRUE(group.ok()) << group.error().describe();
  EXPECT_EQ(group->replication_groups, std::vector<std::string>{"c"});
  EXPECT_EQ(group->serverless_caches, std::vector<std::string>{"s"});
}

TEST(ElasticacheCodec, BadRepliesNameTheElementAndQuoteNothing) {
  const auto user = [](const std::string& inside) {
    return decode_described_user(
        reply("DescribeUsers", "<Users><member>" + inside + "</member></Users>"));
  };
  EXPECT_NE(user("<UserId>MARKER</UserId>").error().message.find("UserName is missing"),
            std::string::npos);
  EXPECT_NE(user("<UserId>a</UserId><UserName>a</UserName><ARN>a</ARN><Status>a</Status>"
                 "<Authentication><PasswordCount>MARKER</PasswordCount></Authentication>")
                .error()
                .message.find("PasswordCount is not a number"),
            std::string::npos);
  for (const auto& error : {user("MARKER").error(), decode_described_user("MARKER").error(),
                            decode_described_user(reply("ModifyUser", kUser)).error()}) {
    EXPECT_EQ(error.code, "BadReply");
    EXPECT_EQ(error.message.find("MARKER"), std::string::npos) << error.message;
  }
  EXPECT_EQ(decode_described_user(reply("DescribeUsers", "<Users/>")).error().code, "UserNotFound");
  EXPECT_EQ(decode_replication_group(reply("DescribeReplicationGroups", "")).error().cls,
            ErrorClass::NotFound);
}

}  // namespace
}  // namespace keyturn::aws
