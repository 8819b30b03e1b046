// elasticacheUser: the strategy alone and the engine around it.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/strategies/elasticache_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;
using When = CacheClient::When;

class ElasticacheUserTest : public ElasticacheTest {
 protected:
  ElasticacheUserTest() { store(original()); }

  SecretString with_password(const std::string& password) {
    json value = original();
    value["password"] = password;
    return text(value);
  }
  std::string refusal_of_create() {
    const auto made = strategy->create(context("v1"), text(current()));
    return made.ok() ? "" : made.error().code;
  }
};

TEST_F(ElasticacheUserTest, OldAndNewLiveSideBySideUntilTheGateOpensAndThenTheOldOneGoes) {
  int asked = 0;
  gate_still_open = [&] {
    EXPECT_EQ(passwords().size(), asked++ == 0 ? 1u : 2u);  // before each write
    EXPECT_TRUE(works(kOld) && works(current().at("password")));
    return true;
  };
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(passwords(), std::vector<std::string>{current().at("password")});
  EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
  EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
  EXPECT_EQ(changes(), 2u);
  EXPECT_EQ(current().at("user_arn"), original().at("user_arn"));
  EXPECT_EQ(log.back(), "two.cache.internal:6380 orders");  // every primary
  EXPECT_EQ(std::count(log.begin(), log.end(), log.back()), 4);
  EXPECT_EQ(events.back(), "Retired");
}

TEST_F(ElasticacheUserTest, TheFirstPasswordOfASecretWithoutOne) {
  json value = original();
  value.erase("password");
  value["note"] = 1.50;
  store(value);
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(passwords(), std::vector<std::string>{current().at("password")});
  EXPECT_EQ(current().at("password").get<std::string>().size(), 32u);
  EXPECT_NE(secrets.value_at(arn, "AWSCURRENT")->find("\"note\":1.5"), std::string::npos);
  EXPECT_EQ(events.back(), "Retired");
}

TEST_F(ElasticacheUserTest, NothingIsSentWhileTheUserIsBeingChangedAndNobodyWaits) {
  run_until_changes(1);
  const auto before = clock.mono();
  const SecretString wanted = with_password(pending_password());
  const auto set = strategy->set(context("v1"), wanted, text(original()), nullptr);
  ASSERT_TRUE(set.ok()) << set.error().describe();
  EXPECT_EQ(set->state, SetResult::State::NotYet);
  EXPECT_GT(set->look_again, Duration(0));
  const TestResult test = strategy->test(context("v1"), wanted);
  EXPECT_EQ(test.verdict, Verdict::Unknown);
  ASSERT_TRUE(test.look_again.has_value());
  EXPECT_EQ(changes(), 1u);
  EXPECT_EQ(clock.mono(), before);
}

TEST_F(ElasticacheUserTest, SetBesideAnotherPasswordAsksFirstAndWritesOnlyWhatIsMeant) {
  api.set_passwords("orders-id", {kOld, "somebody-elses-0123456789"});
  const SecretString wanted = with_password("second-Password-012345678");
  ASSERT_EQ(strategy->set(context("v1"), wanted, text(original()), nullptr)->state,
            SetResult::State::Sent);
  clock.advance(Duration(60'000));
  EXPECT_EQ(passwords(), (std::vector<std::string>{"second-Password-012345678", kOld}));
  EXPECT_EQ(strategy->set(context("v1"), wanted, text(original()), nullptr)->state,
            SetResult::State::Done);
  EXPECT_EQ(changes(), 1u);
  EXPECT_EQ(client.sent_until, clock.mono() - Duration(60'000) + Duration(30'000));
}

TEST_F(ElasticacheUserTest, AnswersThatAreLostAreAskedForAgain) {
  int lost = 0;
  client.fault = [&](const std::string& asked, When when) -> std::optional<Error> {
    if (when == When::Before || !asked.starts_with("ModifyUser") || lost++ % 2 != 0)
      return std::nullopt;
    return make_error(ErrorClass::Transient, "Reset", "reset by peer");
  };
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(passwords(), std::vector<std::string>{current().at("password")});
  EXPECT_GE(lost, 2);
}

TEST_F(ElasticacheUserTest, AUserThatSomebodyElseChangesIsWaitedFor) {
  int busy = 0;
  client.fault = [&](const std::string& asked, When when) -> std::optional<Error> {
    if (when == When::After || !asked.starts_with("ModifyUser") || busy++ % 2 != 0)
      return std::nullopt;
    return make_error(ErrorClass::Transient, "InvalidUserState", "not in active state");
  };
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(passwords().size(), 1u);
  EXPECT_TRUE(refused.empty()) << refused;
}

TEST_F(ElasticacheUserTest, WhatIsNoPasswordOfTheUserDoesNotBecomeOne) {
  json value = original();
  value["password"] = "typed-by-hand-0123456789";
  store(value);
  run();
  EXPECT_EQ(refused, "CurrentRefused");
  EXPECT_FALSE(moved());
  EXPECT_EQ(changes(), 0u);
  EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
}

TEST_F(ElasticacheUserTest, ARefusedPasswordEndsTheAttemptAndIsTakenAwayBehindTheGate) {
  says = [&](const std::string& host, const std::string& password) -> std::optional<std::string> {
    if (password == kOld || host.starts_with("one")) return std::nullopt;
    return "-WRONGPASS x\r\n-NOAUTH x\r\n";  // the second shard does not know it
  };
  run_until_changes(1);
  gate_open = false;
  for (int pass = 0; pass < 10; ++pass) one_pass();
  EXPECT_EQ(changes(), 1u) << "written although a reader may be behind";
  gate_open = true;
  const std::string attempt = secrets.holder(arn, "KEYTURN_LATEST");
  const auto ended = [&] {
    return std::find(events.begin(), events.end(), "Abandoned") != events.end();
  };
  for (int pass = 0; pass < 40 && !ended(); ++pass) one_pass();
  ASSERT_TRUE(ended()) << last;
  EXPECT_FALSE(moved());
  EXPECT_EQ(changes(), 2u) << "what was set is not set again";
  EXPECT_EQ(passwords(), std::vector<std::string>{kOld});
  EXPECT_NE(secrets.holder(arn, "AWSPENDING"), attempt);  // the next attempt may have begun
}

TEST_F(ElasticacheUserTest, APasswordThatNoPrimaryKnowsIsNotSetForEver) {
  says = [&](const std::string&, const std::string& password) -> std::optional<std::string> {
    if (password == kOld) return std::nullopt;
    return "-WRONGPASS x\r\n-NOAUTH x\r\n";
  };
  const auto ended = [&] {
    return std::find(events.begin(), events.end(), "Abandoned") != events.end();
  };
  for (int pass = 0; pass < 60 && !ended(); ++pass) one_pass();
  ASSERT_TRUE(ended()) << last;
  EXPECT_EQ(changes(), 2u) << "set once, and taken away";
  EXPECT_EQ(passwords(), std::vector<std::string>{kOld});
  EXPECT_FALSE(moved());
}

TEST_F(ElasticacheUserTest, NothingIsSetWhenSomethingChangedMeanwhile) {
  StepContext ctx = context("v1");
  ctx.confirm = [] { return false; };
  const auto set =
      strategy->set(ctx, with_password("second-Password-012345678"), text(original()), nullptr);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().cls, ErrorClass::Conflict);
  EXPECT_EQ(changes(), 0u);
}

TEST_F(ElasticacheUserTest, AWriteThatReplacesWaitsForQuietAndForReaders) {
  EXPECT_TRUE(one_pass());  // put, and then quiet is waited for
  EXPECT_NE(pending_password(), "");
  EXPECT_EQ(changes(), 0u);
  gate_open = false;
  for (int pass = 0; pass < 5; ++pass) one_pass();
  EXPECT_EQ(changes(), 0u);
  gate_open = true;
  run_until_changes(1);
}

TEST_F(ElasticacheUserTest, NoRotationStartsWhileSomebodyMayReadAnotherValue) {
  gate_open = false;
  EXPECT_FALSE(one_pass());
  EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
}

TEST_F(ElasticacheUserTest, NothingIsTakenAwayWhileTheCurrentPasswordDoesNotWork) {
  api.set_passwords("orders-id", {kOld, "somebody-elses-0123456789"});
  const auto retired = strategy->retire(context("v1"), text(original()),
                                        with_password("never-Set-01234567890"), yes);
  ASSERT_FALSE(retired.ok());
  EXPECT_EQ(retired.error().code, "CurrentRefused");
  EXPECT_EQ(retired.error().cls, ErrorClass::Denied);
  EXPECT_EQ(changes(), 0u);
  const auto changed = strategy->retire(context("v1"), with_password("somebody-elses-0123456789"),
                                        text(original()), [] { return false; });
  EXPECT_EQ(changed.error().cls, ErrorClass::Conflict);
  EXPECT_EQ(changes(), 0u);
}

TEST_F(ElasticacheUserTest, RetiringIsDoneWhenItIsSeenToBe) {
  const std::string wanted = "second-Password-012345678";
  api.set_passwords("orders-id", {wanted, kOld});
  const auto retire = [&] {
    return strategy->retire(context("v1"), text(original()), with_password(wanted), yes);
  };
  const auto sent = retire();
  ASSERT_FALSE(sent.ok());
  EXPECT_EQ(sent.error().code, "UserBeingChanged");
  ASSERT_TRUE(sent.error().retry_after.has_value());
  EXPECT_FALSE(retire().ok());  // and is not sent again meanwhile
  EXPECT_EQ(changes(), 1u);
  clock.advance(Duration(60'000));
  EXPECT_TRUE(retire().ok());
  EXPECT_EQ(passwords(), std::vector<std::string>{wanted});
  api.remove_user("orders-id");
  EXPECT_TRUE(retire().ok());
}

TEST_F(ElasticacheUserTest, ARollbackCarriesTheOldPasswordAndSetsNothing) {
  gate_open = false;
  run();
  gate_open = true;
  ASSERT_FALSE(moved());
  run_until_changes(1);
  for (int pass = 0; pass < 20 && !moved(); ++pass) one_pass();
  ASSERT_TRUE(moved());
  const auto carried = strategy->carry(text(original()), text(current()));
  ASSERT_TRUE(carried.ok());
  EXPECT_EQ(json_of(*carried).at("password"), kOld);
  EXPECT_TRUE(strategy->same_credential(*carried, text(original())));
  EXPECT_FALSE(strategy->same_credential(*carried, text(current())));
  json none = original();
  none.erase("password");
  EXPECT_EQ(strategy->carry(text(none), text(current())).error().code, "NothingToRollBack");
}

TEST_F(ElasticacheUserTest, WhatCannotWorkSaysWhy) {
  const auto with = [&](const char* field, const std::string& value) {
    json changed = original();
    changed[field] = value;
    store(changed);
  };
  with("username", "billing");
  EXPECT_EQ(refusal_of_create(), "Contradiction");
  with("user_arn", "arn:aws:elasticache:us-east-1:123456789012:user:orders-id");
  EXPECT_EQ(refusal_of_create(), "Contradiction");
  with("user_arn", "arn:aws:elasticache:eu-west-1:123456789012:cluster:orders");
  EXPECT_EQ(refusal_of_create(), "BadField");
  with("replicationGroupId", "other-cache");
  EXPECT_EQ(refusal_of_create(), "NoCache");
  api.create_group({.id = "other-cache", .shards = 0, .endpoints = {"x.internal:6379"}});
  EXPECT_EQ(refusal_of_create(), "UserNotInGroup");
  api.create_group({.id = "shop-cache", .shards = 0, .tls = false, .endpoints = {"x.internal:1"}});
  store(original());
  EXPECT_EQ(refusal_of_create(), "NoTls");
  api.set_authentication("orders-id", "iam");
  EXPECT_EQ(refusal_of_create(), "NotAPasswordUser");
  api.remove_user("orders-id");
  EXPECT_EQ(refusal_of_create(), "UserNotFound");
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(ElasticacheUserTest, WhatStandsInTheFieldOfTheNameIsNotTold) {
  json changed = original();
  changed["username"] = "a-password-in-the-wrong-field";
  store(changed);
  const auto made = strategy->create(context("v1"), text(current()));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().describe().find("a-password"), std::string::npos);
  EXPECT_NE(made.error().describe().find("orders"), std::string::npos) << "the right name is";
}

TEST_F(ElasticacheUserTest, TheRulesAreAskedBeforeAnythingIsSent) {
  guard->denies = "resource arn:aws:elasticache:eu-west-1:123456789012:user:";
  EXPECT_EQ(refusal_of_create(), "NoAccessRule");
  EXPECT_EQ(client.asked.size(), 0u);
  guard->denies = "resource arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:shop-cache";
  EXPECT_EQ(refusal_of_create(), "NoAccessRule");
  EXPECT_EQ(client.asked, (std::vector<std::string>{"DescribeUsers orders-id",
                                                    "DescribeUserGroups shop-cache-users"}));
  guard->denies = "backend two.cache.internal:6380";
  EXPECT_EQ(refusal_of_create(), "NoAccessRule");
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(ElasticacheUserTest, AnEndpointOfTheOptionsAsksAWSForNone) {
  options = {{"endpoint", "Cache.internal:6379"}, {"passwordLength", 16}};
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(current().at("password").get<std::string>().size(), 16u);
  EXPECT_EQ(std::set<std::string>(log.begin(), log.end()),
            std::set<std::string>{"cache.internal:6379 orders"});
  const auto refs = strategy->references(text(current()));
  ASSERT_TRUE(refs.ok());
  EXPECT_EQ(refs->hosts, std::vector<std::string>{"cache.internal:6379"});
  EXPECT_EQ(refs->resources, std::vector<std::string>{original().at("user_arn")});
}

TEST_F(ElasticacheUserTest, AGroupInClusterModeIsTriedAtItsConfigurationEndpoint) {
  api.create_group({.id = "shop-cache",
                    .shards = 0,
                    .cluster_mode = true,
                    .endpoints = {"config.internal:6379", "unused.internal:6379"}});
  const TestResult test = strategy->test(context("v1"), text(original()));
  EXPECT_EQ(test.verdict, Verdict::Accepted) << test.detail;
  EXPECT_EQ(log, std::vector<std::string>{"config.internal:6379 orders"});
}

TEST_F(ElasticacheUserTest, WhereTheCachesAreIsRememberedAndTheRulesAreAskedAllTheSame) {
  reference_memory = std::make_shared<ReferenceMemory>();
  use(options);
  ASSERT_EQ(strategy->test(context("v1"), text(original())).verdict, Verdict::Accepted);
  const std::size_t asked = client.asked.size();
  use(options);
  guard->denies = "backend one.cache";
  EXPECT_EQ(strategy->test(context("v1"), text(original())).verdict, Verdict::Unknown);
  guard->denies.clear();
  EXPECT_EQ(strategy->test(context("v1"), text(original())).verdict, Verdict::Accepted);
  EXPECT_EQ(client.asked.size(), asked + 2);  // the user alone
}

TEST_F(ElasticacheUserTest, OptionsAreChecked) {
  for (const json& bad : {json{{"replicationGroupId", "a_b"}}, json{{"endpoint", "cache.internal"}},
                          json{{"endpoint", "redis://x:1"}}, json{{"passwordLength", 15}},
                          json{{"replicationGroupId", "a"}, {"endpoint", "x:1"}}}) {
    EXPECT_FALSE(make_strategy("elasticacheUser", bad.dump()).ok()) << bad;
  }
  json both = original();
  both["endpoint"] = "x.internal:6379";
  options = {{"replicationGroupId", "shop-cache"}};
  use(options);
  EXPECT_EQ(strategy->recognise(text(both)).error().code, "Contradiction");
}

}  // namespace
}  // namespace keyturn::engine
