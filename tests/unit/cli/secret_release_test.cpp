// Attempts that are not to become current.
#include <gtest/gtest.h>

#include "tests/unit/cli/alone_rig.h"

namespace keyturn::cli {
namespace {

using engine::Step;

std::string made(AloneRig& rig) {
  return step_alone(*rig.alone, Step::CreateSecret, false).value().version_id;
}

TEST(Abandon, RevokesWhatWasMintedAfterQuietAndKeepsTheCurrentCredential) {
  AloneRig rig(Kind::Minting);
  const std::string version = made(rig);
  const std::string minted =
      simulation::credential_of(rig.secrets.value_of(rig.arn, version).value());
  ASSERT_TRUE(rig.tokens.accepts(minted));
  const MonoTime before = rig.fake.mono();
  const auto abandoned = abandon_alone(*rig.alone);
  ASSERT_TRUE(abandoned.ok()) << abandoned.error().describe();
  EXPECT_EQ(abandoned->version_id, version);
  EXPECT_FALSE(rig.tokens.accepts(minted));
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.holder("AWSCURRENT"), rig.first);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
  EXPECT_GE(rig.fake.mono() - before, rig.alone->timing.quiet());
  EXPECT_EQ(abandon_alone(*rig.alone)->version_id, "") << "a second time there is nothing";
}

TEST(Abandon, KilledAtAnyRequestAndRunAgainNothingIsLeft) {
  const int deaths = die_at_every_request(
      Kind::Minting, [](AloneRig& rig) { made(rig); },
      [](AloneRig& rig) { (void)abandon_alone(*rig.alone); },
      [](AloneRig& rig) {
        EXPECT_EQ(rig.tokens.tokens().size(), 1U);
        EXPECT_TRUE(rig.tokens.accepts("t0"));
        EXPECT_EQ(rig.holder("AWSCURRENT"), rig.first);
        EXPECT_EQ(rig.holder("AWSPENDING"), "");
        EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
      });
  EXPECT_GT(deaths, 10);
}

TEST(Retire, KilledAtAnyRequestAndRunAgainOnlyTheOldCredentialIsGone) {
  const int deaths = die_at_every_request(
      Kind::Minting, [](AloneRig& rig) { (void)rotate_alone(*rig.alone, true); },
      [](AloneRig& rig) { (void)retire_alone(*rig.alone); },
      [](AloneRig& rig) {
        EXPECT_EQ(rig.tokens.tokens().size(), 1U);
        EXPECT_TRUE(rig.tokens.accepts(rig.credential()));
        EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
      });
  EXPECT_GT(deaths, 10);
}

TEST(Abandon, WithoutABackendTheLabelGoesAndTheNextRotationMakesAnotherVersion) {
  AloneRig rig(Kind::None);
  const std::string version = made(rig);
  ASSERT_TRUE(abandon_alone(*rig.alone).ok());
  EXPECT_EQ(rig.holder("AWSCURRENT"), rig.first);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  const auto rotated = rotate_alone(*rig.alone, true);
  ASSERT_TRUE(rotated.ok());
  EXPECT_NE(rotated->version_id, version);
}

TEST(Abandon, AForwardOnlyBackendThatHasTakenTheValueGoesForward) {
  AloneRig rig(Kind::ForwardOnly);
  const std::string version = made(rig);
  ASSERT_TRUE(step_alone(*rig.alone, Step::SetSecret, false).ok());
  const auto abandoned = abandon_alone(*rig.alone);
  ASSERT_TRUE(abandoned.ok()) << abandoned.error().describe();
  EXPECT_NE(abandoned->note.find("already taken"), std::string::npos) << abandoned->note;
  EXPECT_TRUE(rig.password.accepts(rig.credential()));
  EXPECT_NE(rig.holder("AWSCURRENT"), rig.first);
  EXPECT_NE(rig.holder("AWSCURRENT"), version);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
}

TEST(Abandon, AForwardOnlyBackendThatHasNotKeepsTheOldOne) {
  AloneRig rig(Kind::ForwardOnly);
  made(rig);
  ASSERT_TRUE(abandon_alone(*rig.alone).ok());
  EXPECT_EQ(rig.holder("AWSCURRENT"), rig.first);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  EXPECT_TRUE(rig.password.accepts("t0"));
}

TEST(Abandon, WhatIsDecidedIsNotTakenBack) {
  AloneRig rig(Kind::Minting);
  made(rig);
  rig.secrets.move_label(rig.arn, "KEYTURN_BATON", rig.first);
  const auto before = rig.secrets.stages(rig.arn);
  const auto abandoned = abandon_alone(*rig.alone);
  ASSERT_FALSE(abandoned.ok());
  EXPECT_EQ(abandoned.error().code, "AlreadyDecided");
  EXPECT_EQ(rig.secrets.stages(rig.arn), before);
}

TEST(ReleaseForeign, TakesTheLabelsOffAndSaysWhoseCredentialMayBeValid) {
  AloneRig rig(Kind::Minting);
  const std::string version = made(rig);
  EXPECT_EQ(release_foreign(*rig.alone).error().code, "NotForeign");
  const auto none = simulation::make_none();
  Alone other{.secret_id = rig.arn,
              .secrets = rig.secrets,
              .strategy = *none,
              .clock = rig.clock,
              .rng = rig.rng};
  EXPECT_EQ(rotate_alone(other, true).error().code, "OtherStrategyUnderWay");
  const auto released = release_foreign(other);
  ASSERT_TRUE(released.ok()) << released.error().describe();
  EXPECT_EQ(released->version_id, version);
  EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  EXPECT_TRUE(rotate_alone(other, true).ok());
}

TEST(DiscardPending, OnlyTheVersionNamedAndOnlySomebodyElses) {
  AloneRig rig(Kind::Minting);
  EXPECT_EQ(discard_pending(rig.secrets, rig.arn, "person-2")->version_id, "");
  const std::string theirs = rig.secrets.put_as_person(rig.arn, "t9;x", "AWSPENDING");
  EXPECT_EQ(discard_pending(rig.secrets, rig.arn, rig.first).error().code, "OtherPending");
  EXPECT_EQ(rig.holder("AWSPENDING"), theirs);
  EXPECT_EQ(discard_pending(rig.secrets, rig.arn, theirs)->version_id, theirs);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  const std::string ours = made(rig);
  EXPECT_EQ(discard_pending(rig.secrets, rig.arn, ours).error().code, "MadeByKeyturn");
  EXPECT_EQ(rig.holder("AWSPENDING"), ours);
}

}  // namespace
}  // namespace keyturn::cli
