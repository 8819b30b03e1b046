#include "controller/cli/secret_errands.h"

#include <gtest/gtest.h>

#include "tests/unit/cli/alone_rig.h"

namespace keyturn::cli {
namespace {

using engine::Step;

class EveryKind : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Secret, EveryKind,
                         ::testing::Values(Kind::Minting, Kind::ForwardOnly, Kind::None));

TEST_P(EveryKind, RotatesToTheEndAndLeavesTheOldCredential) {
  AloneRig rig(GetParam());
  const auto rotated = rotate_alone(*rig.alone, false);
  ASSERT_TRUE(rotated.ok()) << rotated.error().describe();
  EXPECT_EQ(rig.holder("AWSCURRENT"), rotated->version_id);
  EXPECT_EQ(rig.holder("AWSPREVIOUS"), rig.first);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  EXPECT_EQ(rotated->before, rig.first);
  EXPECT_FALSE(rotated->was_under_way);
  EXPECT_TRUE(rig.was_told("Started"));
  EXPECT_TRUE(rig.was_told("Finished"));
  if (GetParam() == Kind::Minting) {
    EXPECT_EQ(rotated->old_credential, rig.first);
    EXPECT_EQ(rig.holder("KEYTURN_BATON"), rig.first);
    EXPECT_TRUE(rig.tokens.accepts("t0"));
  } else {  // there is none that could still be revoked
    EXPECT_EQ(rotated->old_credential, "");
    EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
  }
}

TEST_P(EveryKind, FourStepsDoWhatRotateDoes) {
  AloneRig whole(GetParam()), steps(GetParam());
  ASSERT_TRUE(rotate_alone(*whole.alone, false).ok());
  for (const Step step :
       {Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret}) {
    steps.restart();
    const auto done = step_alone(*steps.alone, step, false);
    ASSERT_TRUE(done.ok()) << to_string(step) << ": " << done.error().describe();
    EXPECT_EQ(done->version_id, whole.holder("AWSCURRENT"));
    const bool moved = steps.holder("AWSCURRENT") != steps.first;
    EXPECT_EQ(moved, step == Step::FinishSecret) << to_string(step);
  }
  EXPECT_EQ(whole.secrets.stages(whole.arn), steps.secrets.stages(steps.arn));
  EXPECT_EQ(whole.credential(), steps.credential());
}

TEST_P(EveryKind, AStepThatIsDoneIsSuccessAndOneOutOfTurnSaysWhatComesNext) {
  AloneRig rig(GetParam());
  const auto early = step_alone(*rig.alone, Step::FinishSecret, false);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, "NotItsTurn");
  EXPECT_NE(early.error().message.find("createSecret"), std::string::npos);
  for (int again = 0; again < 2; ++again)
    ASSERT_TRUE(step_alone(*rig.alone, Step::CreateSecret, false).ok());
  for (int again = 0; again < 2; ++again)
    ASSERT_TRUE(step_alone(*rig.alone, Step::SetSecret, false).ok());
  for (int again = 0; again < 2; ++again)
    ASSERT_TRUE(step_alone(*rig.alone, Step::FinishSecret, false).ok());
  EXPECT_EQ(step_alone(*rig.alone, Step::SetSecret, false).error().code, "NotItsTurn");
}

// The process dies at its n-th request to Secrets Manager, before or after it was carried out; the
// same command again makes no second version.
TEST_P(EveryKind, RunAgainAfterADeathAtAnyRequestThereIsOneNewVersion) {
  struct Death {};
  for (const auto when :
       {testing::FakeSecretsManager::When::Before, testing::FakeSecretsManager::When::After}) {
    for (int n = 1;; ++n) {
      AloneRig rig(GetParam());
      int seen = 0;
      rig.secrets.set_fault([&](const auto&, auto at) -> std::optional<Error> {
        if (at == when && ++seen == n) throw Death();
        return std::nullopt;
      });
      bool died = false;
      try {
        ASSERT_TRUE(rotate_alone(*rig.alone, false).ok());
      } catch (const Death&) {
        died = true;
      }
      rig.secrets.set_fault({});
      rig.restart();
      const auto rotated = rotate_alone(*rig.alone, false);
      const std::string version = engine::successor_id(rig.arn, rig.first, "");
      EXPECT_EQ(rig.holder("AWSCURRENT"), version) << n;
      EXPECT_EQ(rig.holder("AWSPENDING"), "") << n;
      EXPECT_EQ(rotated.ok() ? "" : rotated.error().code, rotated.ok() ? "" : "MinRotationInterval")
          << n;
      if (!died) break;
    }
  }
}

TEST(Secret, TwoRotationsLieAFloorApartUnlessForced) {
  AloneRig rig(Kind::None);
  ASSERT_TRUE(rotate_alone(*rig.alone, false).ok());
  const auto soon = rotate_alone(*rig.alone, false);
  ASSERT_FALSE(soon.ok());
  EXPECT_EQ(soon.error().code, "MinRotationInterval");
  EXPECT_NE(soon.error().message.find("--force"), std::string::npos);
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  rig.fake.advance(kMinRotationInterval);
  ASSERT_TRUE(rotate_alone(*rig.alone, false).ok());
}

TEST(Secret, TheNextRotationRevokesTheOldCredentialFirstAfterQuiet) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  const std::string second = rig.holder("AWSCURRENT");
  const MonoTime before = rig.fake.mono();
  const auto rotated = rotate_alone(*rig.alone, true);
  ASSERT_TRUE(rotated.ok()) << rotated.error().describe();
  EXPECT_FALSE(rig.tokens.accepts("t0"));
  EXPECT_TRUE(rig.was_told("Retired"));
  EXPECT_EQ(rotated->old_credential, second);
  EXPECT_GE(rig.fake.mono() - before, rig.alone->timing.quiet());
}

TEST(Secret, TheVersionThatIsRevokedAtTheStartIsNamedOnceBeforeItIs) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  rig.told.clear();
  bool accepted = false;
  rig.alone->tell = [&](const Progress& progress) {
    rig.told.push_back(progress);
    if (progress.action == "Retire" && progress.event.empty()) accepted = rig.tokens.accepts("t0");
  };
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  const auto notices = std::count_if(rig.told.begin(), rig.told.end(), [&](const auto& p) {
    return p.note.find("version " + rig.first + ", which an earlier rotation replaced") !=
           std::string::npos;
  });
  EXPECT_EQ(notices, 1);
  EXPECT_TRUE(accepted) << "told before it is done";
}

TEST(Secret, ARejectedCredentialIsGivenUpAndToldAsAFailure) {
  AloneRig rig(Kind::Minting);
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (request.starts_with("login") && when == simulation::When::Before) {
      for (const auto& [token, mark] : rig.tokens.tokens())
        if (token != "t0") return rig.tokens.remove(token), std::nullopt;
    }
    return std::nullopt;
  };
  const auto rotated = rotate_alone(*rig.alone, false);
  ASSERT_FALSE(rotated.ok());
  EXPECT_EQ(rotated.error().code, "NotRotated");
  EXPECT_NE(rotated.error().message.find("does not work"), std::string::npos);
  EXPECT_EQ(rig.holder("AWSCURRENT"), rig.first);
  EXPECT_EQ(rig.holder("AWSPENDING"), "");
  EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
}

TEST(Secret, AStepsRejectedTestMovesNothing) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(step_alone(*rig.alone, Step::CreateSecret, false).ok());
  const auto before = rig.secrets.stages(rig.arn);
  for (const auto& [token, mark] : std::map(rig.tokens.tokens()))
    if (token != "t0") rig.tokens.remove(token);
  for (const Step step : {Step::TestSecret, Step::FinishSecret}) {
    const auto tested = step_alone(*rig.alone, step, false);
    ASSERT_FALSE(tested.ok());
    EXPECT_EQ(tested.error().code, "TestRejected");
  }
  EXPECT_EQ(rig.secrets.stages(rig.arn), before);
}

TEST(Secret, RetireRevokesTheOldCredentialAfterQuietAndOnlyThat) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, false).ok());
  const std::string current = rig.credential();
  const MonoTime before = rig.fake.mono();
  const auto retired = retire_alone(*rig.alone);
  ASSERT_TRUE(retired.ok()) << retired.error().describe();
  EXPECT_EQ(retired->version_id, rig.first);
  EXPECT_FALSE(rig.tokens.accepts("t0"));
  EXPECT_TRUE(rig.tokens.accepts(current));
  EXPECT_EQ(rig.holder("KEYTURN_BATON"), "");
  EXPECT_GE(rig.fake.mono() - before, rig.alone->timing.quiet());
  const auto again = retire_alone(*rig.alone);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->version_id, "");
}

TEST(Secret, RetireLeavesAnAttemptUnderWayAlone) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(step_alone(*rig.alone, Step::CreateSecret, false).ok());
  const auto before = rig.secrets.stages(rig.arn);
  const auto retired = retire_alone(*rig.alone);
  ASSERT_FALSE(retired.ok());
  EXPECT_EQ(retired.error().code, "AttemptUnderWay");
  EXPECT_EQ(rig.secrets.stages(rig.arn), before);
}

TEST(Secret, AStopEndsAWaitAndSaysHowToGoOn) {
  AloneRig rig(Kind::Minting);
  ASSERT_TRUE(rotate_alone(*rig.alone, false).ok());
  std::stop_source source;
  rig.alone->stop = source.get_token();
  rig.alone->tell = [&](const Progress& progress) {
    if (progress.action == "Wait") source.request_stop();
  };
  const auto retired = retire_alone(*rig.alone);
  ASSERT_FALSE(retired.ok());
  EXPECT_EQ(retired.error().code, "Stopped");
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.holder("KEYTURN_BATON"), rig.first);
}

TEST(Secret, WhatPassesByItselfIsTriedAgainUntilTheTimeIsOverAndNothingElseIs) {
  AloneRig rig(Kind::None);
  int asked = 0;
  const auto failing = [&](ErrorClass cls, int times) {
    asked = 0;
    return [&asked, cls, times](const auto&, auto when) -> std::optional<Error> {
      if (when != testing::FakeSecretsManager::When::Before || ++asked > times) return std::nullopt;
      return make_error(cls, "Boom", "no answer");
    };
  };
  rig.secrets.set_fault(failing(ErrorClass::Transient, 3));
  EXPECT_TRUE(rotate_alone(*rig.alone, true).ok());
  rig.secrets.set_fault(failing(ErrorClass::Transient, 1'000));
  EXPECT_EQ(rotate_alone(*rig.alone, true).error().code, "TimeLimit");
  rig.secrets.set_fault(failing(ErrorClass::Denied, 1));
  EXPECT_EQ(rotate_alone(*rig.alone, true).error().code, "Boom");
  EXPECT_EQ(asked, 1);
}

TEST(Secret, AStepThatIsAlwaysTooLateEndsAndAHiccupCostsNoWait) {
  AloneRig rig(Kind::Minting);
  int slow = 2;
  rig.secrets.set_fault([&](const auto& call, auto when) -> std::optional<Error> {
    if (call.operation != "GetSecretValue" || when != testing::FakeSecretsManager::When::After ||
        slow == 0)
      return std::nullopt;
    --slow;
    rig.fake.advance(rig.alone->timing.view_age() + Duration(1));
    return std::nullopt;
  });
  const MonoTime before = rig.fake.mono();
  ASSERT_TRUE(rotate_alone(*rig.alone, true).ok());
  EXPECT_EQ(rig.fake.mono() - before, 2 * (rig.alone->timing.view_age() + Duration(1)));

  AloneRig hasty(Kind::Minting);
  hasty.secrets.set_fault([&](const auto& call, auto when) -> std::optional<Error> {
    if (call.operation == "GetSecretValue" && when == testing::FakeSecretsManager::When::After)
      hasty.fake.advance(hasty.alone->timing.view_age() + Duration(1));
    return std::nullopt;
  });
  hasty.alone->time_limit = Duration(86'400'000);
  const auto rotated = rotate_alone(*hasty.alone, true);
  ASSERT_FALSE(rotated.ok());
  EXPECT_EQ(rotated.error().code, engine::kViewTooOld);
  for (const char* word : {"createSecret", "15s", "--request-deadline"})
    EXPECT_NE(rotated.error().message.find(word), std::string::npos) << rotated.error().message;
  EXPECT_FALSE(hasty.has_called("PutSecretValue"));
}

TEST(Secret, AForeignPendingVersionIsLeftAlone) {
  AloneRig rig(Kind::None);
  rig.secrets.put_as_person(rig.arn, "t9;user=shop", "AWSPENDING");
  const auto rotated = rotate_alone(*rig.alone, true);
  ASSERT_FALSE(rotated.ok());
  EXPECT_EQ(rotated.error().code, "ForeignPending");
  EXPECT_FALSE(rig.has_called("PutSecretValue"));
}

}  // namespace
}  // namespace keyturn::cli
