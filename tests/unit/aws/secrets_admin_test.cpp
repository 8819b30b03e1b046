// Making and deleting secrets, against canned wire replies.
#include "lib/aws/secrets_admin.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/aws/aws_fixture.h"

namespace keyturn::aws {
namespace {

const std::string kId = "11111111-1111-8111-8111-111111111111";

class SecretsAdminTest : public AwsTest {
 protected:
  SecretsAdminTest() : admin(make_secrets_admin(session())) {}
  nlohmann::json sent() const { return nlohmann::json::parse(transport->requests().at(0).body); }
  static CreateSecretRequest wanted(std::string_view value = "a\"b\n") {
    return {"shop/db", kId, SecretString(value), "", ""};
  }

  std::unique_ptr<SecretsAdmin> admin;
};

TEST_F(SecretsAdminTest, CreateSendsTheVersionIdAndTheValueAsWritten) {
  transport->push(Wire::of(200, R"({"ARN":"arn:x","Name":"shop/db","VersionId":")" + kId + "\"}"));
  EXPECT_EQ(admin->create_secret(wanted()).value(), "arn:x");
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.CreateSecret");
  EXPECT_EQ(sent(),
            (nlohmann::json{
                {"Name", "shop/db"}, {"ClientRequestToken", kId}, {"SecretString", "a\"b\n"}}));
}

TEST_F(SecretsAdminTest, CreateSendsDescriptionAndKeyWhenGiven) {
  transport->push(Wire::of(200, R"({"ARN":"arn:x"})"));
  auto request = wanted();
  request.description = "orders";
  request.kms_key_id = "alias/shop";
  ASSERT_TRUE(admin->create_secret(request).ok());
  EXPECT_EQ(sent()["Description"], "orders");
  EXPECT_EQ(sent()["KmsKeyId"], "alias/shop");
}

TEST_F(SecretsAdminTest, ValuesThatAwsWouldRefuseAreNotSent) {
  EXPECT_EQ(admin->create_secret(wanted("")).error().code, "EmptyValue");
  EXPECT_EQ(admin->create_secret(wanted(std::string(65537, 'x'))).error().code, "ValueTooLarge");
  EXPECT_EQ(admin->create_secret(wanted("\xff")).error().code, "ValueNotUtf8");
  EXPECT_TRUE(transport->requests().empty());
}

TEST_F(SecretsAdminTest, ATakenNameIsAConflictAndNoMessageRepeatsTheValue) {
  transport->push(aws_error("ResourceExistsException", "exists: hush-hush-value"));
  const auto refused = admin->create_secret(wanted("hush-hush-value"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().cls, ErrorClass::Conflict);
  EXPECT_EQ(refused.error().message.find("hush-hush-value"), std::string::npos);
}

TEST_F(SecretsAdminTest, DeleteSendsTheWindowAndTellsWhenItIsOver) {
  transport->push(Wire::of(200, R"({"ARN":"arn:x","Name":"n","DeletionDate":1795000000.5})"));
  const auto when = admin->delete_secret({"shop/db", 7});
  ASSERT_TRUE(when.ok()) << when.error().describe();
  EXPECT_EQ(*when, WallTime(Duration(1795000000500)));
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.DeleteSecret");
  EXPECT_EQ(sent(), (nlohmann::json{{"SecretId", "shop/db"}, {"RecoveryWindowInDays", 7}}));
}

TEST_F(SecretsAdminTest, RepliesThatLackWhatIsNeededAreNamed) {
  transport->push(Wire::of(200, R"({"Name":"n"})"));
  const auto created = admin->create_secret(wanted());
  EXPECT_EQ(created.error().code, "BadReply");
  EXPECT_NE(created.error().message.find("CreateSecret shop/db"), std::string::npos);
  transport->push(Wire::of(200, R"({"ARN":"a"})"));
  EXPECT_NE(admin->delete_secret({"n", 7}).error().message.find("DeletionDate is missing"),
            std::string::npos);
}

}  // namespace
}  // namespace keyturn::aws
