// Forward-only backends, and the Lambda form of the protocol.
#include <gtest/gtest.h>

#include "lib/engine/engine.h"
#include "tests/unit/engine/rig.h"

namespace keyturn::engine {
namespace {

using simulation::credential_of;
using simulation::others_of;

TEST(ForwardOnly, ARejectionAfterSetNeverLosesThePassword) {
  Rig rig(Kind::ForwardOnly);
  bool once = false;
  rig.password.hook = [&](const std::string& request,
                          simulation::When when) -> std::optional<Error> {
    const bool new_one = request.starts_with("login r") && rig.password.accepts(request.substr(6));
    if (!new_one || once || when != simulation::When::Before) return std::nullopt;
    once = true;
    return make_error(ErrorClass::Denied, "No", "wrongly rejected");
  };
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(once);
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(rig.count(Event::Rebased), 1);
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_EQ(rig.holder(kPending), "");
}

TEST(ForwardOnly, AnEditOfOtherFieldsAfterSetGetsTheWorkingPassword) {
  Rig rig(Kind::ForwardOnly);
  bool edited = false;
  rig.password.hook = [&](const std::string& request,
                          simulation::When when) -> std::optional<Error> {
    if (request.starts_with("change") && when == simulation::When::After && !edited) {
      edited = true;
      rig.secrets.put_as_person(rig.arn, "t0;user=edited");
    }
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(edited);
  EXPECT_EQ(others_of(rig.current_value()), "user=edited");
  EXPECT_TRUE(rig.current_works());
}

TEST(ForwardOnly, NoValueThatWorksIsToldAndNothingIsGivenUp) {
  Rig rig(Kind::ForwardOnly);
  rig.password.become("changed by hand");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.last.error.code, "NoWorkingCredential");
  EXPECT_EQ(rig.calls("PutSecretValue"), 0);
}

TEST(ForwardOnly, AVersionMovedBackByHandIsHealedAtTheNextRotation) {
  Rig rig(Kind::ForwardOnly);
  ASSERT_TRUE(rig.run());
  const std::string working = credential_of(rig.current_value());
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);  // a dead password
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.count(Event::Rebased), 1);
  EXPECT_EQ(credential_of(rig.current_value()), working);
  EXPECT_TRUE(rig.current_works());
}

TEST(LambdaForm, FourStepsEachTwice) {
  Rig rig(Kind::Minting);
  rig.rotate = false;
  rig.retire = false;
  rig.secrets.edit(
      rig.arn, [](testing::FakeSecretsManager::Secret& s) { s.metadata.rotation_enabled = true; });
  const std::string token = "11111111-2222-3333-4444-555555555555";
  rig.secrets.add_placeholder(rig.arn, token);
  for (const Step step :
       {Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret}) {
    for (int twice = 0; twice < 2; ++twice) {
      rig.adjust = [&](const View&, Situation& s) {
        s.retire = true;
        s.lambda = LambdaCall{.step = step, .version_id = token, .rotation_token = ""};
      };
      ASSERT_TRUE(rig.run()) << to_string(step);
      EXPECT_EQ(rig.last.kind, StepResult::Kind::Driver) << to_string(step) << rig.last.note;
      EXPECT_NE(rig.decision.action, Action::Refuse) << rig.decision.message;
    }
  }
  EXPECT_EQ(rig.holder(kCurrent), token);
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.holder(kBaton), rig.first);  // retired at the start of the next rotation
  EXPECT_EQ(rig.tokens.tokens().size(), 2u);
}

}  // namespace
}  // namespace keyturn::engine
