#include "controller/rotation/secret_knowledge.h"

#include <gtest/gtest.h>

#include "controller/rotation/owners.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf";
const MonoTime kT0 = MonoTime(Duration(1'000'000'000));

aws::SecretMetadata secret(const std::string& current, const std::string& arn = kArn) {
  aws::SecretMetadata s;
  s.arn = arn;
  s.name = name_of_arn(arn);
  s.stages[current] = {"AWSCURRENT"};
  return s;
}

TEST(Knowledge, ResolvesNameFullAndPartialArn) {
  SecretKnowledge knowledge;
  EXPECT_TRUE(knowledge.saw("s", secret("v1"), kT0, true)) << "the first sight is news";
  for (const char* id : {"shop/db", kArn, "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db"}) {
    ASSERT_TRUE(knowledge.find("s", id)) << id;
    EXPECT_EQ(knowledge.find("s", id)->secret.arn, kArn);
  }
  EXPECT_FALSE(knowledge.find("s", "shop/d"));
  EXPECT_FALSE(knowledge.find("s", "arn:aws:secretsmanager:us-east-1:1:secret:shop/db"));
  EXPECT_FALSE(knowledge.find("other scope", "shop/db"));
}

TEST(Knowledge, GivesBackAllThatWasSeen) {
  aws::SecretMetadata plain = secret("v1");
  plain.stages["v2"] = {"AWSPREVIOUS", "KEYTURN_BATON"};
  plain.created = plain.last_changed = from_epoch_seconds(1'795'000'000);
  aws::SecretMetadata odd = plain;
  odd.stages["v3"] = {"a label\x1fwith \x1eseparators"};
  aws::SecretMetadata rotated = plain;
  rotated.rotation_enabled = true;
  rotated.rotation_lambda_arn = "arn:lambda";
  rotated.last_rotated = rotated.next_rotation = rotated.deleted = from_epoch_seconds(1);
  rotated.owning_service = rotated.type = rotated.primary_region = "x";
  SecretKnowledge knowledge;
  for (const auto& each : {secret("v1"), plain, odd, rotated, plain}) {
    knowledge.saw("s", each, kT0, false);
    const auto sight = knowledge.find("s", "shop/db");
    ASSERT_TRUE(sight);
    EXPECT_EQ(sight->secret, each);
    EXPECT_EQ(sight->seen_at, kT0);
    EXPECT_EQ(knowledge.size(), 1u);
  }
}

TEST(Knowledge, ASweepThatLagsDoesNotUndoALook) {
  SecretKnowledge knowledge;
  knowledge.saw("s", secret("v1"), kT0, true);
  EXPECT_TRUE(knowledge.saw("s", secret("v2"), kT0 + Duration(1000), false));
  EXPECT_FALSE(knowledge.saw("s", secret("v1"), kT0 + Duration(60'000), true))
      << "ListSecrets may be five minutes old";
  EXPECT_TRUE(knowledge.find("s", kArn)->secret.stages.contains("v2"));
  EXPECT_TRUE(knowledge.saw("s", secret("v3"), kT0 + Duration(400'000), true))
      << "later than the lag it is news";
}

TEST(Knowledge, AListThatDisagreesWithALookOfLateLeavesADoubt) {
  SecretKnowledge knowledge;
  const WallTime changed = from_epoch_seconds(1'795'000'000);
  auto seen = secret("v2");
  seen.last_changed = changed;
  knowledge.saw("s", seen, kT0, false);
  const MonoTime soon = kT0 + Duration(60'000);
  auto listed = secret("v3");
  listed.last_changed = changed + Duration(30'000);
  EXPECT_TRUE(knowledge.in_doubt("s", listed, soon)) << "somebody was faster than the lag";
  EXPECT_FALSE(knowledge.in_doubt("s", listed, kT0 + SecretKnowledge::kListLag))
      << "beyond the lag the list is believed";
  EXPECT_FALSE(knowledge.in_doubt("s", listed, kT0 - Duration(1))) << "asked before the look";
  EXPECT_FALSE(knowledge.in_doubt("s", seen, soon)) << "they agree";
  listed.last_changed = changed - Duration(1);
  EXPECT_FALSE(knowledge.in_doubt("s", listed, soon)) << "it shows the past";
  EXPECT_FALSE(knowledge.in_doubt("other", listed, soon)) << "never seen";
}

TEST(Knowledge, WhatALaggingSweepShowedIsNotGone) {
  SecretKnowledge knowledge;
  knowledge.saw("s", secret("v2"), kT0, false);
  knowledge.saw("s", secret("v1"), kT0 + Duration(10), true);
  EXPECT_TRUE(knowledge.keep_only_seen_since("s", kT0 + Duration(10)).empty());
  EXPECT_EQ(knowledge.keep_only_seen_since("s", kT0 + Duration(20)),
            std::vector<std::string>{kArn});
  EXPECT_FALSE(knowledge.find("s", "shop/db"));
}

TEST(Knowledge, ARecreatedSecretReplacesTheOldArn) {
  SecretKnowledge knowledge;
  knowledge.saw("s", secret("v1"), kT0, true);
  const std::string fresh = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-ZZZZZZ";
  EXPECT_TRUE(knowledge.saw("s", secret("w1", fresh), kT0 + Duration(1), true));
  EXPECT_EQ(knowledge.find("s", "shop/db")->secret.arn, fresh);
  EXPECT_FALSE(knowledge.find("s", kArn));
}

TEST(Knowledge, AMoveIsForgottenByAllWhoDidNotSeeIt) {
  SecretKnowledge knowledge;
  const std::string replica = "arn:aws:secretsmanager:us-east-1:1:secret:shop/db-AbCdEf";
  knowledge.saw("mover", secret("v2"), kT0, false);
  knowledge.saw("other", secret("v1"), kT0, true);
  knowledge.saw("far", secret("v1", replica), kT0, true);
  knowledge.moved("mover", kArn);
  EXPECT_TRUE(knowledge.find("mover", kArn));
  EXPECT_FALSE(knowledge.find("other", "shop/db"));
  EXPECT_FALSE(knowledge.find("far", replica));
}

TEST(Owners, TheOldestRotatingPolicyOwnsWhateverTheRegion) {
  Owners owners;
  owners.set(kArn, {.key = "b/young", .rotates = true, .created = from_epoch_seconds(20)});
  EXPECT_EQ(owners.owner(kArn), "b/young");
  const auto woken =
      owners.set("arn:aws:secretsmanager:us-east-1:1:secret:shop/db-AbCdEf",
                 {.key = "a/old", .rotates = true, .created = from_epoch_seconds(10)});
  EXPECT_EQ(woken, std::vector<std::string>{"b/young"}) << "it has to stall now";
  EXPECT_EQ(owners.owner(kArn), "a/old") << "a replica is the same secret";
  owners.set(kArn, {.key = "c/reader", .rotates = false, .created = from_epoch_seconds(1)});
  EXPECT_EQ(owners.owner(kArn), "a/old");
  EXPECT_EQ(owners.followers(kArn).size(), 3U);
  EXPECT_EQ(owners.remove("a/old"), std::vector<std::string>{"b/young"});
  EXPECT_EQ(owners.owner(kArn), "b/young");
}

// creationTimestamp has whole seconds.
TEST(Owners, OfTheSameSecondTheFirstByNameOwns) {
  Owners owners;
  const WallTime second = from_epoch_seconds(10);
  owners.set(kArn, {.key = "a/later", .rotates = true, .created = second});
  owners.set(kArn, {.key = "a/first", .rotates = true, .created = second});
  EXPECT_EQ(owners.owner(kArn), "a/first");
}

TEST(Owners, ADeniedPolicyOwnsNothing) {
  Owners owners;
  owners.set(
      kArn,
      {.key = "a/denied", .rotates = true, .created = from_epoch_seconds(1), .allowed = false});
  owners.set(kArn, {.key = "b/fine", .rotates = true, .created = from_epoch_seconds(2)});
  EXPECT_EQ(owners.owner(kArn), "b/fine");
}

TEST(Owners, RulesThatChangeWakeWhoeverTheyMakeOrUnmakeOwner) {
  Owners owners;
  Follower old{.key = "a/old", .rotates = true, .created = from_epoch_seconds(1)};
  owners.set(kArn, old);
  owners.set(kArn, {.key = "b/young", .rotates = true, .created = from_epoch_seconds(2)});
  EXPECT_EQ(owners.deny("a/old"), std::vector<std::string>{"b/young"}) << "it may rotate now";
  EXPECT_EQ(owners.owner(kArn), "b/young");
  EXPECT_TRUE(owners.deny("a/old").empty()) << "nothing changes";
  EXPECT_EQ(owners.set(kArn, old), std::vector<std::string>{"b/young"}) << "it has to stall now";
  EXPECT_EQ(owners.owner(kArn), "a/old");
  EXPECT_TRUE(owners.set(kArn, old).empty()) << "nothing changes";
  EXPECT_TRUE(owners.deny("c/unknown").empty());
}

}  // namespace
}  // namespace keyturn::rotation
