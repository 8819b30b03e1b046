// Secrets Manager's awkward rules, over sockets with signed requests.
#include <gtest/gtest.h>

#include "lib/base/text.h"
#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

constexpr const char* kTwo = "22222222-2222-4222-8222-222222222222";
constexpr const char* kThree = "33333333-3333-4333-8333-333333333333";

class SecretsManagerTest : public ::testing::Test {
 protected:
  SecretsManagerTest() { arn = sandbox.secrets().create("shop/key", "one"); }

  Reply put(const char* token, const std::string& value, const Json& labels = Json()) const {
    Json input = {{"SecretId", "shop/key"}, {"ClientRequestToken", token}, {"SecretString", value}};
    if (!labels.is_null()) input["VersionStages"] = labels;
    return aws.call("PutSecretValue", input);
  }
  Reply move(const std::string& label, const std::string& from, const std::string& to) const {
    Json input = {{"SecretId", "shop/key"}, {"VersionStage", label}};
    if (!from.empty()) input["RemoveFromVersionId"] = from;
    if (!to.empty()) input["MoveToVersionId"] = to;
    return aws.call("UpdateSecretVersionStage", input);
  }
  Reply read(const Json& which = Json::object()) const {
    Json input = which;
    input["SecretId"] = "shop/key";
    return aws.call("GetSecretValue", input);
  }
  Json labels() const {
    return aws.call("DescribeSecret", {{"SecretId", "shop/key"}}).body["VersionIdsToStages"];
  }
  std::string current() const {
    return sandbox.secrets().get("shop/key")->holder("AWSCURRENT")->id;
  }
  static std::string code(const Reply& reply) { return text_at(reply.body, "__type"); }

  mutable Sandbox sandbox;
  std::string arn;
  AwsClient aws{sandbox};
};

TEST_F(SecretsManagerTest, AVersionIdHoldsOneValue) {
  EXPECT_EQ(put(kTwo, "two", {"AWSPENDING"}).body["VersionStages"], Json({"AWSPENDING"}));
  // The same again changes nothing, whatever labels it names.
  EXPECT_EQ(put(kTwo, "two", {"OTHER"}).body["VersionStages"], Json({"AWSPENDING"}));
  EXPECT_EQ(code(put(kTwo, "three")), "ResourceExistsException");
  EXPECT_EQ(put("short", "x").status, 400);
  EXPECT_EQ(code(aws.call("PutSecretValue", {{"SecretId", "shop/key"}, {"SecretString", "x"}})),
            "InvalidParameterException");
  EXPECT_EQ(code(aws.call(
                "UpdateSecret",
                {{"SecretId", "shop/key"}, {"ClientRequestToken", kTwo}, {"SecretString", "two"}})),
            "ResourceExistsException");
}

TEST_F(SecretsManagerTest, PutTakesLabelsFromOthers) {
  const std::string one = current();
  put(kTwo, "two", {"AWSPENDING", "KEYTURN_LATEST"});
  put(kThree, "three", {"AWSPENDING"});
  EXPECT_EQ(labels(),
            Json({{one, {"AWSCURRENT"}}, {kTwo, {"KEYTURN_LATEST"}}, {kThree, {"AWSPENDING"}}}));
  // Without labels it becomes current, and the loser previous.
  put("44444444-4444-4444-8444-444444444444", "four");
  EXPECT_EQ(labels()[one], Json({"AWSPREVIOUS"}));
}

TEST_F(SecretsManagerTest, LabelsMoveByCompareAndSwap) {
  const std::string one = current();
  put(kTwo, "two", {"AWSPENDING"});
  EXPECT_EQ(code(move("AWSCURRENT", "", kTwo)),
            "InvalidParameterException");  // the holder is not named
  EXPECT_EQ(code(move("AWSCURRENT", kTwo, kTwo)), "InvalidParameterException");  // the wrong one is
  EXPECT_EQ(code(move("AWSCURRENT", one, "")),
            "InvalidParameterException");  // it cannot be dropped
  EXPECT_EQ(code(move("AWSCURRENT", one, kThree)), "ResourceNotFoundException");
  EXPECT_EQ(move("AWSCURRENT", one, kTwo).status, 200);
  EXPECT_EQ(code(move("AWSCURRENT", one, kTwo)),
            "InvalidParameterException");  // a late repetition loses
  EXPECT_EQ(labels(), Json({{one, {"AWSPREVIOUS"}}, {kTwo, {"AWSCURRENT", "AWSPENDING"}}}));
  EXPECT_EQ(move("AWSPENDING", kTwo, "").status, 200);
  EXPECT_EQ(code(move("AWSPENDING", kTwo, "")), "InvalidParameterException");
  EXPECT_EQ(move("KEYTURN_BATON", "", one).status, 200);
  EXPECT_EQ(code(move("KEYTURN_BATON", "", kTwo)), "InvalidParameterException");
}

TEST_F(SecretsManagerTest, GrandparentsAreNotDescribedButReadable) {
  const std::string one = current();
  put(kTwo, "two");
  put(kThree, "three");
  EXPECT_FALSE(labels().contains(one));
  EXPECT_EQ(read({{"VersionId", one}}).body["SecretString"], "one");
  const auto versions = [&](bool deprecated) {
    return aws.call("ListSecretVersionIds", {{"SecretId", arn}, {"IncludeDeprecated", deprecated}})
        .body["Versions"]
        .size();
  };
  EXPECT_EQ(versions(false), 2U);
  EXPECT_EQ(versions(true), 3U);
}

TEST_F(SecretsManagerTest, ReadingByIdAndLabel) {
  put(kTwo, "two", {"AWSPENDING"});
  EXPECT_EQ(read().body["SecretString"], "one");
  EXPECT_EQ(read({{"VersionStage", "AWSPENDING"}}).body["VersionId"], kTwo);
  EXPECT_EQ(code(read({{"VersionId", kTwo}, {"VersionStage", "AWSCURRENT"}})),
            "InvalidRequestException");
  EXPECT_EQ(code(read({{"VersionStage", "NOPE"}})), "ResourceNotFoundException");
  EXPECT_EQ(aws.call("DescribeSecret", {{"SecretId", arn.substr(0, arn.size() - 7)}}).body["Name"],
            "shop/key");
}

TEST_F(SecretsManagerTest, LimitsOfLabelsAndVersions) {
  Json many = Json::array();
  for (int i = 0; i < 19; ++i) many.push_back("L" + std::to_string(i));
  EXPECT_EQ(put(kTwo, "two", many).status, 200);
  EXPECT_EQ(code(put(kThree, "three", {"ONE_MORE"})), "LimitExceededException");
  EXPECT_EQ(sandbox.secrets().get("shop/key")->versions.size(), 2U);  // nothing was left behind
  many.push_back("L19");
  many.push_back("L20");
  EXPECT_EQ(code(put(kThree, "three", many)), "InvalidParameterException");
  EXPECT_EQ(code(put(kThree, std::string(65'537, 'x'), {"L0"})), "InvalidParameterException");
  for (int i = 0; i < 98; ++i) sandbox.secrets().put(arn, "v", {"L0"});
  EXPECT_EQ(code(put(kThree, "three", {"L0"})), "LimitExceededException");  // none older than a day
  sandbox.secrets().edit(arn, [](StoredSecret& s) {
    for (auto& [id, version] : s.versions) version.created -= std::chrono::hours(25);
  });
  EXPECT_EQ(put(kThree, "three", {"L0"}).status, 200);
}

TEST_F(SecretsManagerTest, PlaceholdersOfARotationHaveNoValue) {
  EXPECT_EQ(code(aws.call("RotateSecret", {{"SecretId", arn}, {"ClientRequestToken", kTwo}})),
            "InvalidRequestException");
  EXPECT_EQ(aws.call("RotateSecret", {{"SecretId", arn},
                                      {"ClientRequestToken", kTwo},
                                      {"RotationLambdaARN", "arn:aws:lambda:x"}})
                .status,
            200);
  EXPECT_EQ(labels()[kTwo], Json({"AWSPENDING"}));
  EXPECT_EQ(code(read({{"VersionStage", "AWSPENDING"}})), "ResourceNotFoundException");
  EXPECT_EQ(code(aws.call("RotateSecret", {{"SecretId", arn}, {"ClientRequestToken", kThree}})),
            "InvalidRequestException");
  EXPECT_EQ(put(kTwo, "two", {"AWSPENDING"}).status, 200);
  EXPECT_EQ(read({{"VersionStage", "AWSPENDING"}}).body["SecretString"], "two");
}

TEST_F(SecretsManagerTest, DeletedReplicatedDenied) {
  EXPECT_EQ(aws.call("DeleteSecret", {{"SecretId", arn}}).status, 200);
  EXPECT_EQ(code(read()), "InvalidRequestException");
  EXPECT_TRUE(aws.call("DescribeSecret", {{"SecretId", arn}}).body.contains("DeletedDate"));
  EXPECT_EQ(aws.call("ListSecrets", Json::object()).body["SecretList"].size(), 0U);
  EXPECT_EQ(aws.call("RestoreSecret", {{"SecretId", arn}}).status, 200);
  sandbox.secrets().edit(arn, [](StoredSecret& s) { s.primary_region = "us-east-1"; });
  EXPECT_EQ(code(put(kTwo, "two")), "InvalidRequestException");
  EXPECT_EQ(read().status, 200);
  sandbox.accounts().set_rules(sandbox.access_key(),
                               {IamRule{}, IamRule{false, {"secretsmanager:ListSecrets"}, {"**"}},
                                IamRule{false, {"**"}, {"shop/**"}}});
  EXPECT_EQ(code(aws.call("ListSecrets", Json::object())), "AccessDeniedException");
  EXPECT_EQ(code(read()), "AccessDeniedException");
}

TEST_F(SecretsManagerTest, ListsInOrderAndPages) {
  for (const char* name : {"a", "b", "c"}) sandbox.secrets().create(name, "x");
  int age = 0;
  for (const char* name : {"shop/key", "c", "a", "b"}) {  // newest change first
    sandbox.secrets().edit(name, [&](StoredSecret& s) { s.created -= std::chrono::hours(++age); });
  }
  const auto names = [&](const Json& input) {
    std::string out;
    Json next = input;
    for (;;) {
      const Json body = aws.call("ListSecrets", next).body;
      for (const Json& entry : body["SecretList"]) out += text_at(entry, "Name") + " ";
      if (!body.contains("NextToken")) return out;
      next["NextToken"] = body["NextToken"];
    }
  };
  EXPECT_EQ(names({{"SortBy", "created-date"}, {"SortOrder", "desc"}, {"MaxResults", 1}}),
            "shop/key c a b ");
  EXPECT_EQ(names({{"SortBy", "name"}, {"SortOrder", "asc"}, {"MaxResults", 3}}),
            "a b c shop/key ");
  sandbox.secrets().set_empty_pages(true);
  EXPECT_EQ(names({{"SortBy", "name"}, {"SortOrder", "desc"}, {"MaxResults", 3}}),
            "shop/key c b a ");
  EXPECT_EQ(names({{"Filters", {{{"Key", "name"}, {"Values", {"!shop/"}}}}},
                   {"SortBy", "name"},
                   {"SortOrder", "asc"}}),
            "a b c ");
  EXPECT_EQ(code(aws.call("ListSecrets", {{"NextToken", "junk!"}})), "InvalidNextTokenException");
}

TEST_F(SecretsManagerTest, ViewsMayBeStale) {
  const std::string one = current();
  sandbox.secrets().set_stale_describes(2);
  put(kTwo, "two", {"AWSPENDING"});
  EXPECT_EQ(labels(), Json({{one, {"AWSCURRENT"}}}));
  EXPECT_EQ(labels(), Json({{one, {"AWSCURRENT"}}}));
  EXPECT_EQ(labels().size(), 2U);
  sandbox.secrets().set_list_lag(std::chrono::minutes(5));
  EXPECT_EQ(aws.call("ListSecrets", Json::object()).body["SecretList"].size(), 0U);
  sandbox.set_aws_clock_offset(std::chrono::minutes(6));
  aws.clock_offset = std::chrono::minutes(6);
  EXPECT_EQ(aws.call("ListSecrets", Json::object()).body["SecretList"].size(), 1U);
}

TEST_F(SecretsManagerTest, BatchesAnswerInPart) {
  const Json body = aws.call("BatchGetSecretValue", {{"SecretIdList", {"shop/key", "nope"}}}).body;
  EXPECT_EQ(body["SecretValues"][0]["SecretString"], "one");
  EXPECT_EQ(body["Errors"][0]["ErrorCode"], "ResourceNotFoundException");
}

TEST_F(SecretsManagerTest, RandomPasswords) {
  const auto make = [&](const Json& input) {
    return text_at(aws.call("GetRandomPassword", input).body, "RandomPassword");
  };
  EXPECT_EQ(make(Json::object()).size(), 32U);
  const std::string digits = make({{"PasswordLength", 8},
                                   {"ExcludeLowercase", true},
                                   {"ExcludeUppercase", true},
                                   {"ExcludePunctuation", true},
                                   {"ExcludeCharacters", "01"}});
  EXPECT_EQ(digits.find_first_not_of("23456789"), std::string::npos);
  EXPECT_EQ(aws.call("GetRandomPassword", {{"PasswordLength", 3}}).status, 400);
}

}  // namespace
}  // namespace keyturn::sandbox::testing
