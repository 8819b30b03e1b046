// The Lambda form of step_alone(): AWS labels a version AWSPENDING and calls the four steps.
#include <gtest/gtest.h>

#include "controller/cli/secret_errands.h"
#include "tests/unit/cli/alone_rig.h"

namespace keyturn::cli {
namespace {

using engine::Backend;
using engine::Step;

constexpr std::array kSteps{Step::CreateSecret, Step::SetSecret, Step::TestSecret,
                            Step::FinishSecret};
const std::string kFirst = "11111111-2222-4333-8444-555555555555";
const std::string kSecond = "22222222-3333-4444-8555-666666666666";

void enable(AloneRig& rig, bool enabled = true) {
  rig.secrets.edit(rig.arn, [&](testing::FakeSecretsManager::Secret& secret) {
    secret.metadata.rotation_enabled = enabled;
  });
}

// What RotateSecret does before it calls anybody.
void begin(AloneRig& rig, const std::string& version) {
  enable(rig);
  rig.secrets.add_placeholder(rig.arn, version);
}

Result<Stepped> call(AloneRig& rig, Step step, const std::string& version) {
  return step_alone(*rig.alone, {.step = step, .version_id = version, .rotation_token = ""},
                    [](const aws::SecretMetadata&) -> Status { return {}; });
}

// As AWS does it: the whole sequence, up to the first failure.
Status rotate(AloneRig& rig, const std::string& version) {
  for (const Step step : kSteps) {
    rig.restart();
    if (auto done = call(rig, step, version); !done)
      return std::move(done).error().with_context(to_string(step));
  }
  return {};
}

class EveryKindByLambda : public ::testing::TestWithParam<Kind> {
 protected:
  // What AWSCURRENT holds is let in.
  static bool works(const AloneRig& rig) {
    switch (GetParam()) {
      case Kind::Minting:
        return rig.tokens.accepts(rig.credential());
      case Kind::ForwardOnly:
        return rig.password.accepts(rig.credential());
      case Kind::None:
        return true;
    }
    return false;
  }
};
INSTANTIATE_TEST_SUITE_P(Lambda, EveryKindByLambda,
                         ::testing::Values(Kind::Minting, Kind::ForwardOnly, Kind::None));

TEST_P(EveryKindByLambda, FourStepsEachTwiceEndWhereRotateEnds) {
  AloneRig other(GetParam()), rig(GetParam());
  ASSERT_TRUE(rotate_alone(*other.alone, false).ok());
  begin(rig, kFirst);
  for (const Step step : kSteps) {
    for (int again = 0; again < 2; ++again) {
      rig.restart();
      const auto done = call(rig, step, kFirst);
      ASSERT_TRUE(done.ok()) << to_string(step) << ": " << done.error().describe();
      EXPECT_EQ(done->version_id, kFirst);
      EXPECT_NE(done->note, "");
    }
    EXPECT_EQ(rig.holder("AWSCURRENT") == kFirst, step == Step::FinishSecret) << to_string(step);
  }
  for (const char* label :
       {"AWSCURRENT", "AWSPREVIOUS", "AWSPENDING", "KEYTURN_LATEST", "KEYTURN_BATON"}) {
    const std::string there = other.holder(label), here = rig.holder(label);
    EXPECT_EQ(here, there == other.first ? rig.first : there.empty() ? "" : kFirst) << label;
  }
  EXPECT_TRUE(rig.tokens.accepts("t0")) << "until it is retired";
  EXPECT_TRUE(works(rig));
}

// Each step may die at any request, and AWS calls the whole sequence again.
TEST_P(EveryKindByLambda, DiesAtEveryRequestAndEndsAllTheSame) {
  const int deaths = die_at_every_request(
      GetParam(), [](AloneRig& rig) { begin(rig, kFirst); },
      [](AloneRig& rig) {
        const auto done = rotate(rig, kFirst);
        ASSERT_TRUE(done.ok()) << done.error().describe();
      },
      [](AloneRig& rig) {
        EXPECT_EQ(rig.holder("AWSCURRENT"), kFirst);
        EXPECT_EQ(rig.holder("AWSPREVIOUS"), rig.first);
        EXPECT_EQ(rig.holder("AWSPENDING"), "");
        EXPECT_TRUE(works(rig));
        if (GetParam() != Kind::Minting) return;
        rig.fake.advance(Duration(7'200'000));  // what a crash left is old enough
        begin(rig, kSecond);
        ASSERT_TRUE(rotate(rig, kSecond).ok());
        EXPECT_EQ(rig.tokens.tokens().size(), 2u);
        EXPECT_FALSE(rig.tokens.accepts("t0"));
        EXPECT_EQ(rig.holder("KEYTURN_BATON"), kFirst);
      });
  EXPECT_GT(deaths, 15);
}

TEST(LambdaStep, TheNextRotationRevokesFirstAfterQuiet) {
  AloneRig rig(Kind::Minting);
  begin(rig, kFirst);
  ASSERT_TRUE(rotate(rig, kFirst).ok());
  begin(rig, kSecond);
  const MonoTime before = rig.fake.mono();
  ASSERT_TRUE(call(rig, Step::CreateSecret, kSecond).ok());
  EXPECT_FALSE(rig.tokens.accepts("t0"));
  EXPECT_GE(rig.fake.mono() - before, rig.alone->timing.quiet());
}

// A function whose time is over before quiet is called again; while its process lives, the time
// that has passed counts.
TEST(LambdaStep, QuietThatBeganInOneCallEndsInAnother) {
  AloneRig rig(Kind::Minting);
  begin(rig, kFirst);
  ASSERT_TRUE(rotate(rig, kFirst).ok());
  begin(rig, kSecond);
  rig.alone->time_limit = Duration(5'000);
  const auto memory = rig.alone->memory;
  const auto done = call(rig, Step::CreateSecret, kSecond);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, "TimeLimit");
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  rig.fake.advance(rig.alone->timing.quiet());
  rig.restart();
  rig.alone->time_limit = Duration(5'000);
  rig.alone->memory = memory;
  ASSERT_TRUE(call(rig, Step::CreateSecret, kSecond).ok());
  EXPECT_FALSE(rig.tokens.accepts("t0"));
}

TEST(LambdaStep, WhatIsNotListedIsNotTouched) {
  AloneRig rig(Kind::Minting);
  begin(rig, kFirst);
  const auto done = step_alone(*rig.alone, {.step = Step::CreateSecret, .version_id = kFirst},
                               [](const aws::SecretMetadata& secret) -> Status {
                                 return invalid("SecretNotListed", secret.name);
                               });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, "SecretNotListed");
  EXPECT_EQ(done.error().message, "shop/orders");
  EXPECT_FALSE(rig.has_called("PutSecretValue"));
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
}

TEST(LambdaStep, GuardsOfTheOriginals) {
  AloneRig rig(Kind::Minting);
  begin(rig, kFirst);
  EXPECT_EQ(call(rig, Step::CreateSecret, kSecond).error().code, "NotPending");
  EXPECT_EQ(call(rig, Step::FinishSecret, kFirst).error().code, "NotCreated");
  enable(rig, false);
  EXPECT_EQ(call(rig, Step::CreateSecret, kFirst).error().code, "RotationNotEnabled");
  EXPECT_FALSE(rig.has_called("PutSecretValue"));
}

// A rejected test gives nothing up and swallows nothing: AWS is told, and calls again.
TEST(LambdaStep, ARejectedTestIsAnErrorEachTime) {
  AloneRig rig(Kind::Minting);
  begin(rig, kFirst);
  ASSERT_TRUE(call(rig, Step::CreateSecret, kFirst).ok());
  for (const auto& [token, mark] : std::map(rig.tokens.tokens()))
    if (token != "t0") rig.tokens.remove(token);
  const auto before = rig.secrets.stages(rig.arn);
  for (const Step step : {Step::TestSecret, Step::FinishSecret}) {
    const auto done = call(rig, step, kFirst);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, "TestRejected");
  }
  EXPECT_EQ(rig.secrets.stages(rig.arn), before);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
}

// RotateImmediately=false: testSecret alone, on a version of AWS's making.
TEST(LambdaStep, ATestAloneTestsWhatIsThere) {
  AloneRig rig(Kind::Minting);
  enable(rig);
  const std::string version = rig.secrets.put_as_person(rig.arn, "t0;user=shop", "AWSPENDING");
  EXPECT_TRUE(call(rig, Step::TestSecret, version).ok());
  const std::string dead = rig.secrets.put_as_person(rig.arn, "t9;user=shop", "AWSPENDING");
  EXPECT_EQ(call(rig, Step::TestSecret, dead).error().code, "TestRejected");
  EXPECT_EQ(call(rig, Step::SetSecret, dead).error().code, "NotCreated");
}

// Cancelled after setSecret, and the label taken away as AWS asks for: the backend holds a password
// that only KEYTURN_LATEST marks. The next rotation carries it on, instead of putting a new value
// over the last label.
TEST(LambdaStep, ForwardOnlyACancelledAttemptsPasswordIsNotLost) {
  AloneRig rig(Kind::ForwardOnly);
  begin(rig, kFirst);
  ASSERT_TRUE(call(rig, Step::CreateSecret, kFirst).ok());
  ASSERT_TRUE(call(rig, Step::SetSecret, kFirst).ok());
  ASSERT_FALSE(rig.password.accepts("t0"));
  rig.secrets.move_label(rig.arn, "AWSPENDING", "");
  begin(rig, kSecond);
  const auto done = rotate(rig, kSecond);
  ASSERT_TRUE(done.ok()) << done.error().describe();
  EXPECT_EQ(rig.holder("AWSCURRENT"), kSecond);
  EXPECT_TRUE(rig.password.accepts(rig.credential()));
}

// A put that was planned before rotation was switched on may still land: only after quiet is the
// password changed.
TEST(LambdaStep, ForwardOnlySetsAfterQuiet) {
  AloneRig rig(Kind::ForwardOnly);
  begin(rig, kFirst);
  ASSERT_TRUE(call(rig, Step::CreateSecret, kFirst).ok());
  const MonoTime put = rig.fake.mono();
  ASSERT_TRUE(call(rig, Step::SetSecret, kFirst).ok());
  EXPECT_GE(rig.fake.mono() - put, rig.alone->timing.quiet());
}

TEST(LambdaStep, WithoutABackendAnothersBatonIsLeftAlone) {
  AloneRig rig(Kind::None);
  rig.secrets.put_as_person(rig.arn, "t1;user=shop");
  rig.secrets.move_label(rig.arn, "KEYTURN_BATON", rig.first);
  begin(rig, kFirst);
  EXPECT_EQ(call(rig, Step::CreateSecret, kFirst).error().code, "OtherStrategyUnderWay");
  EXPECT_EQ(rig.holder("KEYTURN_BATON"), rig.first);
}

// --- the command line before, between and after ---

TEST_P(EveryKindByLambda, WhatACommandBeganAwsMayFinish) {
  AloneRig rig(GetParam());
  const auto begun = step_alone(*rig.alone, Step::CreateSecret, false);
  ASSERT_TRUE(begun.ok());
  enable(rig);  // RotateSecret: "That rotation will be reattempted."
  ASSERT_TRUE(rotate(rig, begun->version_id).ok());
  EXPECT_EQ(rig.holder("AWSCURRENT"), begun->version_id);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
}

// After any number of AWS's steps the rotation is cancelled, and a person rotates.
TEST_P(EveryKindByLambda, WhatAwsBeganACommandEnds) {
  for (std::size_t steps = 0; steps <= kSteps.size(); ++steps) {
    AloneRig rig(GetParam());
    begin(rig, kFirst);
    for (std::size_t i = 0; i < steps; ++i) ASSERT_TRUE(call(rig, kSteps[i], kFirst).ok());
    enable(rig, false);
    rig.restart();
    const auto rotated = rotate_alone(*rig.alone, true);
    ASSERT_TRUE(rotated.ok()) << steps << rotated.error().describe();
    EXPECT_EQ(rig.holder("AWSPENDING"), "") << steps;
    EXPECT_EQ(rig.holder("AWSCURRENT"), rig.holder("KEYTURN_LATEST")) << steps;
    EXPECT_TRUE(works(rig)) << steps;
    if (GetParam() != Kind::Minting) continue;
    ASSERT_TRUE(retire_alone(*rig.alone).ok()) << steps;
    EXPECT_EQ(rig.tokens.tokens().size(), 1u) << steps;
  }
}

}  // namespace
}  // namespace keyturn::cli
