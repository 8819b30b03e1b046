// A secret's first version, and its end.
#include <gtest/gtest.h>

#include "tests/unit/cli/alone_rig.h"

namespace keyturn::cli {
namespace {

TEST(NewSecret, WithoutABackendTheFirstVersionIsMadeAndCurrent) {
  AloneRig rig(Kind::None);
  const auto created =
      create_alone(*rig.alone, rig.secrets, {"shop/new", SecretString(";user=shop"), "", ""});
  ASSERT_TRUE(created.ok()) << created.error().describe();
  EXPECT_EQ(rig.secrets.holder(created->arn, "AWSCURRENT"), created->version_id);
  EXPECT_NE(rig.secrets.value_at(created->arn, "AWSCURRENT"), ";user=shop");
  EXPECT_EQ(simulation::others_of(rig.secrets.value_at(created->arn, "AWSCURRENT").value()),
            "user=shop");
}

TEST(NewSecret, ABackendOfSeveralCredentialsMintsOneUnlessTheValueHoldsOne) {
  AloneRig rig(Kind::Minting);
  const auto minted =
      create_alone(*rig.alone, rig.secrets, {"shop/new", SecretString("none;user=shop"), "", ""});
  ASSERT_TRUE(minted.ok()) << minted.error().describe();
  EXPECT_EQ(rig.secrets.holder(minted->arn, "AWSCURRENT"), minted->version_id);
  EXPECT_TRUE(rig.tokens.accepts(
      simulation::credential_of(rig.secrets.value_at(minted->arn, "AWSCURRENT").value())));
  const auto kept =
      create_alone(*rig.alone, rig.secrets, {"shop/kept", SecretString("t0;user=shop"), "", ""});
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(rig.secrets.value_at(kept->arn, "AWSCURRENT"), "t0;user=shop");
}

TEST(NewSecret, ANameThatIsTakenIsLeftAlone) {
  AloneRig rig(Kind::None);
  const auto created =
      create_alone(*rig.alone, rig.secrets, {"shop/orders", SecretString(";x"), "", ""});
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, "ResourceExistsException");
  EXPECT_NE(created.error().message.find("keyturn secret rotate"), std::string::npos);
  EXPECT_EQ(rig.credential(), "t0");
}

TEST(DeleteSecret, RevokesEverythingAfterQuietAndOnlyThenDeletes) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  rig.tokens.hook = [&](const std::string&, simulation::When) -> std::optional<Error> {
    EXPECT_FALSE(rig.secrets.secret(rig.arn).metadata.deleted);
    return std::nullopt;
  };
  const MonoTime before = rig.fake.mono();
  const auto deleted = delete_alone(*rig.alone, rig.secrets, 7, false);
  ASSERT_TRUE(deleted.ok()) << deleted.error().describe();
  EXPECT_TRUE(rig.tokens.tokens().empty());
  EXPECT_EQ(deleted->when, rig.fake.now() + std::chrono::days(7));
  EXPECT_GE(rig.fake.mono() - before, rig.alone->timing.quiet());
  const auto again = delete_alone(*rig.alone, rig.secrets, 30, false);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->when, deleted->when);
}

TEST(DeleteSecret, KilledAtAnyRequestAndRunAgainEverythingIsGone) {
  const int deaths = die_at_every_request(
      Kind::Minting, [](AloneRig& rig) { (void)rotate_alone(*rig.alone, true); },
      [](AloneRig& rig) { (void)delete_alone(*rig.alone, rig.secrets, 30, false); },
      [](AloneRig& rig) {
        EXPECT_TRUE(rig.tokens.tokens().empty());
        EXPECT_TRUE(rig.secrets.secret(rig.arn).metadata.deleted);
      });
  EXPECT_GT(deaths, 20);
}

TEST(DeleteSecret, ACredentialThatKeyturnDidNotMintIsKeptAndSoIsTheSecret) {
  AloneRig rig(Kind::Minting);
  const auto deleted = delete_alone(*rig.alone, rig.secrets, 30, false);
  ASSERT_FALSE(deleted.ok());
  EXPECT_EQ(deleted.error().code, "CredentialKept");
  EXPECT_FALSE(rig.secrets.secret(rig.arn).metadata.deleted);
  ASSERT_TRUE(delete_alone(*rig.alone, rig.secrets, 30, true).ok());
  EXPECT_TRUE(rig.tokens.accepts("t0"));
}

// A server may refuse a living credential once.
void refuse_once(AloneRig& rig) {
  rig.tokens.hook = [refused = false](const std::string& request,
                                      simulation::When) mutable -> std::optional<Error> {
    if (!request.starts_with("login ") || std::exchange(refused, true)) return std::nullopt;
    return make_error(ErrorClass::Denied, "CredentialRefused", "by mistake");
  };
}

TEST(DeleteSecret, OneRefusalLeavesNoCredentialBehind) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  refuse_once(rig);
  ASSERT_TRUE(delete_alone(*rig.alone, rig.secrets, 30, false).ok());
  EXPECT_TRUE(rig.tokens.tokens().empty());
}

TEST(DeleteSecret, OneRefusalDoesNotDeleteTheSecretOfALivingCredential) {
  AloneRig rig(Kind::Minting);
  refuse_once(rig);
  EXPECT_EQ(delete_alone(*rig.alone, rig.secrets, 30, false).error().code, "CredentialKept");
  EXPECT_FALSE(rig.secrets.secret(rig.arn).metadata.deleted);
}

TEST(DeleteSecret, AForwardOnlyBackendsPasswordIsToldToStay) {
  AloneRig rig(Kind::ForwardOnly);
  EXPECT_EQ(delete_alone(*rig.alone, rig.secrets, 30, false).error().code, "CredentialKept");
  EXPECT_TRUE(delete_alone(*rig.alone, rig.secrets, 30, true).ok());
}

TEST(DeleteSecret, AnAttemptUnderWayIsEndedFirst) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(step_alone(*rig.alone, engine::Step::CreateSecret, false).ok());
  EXPECT_EQ(delete_alone(*rig.alone, rig.secrets, 30, false).error().code, "AttemptUnderWay");
}

TEST(DeleteSecret, ACrashBetweenRevocationAndDeletionIsGoneOnFrom) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  rig.secrets.set_fault([](const auto& call, auto) -> std::optional<Error> {
    if (call.operation != "DeleteSecret") return std::nullopt;
    return make_error(ErrorClass::Denied, "AccessDeniedException", "no");
  });
  EXPECT_FALSE(delete_alone(*rig.alone, rig.secrets, 30, false).ok());
  EXPECT_TRUE(rig.tokens.tokens().empty());
  rig.secrets.set_fault({});
  rig.restart();
  EXPECT_TRUE(delete_alone(*rig.alone, rig.secrets, 30, false).ok());
}

}  // namespace
}  // namespace keyturn::cli
