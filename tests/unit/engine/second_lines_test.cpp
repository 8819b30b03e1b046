// The second lines of the label protocol: rules whose loss the exhaustive exploration does not find
// one at a time within its budgets (tests/simulation/explore.cpp, kSecondLines). Each has a test of
// its own here; looking again before a revocation has more in engine_test.cpp, the resourceVersion
// on applies in tests/unit/rotation/target_sync_test.cpp.
#include <gtest/gtest.h>

#include "tests/unit/engine/rig.h"

namespace keyturn::engine {
namespace {

using FakeAws = testing::FakeSecretsManager;
using When = simulation::When;

// Looks as if finishing had been decided: the baton is on the current version, LATEST on one made
// from it. Two changes by a person can make an attempt that was given up look so.
std::string make_decided(Rig& rig, const std::string& credential) {
  const std::string next = successor_id(rig.arn, rig.first, "");
  rig.secrets.edit(rig.arn, [&](FakeAws::Secret& s) {
    s.versions[next] = {.value = credential + ";user=shop"};
    s.metadata.stages[next] = {std::string(kLatest)};
    s.metadata.stages[rig.first].insert(std::string(kBaton));
  });
  rig.rotate = false;
  return next;
}

TEST(SecondLines, NothingBecomesCurrentThatDoesNotWorkNow) {
  Rig rig(Kind::Minting);
  make_decided(rig, "dead");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kCurrent), rig.first);
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_EQ(rig.count(Event::GaveUp), 1);
  EXPECT_EQ(rig.count(Event::Finished), 0);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
}

TEST(SecondLines, TheRetestThatGetsNoAnswerDecidesNothing) {
  Rig rig(Kind::Minting);
  const std::string next = make_decided(rig, "living");
  rig.tokens.add("living");
  bool reachable = false;
  rig.tokens.hook = [&](const std::string& request, When when) -> std::optional<Error> {
    if (reachable || when != When::Before || !request.starts_with("login ")) return std::nullopt;
    return make_error(ErrorClass::Transient, "Timeout", "unreachable");
  };
  EXPECT_FALSE(rig.run(3));
  EXPECT_EQ(rig.holder(kCurrent), rig.first);
  EXPECT_EQ(rig.holder(kBaton), rig.first);
  reachable = true;
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kCurrent), next);
}

// The baton moves by compare-and-swap from the version that was seen to hold it: of two leaders
// with two opinions the later one loses.
TEST(SecondLines, FinishingLosesToAGivingUpThatWasFaster) {
  Rig rig(Kind::Minting);
  rig.adjust = [&](const View&, Situation& s) {
    if (rig.count(Event::Started) > 0) s.permit.clear();
  };
  rig.tokens.hook = [&](const std::string& request, When when) -> std::optional<Error> {
    if (request == "login t1" && when == When::After)
      rig.secrets.move_label(rig.arn, std::string(kBaton), "");  // the other leader gives up
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.count(Event::Decided), 0);
  EXPECT_EQ(rig.holder(kCurrent), rig.first);
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);  // what it minted is revoked
}

TEST(SecondLines, GivingUpLosesToAFinishingThatWasFaster) {
  Rig rig(Kind::Minting);
  bool once = false;
  rig.tokens.hook = [&](const std::string& request, When when) -> std::optional<Error> {
    if (request != "login t1" || when != When::Before || once) return std::nullopt;
    once = true;
    rig.secrets.move_label(rig.arn, std::string(kBaton), rig.first);  // the other leader finishes
    return make_error(ErrorClass::Denied, "No", "wrongly rejected");
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.count(Event::GaveUp), 0);
  EXPECT_EQ(rig.count(Event::Finished), 1);
  EXPECT_EQ(rig.count(Event::Retired), 1);
  EXPECT_TRUE(rig.current_works());
  EXPECT_FALSE(rig.tokens.accepts("t0"));
}

// Where the backend cannot disable, the last look is all there is.
TEST(SecondLines, TheLastLookStopsARevocationThatCannotBeUndone) {
  Rig rig(Kind::Minting);
  bool open = false;
  rig.adjust = [&](const View&, Situation& s) { s.gate_still_open = [&] { return open; }; };
  rig.run(10);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.holder(kBaton), rig.first);
  open = true;
  ASSERT_TRUE(rig.run());
  EXPECT_FALSE(rig.tokens.accepts("t0"));
}

TEST(SecondLines, TheLastLookStopsTheRevocationOfALeftover) {
  Rig rig(Kind::Minting);
  rig.rotate = false;
  ASSERT_TRUE(rig.tokens.mint(rig.arn, "crashed").ok());
  rig.clock.advance(Duration(2 * 3'600'000));
  rig.clean_up = true;
  bool open = false;
  rig.adjust = [&](const View&, Situation& s) { s.gate_still_open = [&] { return open; }; };
  rig.run(5);
  EXPECT_TRUE(rig.tokens.accepts("t1"));
  open = true;
  ASSERT_TRUE(rig.run());
  EXPECT_FALSE(rig.tokens.accepts("t1"));
}

// Found by the simulation. The baton that marks the old credential is lost, and somebody still
// holds that credential: a rotation that started now would leave it behind for ever.
TEST(SecondLines, NoRotationStartsWhileALostRetirementCannotBeMadeUpFor) {
  Rig rig(Kind::Minting);
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  const std::string second = rig.holder(kCurrent);
  rig.secrets.move_label(rig.arn, std::string(kBaton), "");
  rig.retire = true;
  rig.restart();
  bool open = false;
  rig.adjust = [&](const View& view, Situation& s) {
    s.gate_open = open;
    if (view.labels.current == second) s.permit = next_version(view);
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.decision.action, Action::WaitGate);
  EXPECT_EQ(rig.holder(kCurrent), second);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  open = true;
  ASSERT_TRUE(rig.run());
  EXPECT_NE(rig.holder(kCurrent), second);
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
}

// Found by the simulation. The next version is there, but the look that would show its labels is
// old: it did not lose LATEST, and no third version is made beside it.
TEST(SecondLines, NothingIsBuiltOnALookThatIsOlderThanTheVersionThatWasFound) {
  Rig rig(Kind::Minting);
  Pass pass;
  View view = *rig.engine->look(rig.arn);
  const Situation s = rig.judge(view);
  const Decision d = rig.engine->decide(view, s);
  ASSERT_EQ(d.action, Action::Create);
  ASSERT_TRUE(rig.secrets
                  .put_value({.secret_id = rig.arn,
                              .client_request_token = d.version_id,
                              .value = SecretString("theirs;user=shop"),
                              .stages = {"AWSPENDING", "KEYTURN_LATEST", "KEYTURN_BATON"},
                              .rotation_token = "",
                              .not_after = {}})
                  .ok());
  rig.secrets.set_staleness([] { return 1; });
  EXPECT_EQ(rig.engine->perform(view, d, s, pass).kind, StepResult::Kind::After);
  EXPECT_EQ(rig.holder(kBaton), d.version_id);
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
}

}  // namespace
}  // namespace keyturn::engine
