// The Secrets Manager client against canned wire replies.
#include "lib/aws/secrets_manager.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lib/aws/secrets_manager_codec.h"
#include "tests/unit/aws/aws_fixture.h"

namespace keyturn::aws {
namespace {

const std::string kArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf";
const std::string kId1 = "11111111-1111-8111-8111-111111111111";
const std::string kId2 = "22222222-2222-8222-8222-222222222222";

class SecretsManagerTest : public AwsTest {
 protected:
  SecretsManagerTest() : secrets(make_secrets_manager(session())) {}

  nlohmann::json sent(std::size_t i = 0) const {
    return nlohmann::json::parse(transport->requests().at(i).body);
  }
  PutSecretValueRequest put() const {
    PutSecretValueRequest r;
    r.secret_id = kArn;
    r.client_request_token = kId1;
    r.value = SecretString("v");
    r.stages = {"AWSPENDING", "KEYTURN_BATON"};
    return r;
  }

  std::unique_ptr<SecretsManager> secrets;
};

TEST_F(SecretsManagerTest, DescribeReadsWhatCountsAndIgnoresTheRest) {
  transport->push(Wire::of(200, R"({"ARN":")" + kArn +
                                    R"(","Name":"shop/db","Description":"d","KmsKeyId":null,
    "RotationEnabled":true,"RotationLambdaARN":"arn:lambda","RotationRules":{"AutomaticallyAfterDays":30},
    "LastRotatedDate":1795000000.5,"LastChangedDate":1795000001,"NextRotationDate":1.796E9,"CreatedDate":1700000000.123,
    "DeletedDate":1795000002,"Tags":[{"Key":"team","Value":"shop"},{"Key":"empty"}],
    "VersionIdsToStages":{")" + kId1 +
                                    R"(":["AWSCURRENT","KEYTURN_BATON"],")" + kId2 +
                                    R"(":["AWSPREVIOUS"],"gone":[]},
    "OwningService":"rds","Type":"Partner","PrimaryRegion":"us-east-1","SomethingNew":{"a":[1]}})"));
  const auto got = secrets->describe("shop/db");
  ASSERT_TRUE(got.ok()) << got.error().describe();
  EXPECT_EQ(sent(), (nlohmann::json{{"SecretId", "shop/db"}}));
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.DescribeSecret");
  EXPECT_EQ(got->arn, kArn);
  EXPECT_EQ(got->name, "shop/db");
  EXPECT_EQ(got->stages,
            (StagesByVersion{{kId1, {"AWSCURRENT", "KEYTURN_BATON"}}, {kId2, {"AWSPREVIOUS"}}}));
  EXPECT_TRUE(got->rotation_enabled);
  EXPECT_EQ(got->rotation_lambda_arn, "arn:lambda");
  EXPECT_EQ(got->owning_service, "rds");
  EXPECT_EQ(got->type, "Partner");
  EXPECT_EQ(got->primary_region, "us-east-1");
  EXPECT_EQ(got->created, WallTime(Duration(1700000000123)));
  EXPECT_EQ(got->last_rotated, WallTime(Duration(1795000000500)));
  EXPECT_EQ(got->last_changed, WallTime(Duration(1795000001000)));
  EXPECT_EQ(got->next_rotation, WallTime(Duration(1796000000000)));
  EXPECT_EQ(got->deleted, WallTime(Duration(1795000002000)));
}

TEST_F(SecretsManagerTest, DescribeOfABareSecret) {
  transport->push(Wire::of(200, R"({"ARN":"a","Name":"n"})"));
  const auto got = secrets->describe("n");
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got->stages.empty());
  EXPECT_FALSE(got->rotation_enabled);
  EXPECT_FALSE(got->created.has_value());
}

TEST_F(SecretsManagerTest, BadRepliesNameTheMemberAndQuoteNothing) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"Name":"n"})", "ARN is missing"},
      {R"({"ARN":"a"})", "Name is missing"},
      {R"({"ARN":7,"Name":"n"})", "ARN is not a string"},
      {R"({"ARN":"a","Name":"n","RotationEnabled":"yes"})", "RotationEnabled is not a boolean"},
      {R"({"ARN":"a","Name":"n","CreatedDate":"2026"})", "CreatedDate is not a number"},
      {R"({"ARN":"a","Name":"n","VersionIdsToStages":[]})", "VersionIdsToStages is not an object"},
      {R"({"ARN":"a","Name":"n","VersionIdsToStages":{"v":"x"}})",
       "VersionIdsToStages is not a list"},
      {R"({"ARN":"a","Name":"n","VersionIdsToStages":{"v":[1]}})",
       "VersionIdsToStages holds something else"},
      {"<html>hush</html>", "not a JSON object"},
      {R"(["hush"])", "not a JSON object"},
      {R"({"ARN":"hush)", "not a JSON object"},
  };
  for (const auto& [body, what] : cases) {
    transport->push(Wire::of(200, body));
    const auto got = secrets->describe("shop/db");
    ASSERT_FALSE(got.ok()) << body;
    EXPECT_EQ(got.error().cls, ErrorClass::Transient);
    EXPECT_EQ(got.error().code, "BadReply");
    EXPECT_NE(got.error().message.find(what), std::string::npos) << got.error().message;
    EXPECT_TRUE(got.error().message.starts_with("DescribeSecret shop/db: ")) << got.error().message;
    EXPECT_EQ(got.error().message.find("hush"), std::string::npos);
  }
}

TEST_F(SecretsManagerTest, GetValueByIdByStageAndByDefault) {
  const std::string reply =
      R"({"ARN":"a","Name":"n","VersionId":")" + kId1 +
      R"(","SecretString":"{\"k\":\"v\u0000\"}","VersionStages":["AWSCURRENT"],"CreatedDate":1700000000.5})";
  for (int i = 0; i < 3; ++i) transport->push(Wire::of(200, reply));
  const auto by_id = secrets->get_value("n", kId1, "AWSCURRENT");
  ASSERT_TRUE(by_id.ok()) << by_id.error().describe();
  EXPECT_EQ(sent(0), (nlohmann::json{{"SecretId", "n"}, {"VersionId", kId1}}));
  EXPECT_EQ(by_id->value.reveal(), std::string_view("{\"k\":\"v\0\"}", 10));
  EXPECT_FALSE(by_id->binary);
  EXPECT_EQ(by_id->version_id, kId1);
  EXPECT_EQ(by_id->stages, (std::set<std::string>{"AWSCURRENT"}));
  EXPECT_EQ(by_id->created, WallTime(Duration(1700000000500)));
  ASSERT_TRUE(secrets->get_value("n", "", "AWSPENDING").ok());
  EXPECT_EQ(sent(1), (nlohmann::json{{"SecretId", "n"}, {"VersionStage", "AWSPENDING"}}));
  ASSERT_TRUE(secrets->get_value("n", "").ok());
  EXPECT_EQ(sent(2), (nlohmann::json{{"SecretId", "n"}}));
}

TEST_F(SecretsManagerTest, BinaryIsFlaggedAndAnotherVersionRefused) {
  transport->push(Wire::of(200, R"({"ARN":"a","VersionId":"v","SecretBinary":"AAEC"})"));
  const auto binary = secrets->get_value("n", "");
  ASSERT_TRUE(binary.ok()) << binary.error().describe();
  EXPECT_TRUE(binary->binary);
  EXPECT_TRUE(binary->value.empty());
  transport->push(Wire::of(200, R"({"ARN":"a","VersionId":"other","SecretString":"x"})"));
  EXPECT_EQ(secrets->get_value("n", kId1).error().code, "BadReply");
  transport->push(Wire::of(200, R"({"ARN":"a","VersionId":"v"})"));
  EXPECT_EQ(secrets->get_value("n", "").error().code, "BadReply");
}

TEST_F(SecretsManagerTest, NoErrorQuotesAValue) {
  for (const char* body : {R"({"SecretString":"hush-hush"})",
                           R"({"ARN":"a","VersionId":"v","SecretString":"hush-hush)",
                           R"({"ARN":7,"VersionId":"v","SecretString":"hush-hush"})",
                           R"({"SecretString":"hush\q"})"}) {
    transport->push(Wire::of(200, body));
    const auto got = secrets->get_value("n", "");
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().message.find("hush"), std::string::npos) << got.error().message;
  }
}

TEST(SecretsManagerCodecTest, DecodingWipesTheBody) {
  std::string body = R"({"ARN":"a","VersionId":"v","SecretString":"hush-hush-hush-hush-hush"})";
  const char* bytes = body.data();
  const std::size_t size = body.size();
  ASSERT_TRUE(decode_get_value(body).ok());
  const std::string left(bytes, size);  // the buffer is still the string's own
  EXPECT_EQ(left.find("hush"), std::string::npos);
}

TEST_F(SecretsManagerTest, VersionsOverAllPages) {
  transport->push(Wire::of(
      200,
      R"({"Versions":[{"VersionId":"v1","VersionStages":["AWSCURRENT"],"CreatedDate":1700000000}],"NextToken":"t"})"));
  transport->push(Wire::of(200, R"({"Versions":[],"NextToken":"t2"})"));
  transport->push(Wire::of(200, R"({"Versions":[{"VersionId":"v2","LastAccessedDate":1}]})"));
  const auto got = secrets->list_versions("n", true);
  ASSERT_TRUE(got.ok()) << got.error().describe();
  ASSERT_EQ(got->size(), 2u);
  EXPECT_EQ((*got)[0].id, "v1");
  EXPECT_EQ((*got)[0].stages, (std::set<std::string>{"AWSCURRENT"}));
  EXPECT_EQ((*got)[0].created, WallTime(Duration(1700000000000)));
  EXPECT_EQ((*got)[1].id, "v2");
  EXPECT_TRUE((*got)[1].stages.empty());
  EXPECT_EQ(sent(0),
            (nlohmann::json{{"SecretId", "n"}, {"MaxResults", 100}, {"IncludeDeprecated", true}}));
  EXPECT_EQ(sent(1)["NextToken"], "t");
  EXPECT_EQ(sent(2)["NextToken"], "t2");
}

TEST_F(SecretsManagerTest, AListWithoutEndIsAnError) {
  transport->on_request(
      [](const http::Request&) { return Wire::of(200, R"({"Versions":[],"NextToken":"again"})"); });
  EXPECT_EQ(secrets->list_versions("n", false).error().code, "BadReply");
}

TEST_F(SecretsManagerTest, ListNewestFirst) {
  transport->push(Wire::of(
      200, R"({"SecretList":[{"ARN":"a","Name":"n","SecretVersionsToStages":{"v":["AWSCURRENT"]},
                                    "LastChangedDate":1700000000}],"NextToken":"t"})"));
  const auto page = secrets->list({});
  ASSERT_TRUE(page.ok()) << page.error().describe();
  EXPECT_EQ(page->next_token, "t");
  EXPECT_EQ(page->secrets.at(0).stages, (StagesByVersion{{"v", {"AWSCURRENT"}}}));
  EXPECT_EQ(sent(0), (nlohmann::json{{"MaxResults", 100},
                                     {"IncludePlannedDeletion", true},
                                     {"SortBy", "last-changed-date"},
                                     {"SortOrder", "desc"}}));
  transport->push(Wire::of(200, R"({"SecretList":[]})"));
  ListSecretsRequest request;
  request.newest_first = false;
  request.next_token = "t";
  request.max_results = 7;
  request.include_planned_deletion = false;
  ASSERT_TRUE(secrets->list(request).ok());
  EXPECT_EQ(
      sent(1),
      (nlohmann::json{{"MaxResults", 7}, {"IncludePlannedDeletion", false}, {"NextToken", "t"}}));
}

TEST_F(SecretsManagerTest, PutSendsTokenStagesAndValue) {
  transport->push(
      Wire::of(200, R"({"ARN":"a","Name":"n","VersionId":")" + kId1 + R"(","VersionStages":[]})"));
  PutSecretValueRequest r = put();
  r.value = SecretString("{\"k\":\"ü\\\"\n\x01\"}");
  r.rotation_token = "rot";
  ASSERT_TRUE(secrets->put_value(r).ok());
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.PutSecretValue");
  EXPECT_EQ(sent(), (nlohmann::json{{"SecretId", kArn},
                                    {"ClientRequestToken", kId1},
                                    {"RotationToken", "rot"},
                                    {"SecretString", std::string(r.value.reveal())},
                                    {"VersionStages", {"AWSPENDING", "KEYTURN_BATON"}}}));
}

TEST_F(SecretsManagerTest, PutTheLargestValueOfWorstCharacters) {
  PutSecretValueRequest r = put();
  r.value = SecretString(std::string(65536, '\x01'));
  transport->push(Wire::of(200, R"({"VersionId":")" + kId1 + "\"}"));
  ASSERT_TRUE(secrets->put_value(r).ok());
  EXPECT_EQ(sent()["SecretString"].get<std::string>().size(), 65536u);
}

TEST_F(SecretsManagerTest, PutRefusesWhatAwsWould) {
  const auto code = [&](auto change) {
    PutSecretValueRequest r = put();
    change(r);
    const Status s = secrets->put_value(r);
    return s.ok() ? std::string("ok") : s.error().code;
  };
  using R = PutSecretValueRequest;
  EXPECT_EQ(code([](R& r) { r.value = SecretString(); }), "EmptyValue");
  EXPECT_EQ(code([](R& r) { r.value = SecretString(std::string(65537, 'x')); }), "ValueTooLarge");
  EXPECT_EQ(code([](R& r) { r.value = SecretString("\xff"); }), "ValueNotUtf8");
  EXPECT_EQ(code([](R& r) { r.client_request_token = "short"; }), "BadVersionId");
  EXPECT_EQ(code([](R& r) { r.stages.clear(); }), "NoStages");
  EXPECT_EQ(transport->request_count(), 0u);
}

TEST_F(SecretsManagerTest, PutErrors) {
  transport->push(aws_error("ResourceExistsException", "used"));
  EXPECT_EQ(secrets->put_value(put()).error().cls, ErrorClass::Conflict);
  transport->push(aws_error(
      "InvalidRequestException",
      "You can't perform this operation on the secret because it was marked for deletion."));
  EXPECT_EQ(secrets->put_value(put()).error().cls, ErrorClass::Invalid);
  transport->push(Wire::of(200, "gateway says hello"));
  EXPECT_EQ(secrets->put_value(put()).error().cls, ErrorClass::Transient);
  transport->push(Wire::of(200, R"({"VersionId":"other"})"));
  EXPECT_EQ(secrets->put_value(put()).error().code, "BadReply");
}

TEST_F(SecretsManagerTest, WritesCarryTheirViewsAge) {
  PutSecretValueRequest p = put();
  p.not_after = clock.mono() - Duration(1);
  EXPECT_EQ(secrets->put_value(p).error().code, "ViewTooOld");
  UpdateStageRequest u{"n", "KEYTURN_BATON", kId1, kId2, clock.mono() - Duration(1)};
  EXPECT_EQ(secrets->update_stage(u).error().code, "ViewTooOld");
  EXPECT_EQ(transport->request_count(), 0u);
  // and a write of unknown outcome is told as one
  transport->push(broken("Timeout"));
  transport->push(aws_error("AccessDeniedException"));
  EXPECT_EQ(secrets->put_value(put()).error().cls, ErrorClass::Transient);
}

TEST_F(SecretsManagerTest, UpdateStageMovesTakesAndDrops) {
  for (int i = 0; i < 3; ++i) transport->push(Wire::of(200, R"({"ARN":"a","Name":"n"})"));
  ASSERT_TRUE(secrets->update_stage({"n", "AWSCURRENT", kId1, kId2, {}}).ok());
  ASSERT_TRUE(secrets->update_stage({"n", "AWSPENDING", kId1, "", {}}).ok());
  ASSERT_TRUE(secrets->update_stage({"n", "X", "", kId2, {}}).ok());
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.UpdateSecretVersionStage");
  EXPECT_EQ(sent(0), (nlohmann::json{{"SecretId", "n"},
                                     {"VersionStage", "AWSCURRENT"},
                                     {"RemoveFromVersionId", kId1},
                                     {"MoveToVersionId", kId2}}));
  EXPECT_EQ(sent(1),
            (nlohmann::json{
                {"SecretId", "n"}, {"VersionStage", "AWSPENDING"}, {"RemoveFromVersionId", kId1}}));
  EXPECT_EQ(sent(2),
            (nlohmann::json{{"SecretId", "n"}, {"VersionStage", "X"}, {"MoveToVersionId", kId2}}));
  EXPECT_EQ(secrets->update_stage({"n", "X", "", "", {}}).error().code, "NoVersion");
}

TEST_F(SecretsManagerTest, RotateSecretNamesTheVersionAndNothingElse) {
  transport->push(Wire::of(200, "{}"));
  ASSERT_TRUE(secrets->rotate_secret({"n", kId1, {}}).ok());
  EXPECT_EQ(header(0, "X-Amz-Target"), "secretsmanager.RotateSecret");
  EXPECT_EQ(sent(0), (nlohmann::json{{"SecretId", "n"}, {"ClientRequestToken", kId1}}));
  const auto cls = [&](const char* message) {
    transport->push(aws_error("InvalidRequestException", message));
    return secrets->rotate_secret({"n", kId1, {}}).error().cls;
  };
  EXPECT_EQ(cls("A previous rotation isn't complete. That rotation will be reattempted."),
            ErrorClass::Conflict);
  EXPECT_EQ(cls("No Lambda rotation function ARN is associated with this secret."),
            ErrorClass::Invalid);
}

TEST_F(SecretsManagerTest, ALostRaceIsAConflict) {
  const auto cls = [&](const char* code, const char* message, const std::string& id = "shop/db") {
    transport->push(aws_error(code, message));
    return secrets->update_stage({id, "KEYTURN_BATON", kId1, kId2, {}}).error().cls;
  };
  EXPECT_EQ(cls("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty."),
            ErrorClass::Conflict);
  EXPECT_EQ(cls("InvalidRequestException", "The staging label is attached to another version"),
            ErrorClass::Conflict);
  EXPECT_EQ(
      cls("InvalidRequestException",
          "You can't perform this operation on the secret because it was marked for deletion."),
      ErrorClass::Invalid);
  EXPECT_EQ(cls("InvalidRequestException",
                "You can't change the labels of a version: the secret is scheduled for deletion."),
            ErrorClass::Invalid);
  EXPECT_EQ(cls("InvalidRequestException", "The secret is owned by a service", "version/label"),
            ErrorClass::Invalid);
  EXPECT_EQ(cls("ResourceNotFoundException", "no such version"), ErrorClass::NotFound);
  EXPECT_EQ(cls("AccessDeniedException", "label"), ErrorClass::Denied);
}

TEST_F(SecretsManagerTest, MissingSecretAndPlaceholderAreNotFound) {
  transport->push(aws_error(
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"));
  EXPECT_EQ(secrets->get_value("n", "", "AWSPENDING").error().cls, ErrorClass::NotFound);
}

TEST_F(SecretsManagerTest, OddSecretIdsDoNotThrow) {
  transport->push(aws_error("ResourceNotFoundException"));
  EXPECT_FALSE(secrets->describe("\xff\xfe").ok());
}

}  // namespace
}  // namespace keyturn::aws
