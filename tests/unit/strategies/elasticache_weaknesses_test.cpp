// What aws-samples' ElastiCache user rotation does wrong, each as a test that its order of steps
// fails: no login proves the new password, characters that ElastiCache refuses may slip into it,
// the old one lives until the next rotation, and a worker is held while the user is being changed.
#include <gtest/gtest.h>

#include "lib/engine/strategies/redis_login.h"
#include "tests/unit/strategies/elasticache_fixture.h"

namespace keyturn::engine {
namespace {

class ElasticacheWeaknesses : public ElasticacheTest {
 protected:
  ElasticacheWeaknesses() { store(original()); }
};

TEST_F(ElasticacheWeaknesses, APasswordThatNoCacheTakesDoesNotBecomeCurrent) {
  says = [&](const std::string&, const std::string& password) -> std::optional<std::string> {
    if (password == kOld) return std::nullopt;
    return "-WRONGPASS x\r\n-NOAUTH x\r\n";
  };
  for (int pass = 0; pass < 30; ++pass) one_pass();
  EXPECT_FALSE(moved());
  EXPECT_TRUE(works(kOld));
}

TEST_F(ElasticacheWeaknesses, ACacheThatCannotBeAskedIsNoYesAndNoNo) {
  says = [&](const std::string&, const std::string& password) -> std::optional<std::string> {
    if (password == kOld) return std::nullopt;
    return "-LOADING Redis is loading the dataset in memory\r\n-LOADING x\r\n";
  };
  for (int pass = 0; pass < 30; ++pass) one_pass();
  EXPECT_FALSE(moved());
  EXPECT_NE(secrets.holder(arn, "AWSPENDING"), "") << "given up";
  says = nullptr;
  run();
  EXPECT_TRUE(moved()) << last;
}

TEST_F(ElasticacheWeaknesses, NoPasswordHoldsWhatElastiCacheRefuses) {
  for (int i = 0; i < 500; ++i) {
    const auto made = strategy->create(context("v1"), text(original()));
    ASSERT_TRUE(made.ok()) << made.error().describe();
    const auto password = json_of(*made).at("password").get<std::string>();
    ASSERT_EQ(password.find_first_of(",\"/@ '\\"), std::string::npos) << password;
    ASSERT_GE(password.size(), 16u);
  }
}

TEST_F(ElasticacheWeaknesses, TheOldPasswordIsGoneWhenTheRotationIsOver) {
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(works(kOld));
  EXPECT_EQ(passwords().size(), 1u);
}

TEST_F(ElasticacheWeaknesses, NoWorkerIsHeldWhileTheUserIsBeingChanged) {
  api.set_change_time(Duration(200'000));
  run_until_changes(1);
  const std::size_t asked = client.asked.size();
  const MonoTime before = clock.mono();
  EXPECT_TRUE(one_pass());  // one look, and then something else may be done
  EXPECT_EQ(client.asked.size(), asked + 1);
  EXPECT_LE(clock.mono() - before, Duration(60'000));
  run();
  EXPECT_TRUE(moved()) << last;
}

TEST_F(ElasticacheWeaknesses, NoErrorHoldsAPassword) {
  api.set_passwords("orders-id", {"other-Password-0123456789"});
  says = [](const std::string&, const std::string& password) {
    return std::optional<std::string>("-ERR you said " + password + "\r\n");
  };
  const auto made = strategy->create(context("v1"), text(original()));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().describe().find(kOld), std::string::npos) << made.error().describe();
  EXPECT_NE(made.error().message.find("ERR"), std::string::npos) << made.error().message;
}

TEST(RedisLogin, RepliesAreJudged) {
  const struct {
    const char* replies;
    Verdict verdict;
  } cases[] = {
      {"+OK\r\n+PONG\r\n", Verdict::Accepted},
      {"+OK\r\n-NOPERM this user has no permissions to run the 'ping' command\r\n",
       Verdict::Accepted},
      {"-WRONGPASS invalid username-password pair or user is disabled.\r\n-NOAUTH x\r\n",
       Verdict::Rejected},
      {"-ERR invalid password\r\n-NOAUTH x\r\n", Verdict::Rejected},
      {"-WRONGPASS invalid", Verdict::Unknown},  // cut off
      {"+OK\r\n", Verdict::Unknown},
      {"+OK\r\n-LOADING x\r\n", Verdict::Unknown},
      {"+OK\r\n+OK\r\n", Verdict::Unknown},
      {"-ERR Client sent AUTH, but no password is set\r\n+PONG\r\n", Verdict::Unknown},
      {"-NOAUTH x\r\n+PONG\r\n", Verdict::Unknown},
      {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", Verdict::Unknown},
      {"", Verdict::Unknown},
  };
  for (const auto& one : cases)
    EXPECT_EQ(judge_redis_login(one.replies, "h:1").verdict, one.verdict) << one.replies;
}

}  // namespace
}  // namespace keyturn::engine
