// elasticacheAuthToken: the strategy alone and the engine around it.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/strategies/elasticache_token_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

using ElasticacheAuthTokenTest = ElasticacheTokenTest;

TEST_F(ElasticacheAuthTokenTest, OldAndNewLiveSideBySideUntilTheGateOpensAndThenTheOldOneGoes) {
  gate_still_open = [this] {
    EXPECT_TRUE(takes(kOld) && takes(token_of("AWSCURRENT")));
    return true;
  };
  run();
  ASSERT_TRUE(moved()) << last;
  const std::string now = token_of("AWSCURRENT");
  EXPECT_EQ(tokens(), std::vector<std::string>{now});
  EXPECT_EQ(now.size(), 64u);
  EXPECT_EQ(sent("ROTATE"), 1);
  EXPECT_EQ(sent("SET"), 2);
  EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
  EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
  EXPECT_EQ(events.back(), "Retired");
  for (const char* host : {"one.cache.internal:6379 ", "two.cache.internal:6380 "})
    EXPECT_NE(std::find(log.begin(), log.end(), host + now), log.end()) << host;
  EXPECT_EQ(std::count(guard->asked.begin(), guard->asked.end(),
                       "resource arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:"
                       "shop-cache"),
            std::count_if(client.asked.begin(), client.asked.end(), [](const std::string& line) {
              return line.starts_with("DescribeReplicationGroups");
            }));
}

TEST_F(ElasticacheAuthTokenTest, ATokenInsideAnObjectLeavesTheRestAsItIs) {
  options["pointer"] = "/token";
  store(R"({"host": "cache",  "token":"first-token-0123456789", "port":6379.0})");
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(
      *secrets.value_at(arn, "AWSCURRENT"),
      "{\"host\": \"cache\",  \"token\":\"" + token_of("AWSCURRENT") + "\", \"port\":6379.0}");
  EXPECT_EQ(tokens(), std::vector<std::string>{token_of("AWSCURRENT")});
}

TEST_F(ElasticacheAuthTokenTest, TheNextRotationFindsOneToken) {
  run();
  const std::string second = token_of("AWSCURRENT");
  first = secrets.holder(arn, "AWSCURRENT");
  forget();
  run();
  EXPECT_NE(token_of("AWSCURRENT"), second);
  EXPECT_EQ(tokens(), std::vector<std::string>{token_of("AWSCURRENT")});
  EXPECT_EQ(sent("ROTATE"), 2);
}

TEST_F(ElasticacheAuthTokenTest, ANewTokenThatIsTakenAlreadyIsNotRotatedAgain) {
  run_until_sent("SET");
  for (int pass = 0; pass < 30 && secrets.holder(arn, "AWSPENDING").empty(); ++pass) one_pass();
  api.set_tokens(kGroup, {kOld, token_of("AWSPENDING")});
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(sent("ROTATE"), 0);
}

TEST_F(ElasticacheAuthTokenTest, ALostReplyOfRotateIsSettledByALogin) {
  client.fault = [](const std::string& line, When when) -> std::optional<Error> {
    if (!line.ends_with("ROTATE") || when != When::After) return std::nullopt;
    return make_error(ErrorClass::Transient, "Timeout", "no answer");
  };
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(sent("ROTATE"), 1);
}

TEST_F(ElasticacheAuthTokenTest, ARotateThatNeverArrivedGivesTheAttemptUpAndIsNotSentAgainForIt) {
  bool failed = false;
  client.fault = [&](const std::string& line, When) -> std::optional<Error> {
    if (!line.ends_with("ROTATE") || failed) return std::nullopt;
    failed = true;
    return make_error(ErrorClass::Transient, "Connect", "not sent");
  };
  run();
  ASSERT_TRUE(moved()) << last;  // by the attempt after it
  EXPECT_EQ(sent("ROTATE"), 2);
  EXPECT_EQ(tokens(), std::vector<std::string>{token_of("AWSCURRENT")});
}

TEST_F(ElasticacheAuthTokenTest, NothingCountsWhileTheGroupIsBeingChangedAndNobodyWaits) {
  run_until_sent("ROTATE");
  const MonoTime before = clock.mono();
  const TestResult test = strategy->test(context("v1"), SecretString(token_of("AWSPENDING")));
  EXPECT_EQ(test.verdict, Verdict::Unknown);
  ASSERT_TRUE(test.cause.has_value());
  EXPECT_EQ(test.cause->code, "BeingChanged");
  EXPECT_TRUE(test.cause->retry_after.has_value());
  const Status set = strategy->retire(context("v1"), SecretString(kOld), SecretString(kOld), &yes);
  EXPECT_EQ(set.error().code, "BeingChanged");
  EXPECT_EQ(clock.mono(), before);
  EXPECT_EQ(sent("SET"), 1);
}

TEST_F(ElasticacheAuthTokenTest, EveryPrimaryCounts) {
  const SecretString token(kOld);
  EXPECT_EQ(strategy->test(context("v1"), token).verdict, Verdict::Accepted);
  EXPECT_EQ(strategy->test(context("v1"), SecretString("another-token-01234")).verdict,
            Verdict::Rejected);
  says = [](const std::string& host, const std::string&) -> std::optional<std::string> {
    if (host.starts_with("one")) return std::nullopt;
    return "-WRONGPASS x\r\n-NOAUTH x\r\n";
  };
  EXPECT_EQ(strategy->test(context("v1"), token).verdict, Verdict::Unknown);
  says = [](const std::string& host, const std::string&) -> std::optional<std::string> {
    if (host.starts_with("one")) return std::nullopt;
    return "-LOADING x\r\n-LOADING x\r\n";
  };
  EXPECT_EQ(strategy->test(context("v1"), token).verdict, Verdict::Unknown);
}

TEST_F(ElasticacheAuthTokenTest, ARefusalWhileAChangeBeganIsNoAnswer) {
  says = [this](const std::string&, const std::string&) -> std::optional<std::string> {
    const SecretString token("somebody-elses-token");
    (void)client.update_token(kGroup, aws::Elasticache::TokenUpdate::Rotate, token, MonoTime());
    return "-WRONGPASS x\r\n-NOAUTH x\r\n";
  };
  EXPECT_EQ(strategy->test(context("v1"), SecretString(kOld)).verdict, Verdict::Unknown);
}

TEST_F(ElasticacheAuthTokenTest, SetIsRefusedWhereAnotherWasRotatedLater) {
  api.set_tokens(kGroup, {kOld, "newer-token-0123456"});
  const Status set = strategy->retire(context("v1"), SecretString(kOld), SecretString(kOld), &yes);
  EXPECT_EQ(set.error().code, kNotNewest);
  run();
  EXPECT_EQ(refused, "UnknownToken");
  EXPECT_EQ(sent("ROTATE"), 0);
}

TEST_F(ElasticacheAuthTokenTest, SetLooksAgainDirectlyBefore) {
  const Status set =
      strategy->retire(context("v1"), SecretString(kOld), SecretString(kOld), [] { return false; });
  EXPECT_EQ(set.error().cls, ErrorClass::Conflict);
  EXPECT_EQ(sent("SET"), 0);
}

TEST_F(ElasticacheAuthTokenTest, AGroupThatItCannotWorkForIsRefused) {
  create({.id = kGroup, .tls = false, .tokens = {kOld}});
  EXPECT_EQ(stalls(), "NoTls");
  create({.id = kGroup, .users = false});
  EXPECT_EQ(stalls(), "NoAuthToken");
  create({.id = kGroup});
  EXPECT_EQ(stalls(), "HasUserGroups");
  options["replicationGroupId"] = "nowhere";
  use(options);
  EXPECT_EQ(stalls(), "NoCache");
}

TEST_F(ElasticacheAuthTokenTest, NothingIsSentBeforeARuleAllowsIt) {
  guard->denies = "resource ";
  EXPECT_EQ(stalls(), "NoAccessRule");
  EXPECT_TRUE(log.empty());
  guard->denies = "backend two.cache";
  EXPECT_EQ(stalls(), "NoAccessRule");
  EXPECT_TRUE(log.empty());
}

TEST_F(ElasticacheAuthTokenTest, ValuesThatHoldNoToken) {
  const auto why = [&](const std::string& value) {
    const Status known = strategy->recognise(SecretString(value));
    return known.ok() ? "" : known.error().code;
  };
  EXPECT_EQ(why(kOld), "");
  EXPECT_EQ(why("any/printable@%sign16"), "");  // ModifyReplicationGroup may have taken it
  EXPECT_EQ(why(""), "NoValueYet");
  EXPECT_EQ(why("fifteen-chars-0"), "BadToken");
  EXPECT_EQ(why("with a space-0123456"), "BadToken");
  EXPECT_EQ(why("with-a-newline-012345\n"), "BadToken");
  EXPECT_EQ(why(std::string(129, 'x')), "BadToken");
  EXPECT_EQ(why(R"({"token":"first-token-0123456789"})"), "ObjectNeedsPointer");
  options["pointer"] = "/token";
  use(options);
  EXPECT_EQ(why(R"({"token":"first-token-0123456789"})"), "");
  EXPECT_EQ(why(kOld), "NotAnObject");
  EXPECT_EQ(why(R"({"other":"first-token-0123456789"})"), "NoSuchField");
  EXPECT_EQ(strategy->test(context("v1"), SecretString("no")).verdict, Verdict::Rejected);
}

TEST_F(ElasticacheAuthTokenTest, Options) {
  const auto why = [](const char* text) {
    const auto made = make_strategy("elasticacheAuthToken", text);
    return made.ok() ? "" : made.error().message;
  };
  EXPECT_EQ(why(R"({"replicationGroupId":"shop-cache"})"), "");
  EXPECT_EQ(why(R"({"replicationGroupId":"shop-cache","pointer":"/a/b"})"), "");
  EXPECT_NE(why("{}").find("replicationGroupId: is needed"), std::string::npos);
  EXPECT_NE(why(R"({"replicationGroupId":"shop/cache"})").find("id of a replication group"),
            std::string::npos);
  EXPECT_NE(why(R"({"replicationGroupId":"c","pointer":"token"})").find("pointer"),
            std::string::npos);
  EXPECT_NE(why(R"({"replicationGroupId":"c","field":"token"})"), "");
}

TEST_F(ElasticacheAuthTokenTest, CannotRollBack) {
  EXPECT_FALSE(strategy->traits().can_rollback);
  EXPECT_TRUE(strategy->traits().can_revoke);
}

TEST_F(ElasticacheAuthTokenTest, ComparesAndCarriesTheTokenAlone) {
  options["pointer"] = "/token";
  use(options);
  const json a = {{"token", kOld}, {"note", 1}}, b = {{"token", kOld}, {"note", 2}},
             c = {{"token", "another-token-01234"}, {"note", 2}};
  EXPECT_TRUE(strategy->same_credential(text(a), text(b)));
  EXPECT_FALSE(strategy->same_credential(text(b), text(c)));
  EXPECT_EQ(json_of(*strategy->carry(text(c), text(a))),
            json({{"token", "another-token-01234"}, {"note", 1}}));
}

}  // namespace
}  // namespace keyturn::engine
