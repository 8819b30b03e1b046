// What the CDK example's rotation function for AUTH tokens does wrong, each as a test that its
// order of steps fails: it logs the token, draws characters that ElastiCache refuses, waits only
// before ROTATE, tests at once, calls DELETE on an error and swallows it, and runs SET before
// AWSCURRENT moves and before it looks whether that was done.
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/strategies/elasticache_token_fixture.h"

namespace keyturn::engine {
namespace {

class ElasticacheTokenWeaknesses : public ElasticacheTokenTest {
 protected:
  bool forget_later = false;
};

TEST_F(ElasticacheTokenWeaknesses, NoTokenHoldsWhatElastiCacheRefuses) {
  for (int i = 0; i < 500; ++i) {
    const auto made = strategy->create(context("v1"), SecretString(kOld));
    ASSERT_TRUE(made.ok()) << made.error().describe();
    const std::string token(made->reveal());
    ASSERT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789!&#$^<>-"),
              std::string::npos)
        << token;
    ASSERT_TRUE(token.size() >= 16 && token.size() <= 128);
  }
}

TEST_F(ElasticacheTokenWeaknesses, TheTestWaitsUntilRotateHasTakenEffect) {
  run_until_sent("ROTATE");
  const std::size_t logins = log.size();
  clock.advance(Duration(30'000));
  EXPECT_TRUE(one_pass());
  EXPECT_EQ(log.size(), logins) << "a login while the group is being changed tells nothing";
  EXPECT_FALSE(moved());
  run();
  EXPECT_TRUE(moved()) << last;
}

TEST_F(ElasticacheTokenWeaknesses, ATokenThatAPrimaryRefusesDoesNotBecomeCurrentAndIsTold) {
  says = [](const std::string& host, const std::string& token) -> std::optional<std::string> {
    if (token == kOld || host.starts_with("one")) return std::nullopt;
    return "-WRONGPASS x\r\n-NOAUTH x\r\n";
  };
  for (int pass = 0; pass < 30; ++pass) one_pass();
  EXPECT_FALSE(moved());
  EXPECT_TRUE(takes(kOld));
  EXPECT_NE(last.find("others refuse it"), std::string::npos) << last;
}

TEST_F(ElasticacheTokenWeaknesses, NothingIsDeletedWhateverGoesWrong) {
  says = [](const std::string&, const std::string&) -> std::optional<std::string> {
    return "-ERR broken\r\n-ERR broken\r\n";
  };
  for (int pass = 0; pass < 10; ++pass) one_pass();
  says = [](const std::string&, const std::string& token) -> std::optional<std::string> {
    if (token == kOld) return std::nullopt;
    return "-ERR broken\r\n-ERR broken\r\n";
  };
  for (int pass = 0; pass < 30; ++pass) one_pass();
  EXPECT_FALSE(moved());
  for (const std::string& line : client.asked) EXPECT_FALSE(line.ends_with("DELETE")) << line;
  EXPECT_TRUE(takes(kOld));
}

TEST_F(ElasticacheTokenWeaknesses, SetComesOnlyWhenAWSCURRENTHasMovedAndReadersHave) {
  gate_open = true;
  run_until_sent("ROTATE");
  const long before = sent("SET");
  gate_open = false;  // a reader of the old token is left
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(sent("SET"), before);
  EXPECT_TRUE(takes(kOld));
  gate_open = true;
  run();
  EXPECT_EQ(sent("SET"), before + 1);
  EXPECT_FALSE(takes(kOld));
}

TEST_F(ElasticacheTokenWeaknesses, SetIsNotSentAgainWhenAllIsDone) {
  run();
  const long before = sent("SET");
  forget();
  run();
  EXPECT_EQ(sent("SET"), before);
}

TEST_F(ElasticacheTokenWeaknesses, NoSecondRotateWhoeverDiesAndWheneverAReplyIsLost) {
  for (int n = 0; n < 60; ++n) {
    api.set_tokens(kGroup, {kOld});
    store(kOld);
    memory = std::make_unique<Memory>();
    int request = 0;
    client.fault = [&](const std::string&, When when) -> std::optional<Error> {
      if (when != When::After || request++ != n) return std::nullopt;
      forget_later = true;  // a crash: what this process knew is gone
      return make_error(ErrorClass::Transient, "Timeout", "no answer");
    };
    for (int pass = 0; pass < 120; ++pass) {
      const bool more = one_pass();
      if (std::exchange(forget_later, false)) forget();
      if (!more && moved()) break;
    }
    ASSERT_TRUE(moved()) << n << ": " << last;
    EXPECT_EQ(tokens(), std::vector<std::string>{token_of("AWSCURRENT")}) << n;
    if (request <= n) break;
  }
}

TEST_F(ElasticacheTokenWeaknesses, NoErrorNoteOrEventHoldsAToken) {
  std::string told;
  says = [](const std::string&, const std::string& token) {
    return std::optional<std::string>("-ERR you said " + token + "\r\n");
  };
  for (int pass = 0; pass < 5; ++pass) {
    one_pass();
    told += last;
  }
  says = nullptr;
  run();
  ASSERT_TRUE(moved()) << last;
  for (const std::string& note : notes) told += note;
  EXPECT_EQ(told.find(kOld), std::string::npos) << told;
  EXPECT_EQ(told.find(token_of("AWSCURRENT")), std::string::npos) << told;
}

}  // namespace
}  // namespace keyturn::engine
