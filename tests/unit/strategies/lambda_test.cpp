#include "lib/engine/strategies/lambda.h"

#include <gtest/gtest.h>

#include "lib/engine/labels.h"
#include "lib/engine/strategies/registry.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::engine {
namespace {

struct Delegating {
  Delegating() : secrets(clock) {
    arn = secrets.add_secret("shop/orders", "value");
    first = secrets.holder(arn, "AWSCURRENT");
    StrategyDeps deps;
    deps.secrets = &secrets;
    strategy = std::move(make_strategy("lambda", "{}", deps)).value();
    ctx = {.arn = arn,
           .version_id = successor_id(arn, first, ""),
           .clock = &clock,
           .deadline = clock.mono() + Duration(30'000)};
  }
  std::string pending() const { return secrets.holder(arn, "AWSPENDING"); }

  testing::FakeClock clock;
  testing::FakeSecretsManager secrets;
  std::unique_ptr<Strategy> strategy;
  std::string arn, first;
  StepContext ctx;
};

TEST(LambdaStrategy, AsksAwsForTheVersionThatEverybodyComputes) {
  Delegating d;
  ASSERT_TRUE(d.strategy->hand_over(d.ctx).ok());
  EXPECT_EQ(d.pending(), d.ctx.version_id);
  EXPECT_EQ(d.strategy->traits().backend, Backend::Delegated);
}

// On an older view: the rotation is under way, or over. A second one is never begun.
TEST(LambdaStrategy, TwoWhoAskMakeOneVersion) {
  Delegating d;
  ASSERT_TRUE(d.strategy->hand_over(d.ctx).ok());
  EXPECT_EQ(d.strategy->hand_over(d.ctx).error().cls, ErrorClass::Conflict);
  d.secrets.move_label(d.arn, "AWSCURRENT", d.ctx.version_id);
  d.secrets.move_label(d.arn, "AWSPENDING", "");
  EXPECT_EQ(d.strategy->hand_over(d.ctx).error().cls, ErrorClass::Conflict);
  EXPECT_EQ(d.pending(), "");
}

// Cancelled, and the label taken away: the id is known to AWS, which would not begin with it anew.
TEST(LambdaStrategy, AnAttemptThatWasGivenUpDoesNotBlockTheNext) {
  Delegating d;
  ASSERT_TRUE(d.strategy->hand_over(d.ctx).ok());
  d.secrets.move_label(d.arn, "AWSPENDING", "");
  ASSERT_TRUE(d.strategy->hand_over(d.ctx).ok());
  EXPECT_EQ(d.pending(), successor_id(d.arn, d.ctx.version_id, ""));
  d.secrets.move_label(d.arn, "AWSPENDING", "");
  ASSERT_TRUE(d.strategy->hand_over(d.ctx).ok());
  EXPECT_NE(d.pending(), d.ctx.version_id);
}

TEST(LambdaStrategy, AViewThatIsTooOldIsNotActedOn) {
  Delegating d;
  d.clock.advance(Duration(30'001));
  EXPECT_EQ(d.strategy->hand_over(d.ctx).error().code, "ViewTooOld");
  EXPECT_EQ(d.pending(), "");
}

TEST(LambdaStrategy, MakesNothingItself) {
  Delegating d;
  EXPECT_TRUE(d.strategy->recognise(SecretString("anything")).ok());
  EXPECT_EQ(d.strategy->create(d.ctx, SecretString("x")).error().code, "Delegated");
  EXPECT_EQ(d.strategy->carry(SecretString("x"), SecretString("y")).error().code, "Delegated");
  EXPECT_EQ(make_strategy("lambda", R"({"functionArn": "x"})").error().code, "InvalidStrategy");
  const auto alone = make_strategy("lambda", "{}");
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ((*alone)->hand_over(d.ctx).error().code, "NoBackendAccess");
}

}  // namespace
}  // namespace keyturn::engine
