#include "controller/cli/secret_describe.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/cli/alone_rig.h"

namespace keyturn::cli {
namespace {

SecretStory story_of(AloneRig& rig) {
  SecretStory story;
  const engine::Engine engine = rig.alone->engine();
  story.view = engine.look(rig.arn).value();
  story.next = engine.decide(story.view, {});
  story.strategy = rig.strategy->traits().name;
  story.versions = rig.secrets.list_versions(rig.arn, true).value();
  return story;
}

TEST(SecretDescribe, EveryVersionHasARoleAtEachPointOfARotation) {
  AloneRig rig(Kind::Minting);
  EXPECT_EQ(role_of(story_of(rig).view, rig.first), "the current credential");
  const auto made = step_alone(*rig.alone, engine::Step::CreateSecret, false);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(role_of(story_of(rig).view, made->version_id), "an attempt, undecided");
  rig.secrets.move_label(rig.arn, "KEYTURN_BATON", rig.first);
  EXPECT_EQ(role_of(story_of(rig).view, made->version_id), "an attempt, decided to become current");
  ASSERT_TRUE(step_alone(*rig.alone, engine::Step::FinishSecret, false).ok());
  EXPECT_EQ(role_of(story_of(rig).view, rig.first), "the old credential, to be revoked");
  EXPECT_EQ(role_of(story_of(rig).view, made->version_id), "the current credential");
  ASSERT_TRUE(retire_alone(*rig.alone).ok());
  EXPECT_EQ(role_of(story_of(rig).view, rig.first), "the credential before");
  const std::string theirs = rig.secrets.put_as_person(rig.arn, "x;y", "AWSPENDING");
  EXPECT_EQ(role_of(story_of(rig).view, theirs), "somebody else's attempt");
}

TEST(SecretDescribe, TellsTheNextStepAndWhatAVersionWasMadeFromAndNoValue) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, false).ok());
  const SecretStory story = story_of(rig);
  const std::string text = describe_secret(story, rig.fake.now());
  EXPECT_NE(text.find("Nothing (RetirementLeft)"), std::string::npos) << text;
  EXPECT_NE(text.find("keyturn secret retire"), std::string::npos);
  EXPECT_EQ(text.find("t0"), std::string::npos) << text;
  const nlohmann::json json = secret_json(story);
  EXPECT_EQ(json["next"]["reason"], "RetirementLeft");
  EXPECT_EQ(json["versions"][0]["madeFrom"], rig.first);
  EXPECT_EQ(json["versions"][0]["labels"], (std::vector{"AWSCURRENT", "KEYTURN_LATEST"}));
}

TEST(SecretDescribe, TheShapeOfAValueHoldsNothingOfIt) {
  aws::SecretValue value;
  value.value = SecretString(R"({"user":"mArKeR","password":"mArKeR"})");
  EXPECT_EQ(shape_of(value), "37 bytes, a JSON object with user, password");
  value.value = SecretString("mArKeR");
  EXPECT_EQ(shape_of(value), "6 bytes, a bare string");
  value.binary = true;
  EXPECT_NE(shape_of(value).find("SecretBinary"), std::string::npos);
}

}  // namespace
}  // namespace keyturn::cli
