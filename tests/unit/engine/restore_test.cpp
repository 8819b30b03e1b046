// A crash between disabling a credential and deleting it, and a person who then puts the version
// back into use: it is given back before the label that tells of it is dropped.
#include <gtest/gtest.h>

#include "tests/unit/engine/rig.h"

namespace keyturn::engine {
namespace {

using When = simulation::When;

class Restore : public ::testing::Test {
 protected:
  // The retirement of the first version dies after it has disabled its credential.
  void crash_while_retiring(const std::string& token = "t0") {
    fault = [token](const std::string& request, When when) -> std::optional<Error> {
      if (request != "disable " + token || when != When::After) return std::nullopt;
      return make_error(ErrorClass::Transient, "Killed", "no more");
    };
    rig.tokens.hook = [this](const std::string& request, When when) -> std::optional<Error> {
      if (when == When::Before && request.starts_with("enable ")) ++enabled;
      return fault ? fault(request, when) : std::nullopt;
    };
    for (int pass = 0; pass < 20 && rig.tokens.accepts(token); ++pass) rig.one_pass();
    ASSERT_FALSE(rig.tokens.accepts(token));
    fault = nullptr;
    rig.rotate = false;
    rig.restart();
  }
  // The attempt that mints t1 is rejected, wrongly; its token lives until quiet.
  void give_up() {
    rig.tokens.hook = [this](const std::string& request, When) -> std::optional<Error> {
      if (request != "login t1" || rig.count(Event::GaveUp) > 0) return std::nullopt;
      return make_error(ErrorClass::Denied, "Rejected", "wrongly");
    };
    rig.adjust = [this](const View&, Situation& s) {
      if (rig.count(Event::Started) > 0) s.permit.clear();
    };
    for (int pass = 0; pass < 10 && rig.count(Event::GaveUp) == 0; ++pass) rig.one_pass();
    ASSERT_EQ(rig.count(Event::GaveUp), 1);
  }
  void fail_enabling(ErrorClass cls) {
    fault = [cls](const std::string& request, When when) -> std::optional<Error> {
      if (!request.starts_with("enable ") || when != When::Before) return std::nullopt;
      return make_error(cls, "NotNow", "the backend says no");
    };
  }

  Rig rig{Kind::SoftMinting};
  std::function<std::optional<Error>(const std::string&, When)> fault;
  int enabled = 0;
};

TEST_F(Restore, AVersionMovedBackByHandWorksBeforeItsBatonIsDropped) {
  crash_while_retiring();
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  rig.one_pass();
  EXPECT_TRUE(rig.tokens.accepts("t0"));  // at once
  EXPECT_EQ(rig.holder(kBaton), rig.first);
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_EQ(rig.count(Event::Interfered), 1);
  EXPECT_TRUE(rig.current_works());
}

TEST_F(Restore, TheBatonIsKeptUntilItWasGivenBack) {
  crash_while_retiring();
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  fail_enabling(ErrorClass::Transient);
  EXPECT_FALSE(rig.run(5));
  EXPECT_EQ(rig.holder(kBaton), rig.first);
  fault = nullptr;
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_TRUE(rig.current_works());
}

TEST_F(Restore, WhatOnlyAPersonCanMendIsToldAndHoldsNothingUp) {
  crash_while_retiring();
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  fail_enabling(ErrorClass::Invalid);
  std::string note;
  for (int pass = 0; pass < 5 && !rig.holder(kBaton).empty(); ++pass) {
    rig.adjust = [&](const View&, Situation&) {
      if (rig.last.event == Event::Interfered) note = rig.last.note;
    };
    rig.one_pass();
  }
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_NE(note.find("the backend says no"), std::string::npos) << note;
}

TEST_F(Restore, AndIsToldBeforeTheQuietWait) {
  crash_while_retiring();
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  fail_enabling(ErrorClass::Invalid);
  rig.one_pass();
  ASSERT_EQ(rig.holder(kBaton), rig.first);
  ASSERT_EQ(rig.last.kind, StepResult::Kind::After);
  ASSERT_TRUE(rig.last.inactive);
  EXPECT_EQ(rig.last.inactive->code, kCredentialInactive);
  EXPECT_NE(rig.last.note.find("the backend says no"), std::string::npos) << rig.last.note;
  fault = nullptr;
  rig.one_pass();
  EXPECT_FALSE(rig.last.inactive);
}

// The gate that was open when the retirement began has closed: a reader came.
class RestoreBehindTheGate : public Restore {
 protected:
  void close_the_gate() {
    rig.adjust = [](const View&, Situation& s) { s.gate_open = false; };
  }
  // A pass every three seconds, as while readers are waited for.
  void passes(int count) {
    for (int pass = 0; pass < count; ++pass) {
      rig.one_pass();
      rig.clock.advance(Duration(3000));
    }
  }
};

TEST_F(RestoreBehindTheGate, WhatACrashLeftDisabledIsGivenBack) {
  crash_while_retiring();
  close_the_gate();
  passes(1);
  EXPECT_EQ(rig.decision.action, Action::WaitGate);
  EXPECT_EQ(rig.last.kind, StepResult::Kind::Driver);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.holder(kBaton), rig.first);
}

TEST_F(RestoreBehindTheGate, UntilItSucceedsAndOnceMoreWhenWhatWasOnItsWayHasLanded) {
  crash_while_retiring();
  close_the_gate();
  fail_enabling(ErrorClass::Transient);
  passes(3);
  EXPECT_EQ(rig.last.kind, StepResult::Kind::Retry);
  EXPECT_EQ(enabled, 3);
  fault = nullptr;
  passes(1);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  ASSERT_TRUE(rig.tokens.set_active("t0", false).ok());  // another leader's, planned before
  passes(20);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  const int so_far = enabled;
  passes(20);
  EXPECT_EQ(enabled, so_far);
}

TEST_F(RestoreBehindTheGate, AnAttemptOfThisProcessIsGivenBackAgain) {
  close_the_gate();
  rig.tokens.hook = [&](const std::string& request, When when) -> std::optional<Error> {
    if (when != When::Before || request != "enable t0" || ++enabled > 1) return std::nullopt;
    return make_error(ErrorClass::Transient, "Timeout", "no reply");
  };
  for (int pass = 0; pass < 5; ++pass) rig.one_pass();
  ASSERT_EQ(rig.decision.action, Action::WaitGate);
  EXPECT_EQ(enabled, 0);  // nobody has begun to revoke it
  // Open for as long as it takes to disable it.
  int asked = 0;
  rig.adjust = [&](const View&, Situation& s) {
    s.gate_still_open = [&asked] { return ++asked < 2; };
  };
  for (int pass = 0; pass < 3 && rig.tokens.accepts("t0"); ++pass) rig.one_pass();
  ASSERT_FALSE(rig.tokens.accepts("t0"));
  close_the_gate();
  passes(1);
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(enabled, 2);
}

// Another leader had looked before the person acted; its request lands later.
TEST_F(Restore, ADisablingThatWasOnItsWayIsGivenBackToo) {
  crash_while_retiring();
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  rig.one_pass();
  ASSERT_TRUE(rig.tokens.accepts("t0"));
  ASSERT_TRUE(rig.tokens.set_active("t0", false).ok());
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(rig.current_works());
  EXPECT_GE(enabled, 2);
}

TEST_F(Restore, ACredentialSavedAgainWorksBeforeTheGateOpens) {
  crash_while_retiring();
  rig.secrets.put_as_person(rig.arn, "t0;user=other");
  rig.adjust = [](const View&, Situation& s) { s.targets_synced = s.gate_open = false; };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.decision.action, Action::Sync);
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_EQ(rig.count(Event::Kept), 1);
}

TEST_F(Restore, AnAttemptMadeCurrentByHandWhileItWasRevokedWorks) {
  give_up();
  crash_while_retiring("t1");
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.holder(kPending));
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.current_value(), "t1;user=shop");
  EXPECT_TRUE(rig.current_works());
}

// Row 6 for a version that was current in between: readers may hold it.
TEST_F(Restore, AnAttemptThatWasCurrentForAWhileWorks) {
  give_up();
  crash_while_retiring("t1");
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.holder(kPending));
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_TRUE(rig.tokens.accepts("t1"));
  EXPECT_TRUE(rig.current_works());
}

// Row 6 for a version whose credential a person has put into a version of their own, twice, so that
// neither label of ours tells of it (a schedule of the simulation).
TEST_F(Restore, AnAttemptWhoseCredentialAPersonSavedIsNotRevoked) {
  give_up();
  rig.secrets.put_as_person(rig.arn, "t1;user=a");
  rig.secrets.put_as_person(rig.arn, "t1;user=b");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.current_value(), "t1;user=b");
  EXPECT_TRUE(rig.current_works());
}

TEST_F(Restore, ARollbackToACredentialThatWasBeingRevokedSucceeds) {
  crash_while_retiring();
  const std::string second = rig.holder(kCurrent);
  rig.adjust = [&](const View& view, Situation& s) {
    s.rollback = view.labels.current == second;
    if (s.rollback && view.labels.baton == rig.first) s.permit = next_version(view);
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.current_value(), "t0;user=shop");
  EXPECT_TRUE(rig.current_works());
}

// Two changes by hand make it look as if finishing had been decided (row 3).
TEST_F(Restore, ADecisionThatIsTakenBackLeavesAWorkingVersion) {
  crash_while_retiring();
  const std::string second = rig.holder(kCurrent);
  rig.secrets.put_as_person(rig.arn, "own;user=shop");
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  ASSERT_EQ(rig.holder(kLatest), second);
  ASSERT_NE(rig.holder(kPrevious), second);
  rig.tokens.remove("t1");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kCurrent), rig.first);
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_TRUE(rig.current_works());
}

}  // namespace
}  // namespace keyturn::engine
