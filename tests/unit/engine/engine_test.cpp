#include "lib/engine/engine.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/engine/rig.h"

namespace keyturn::engine {
namespace {

using simulation::credential_of;
using simulation::others_of;
using FakeAws = testing::FakeSecretsManager;

// Every way a rotation of this kind must end.
void expect_clean_end(Rig& rig) {
  EXPECT_NE(rig.holder(kCurrent), rig.first);
  EXPECT_TRUE(made_from(rig.arn, rig.holder(kCurrent), rig.first));
  EXPECT_EQ(rig.holder(kLatest), rig.holder(kCurrent));
  EXPECT_EQ(rig.holder(kPrevious), rig.first);
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(others_of(rig.current_value()), "user=shop");
}

class EveryKind : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Engine, EveryKind,
                         ::testing::Values(Kind::Minting, Kind::SoftMinting, Kind::ForwardOnly,
                                           Kind::None));

TEST_P(EveryKind, RotatesOnce) {
  Rig rig(GetParam());
  ASSERT_TRUE(rig.run());
  expect_clean_end(rig);
  EXPECT_EQ(rig.count(Event::Started), 1);
  EXPECT_EQ(rig.count(Event::Finished), 1);
  if (GetParam() == Kind::Minting) {
    EXPECT_EQ(rig.tokens.tokens().size(), 1u);
  }
}

TEST(Engine, AwsCallsOfARotationStayInTheirBudget) {
  Rig none(Kind::None);
  ASSERT_TRUE(none.run());
  EXPECT_LE(none.secrets.calls().size(), 6u + 1u);  // one look is the poll that finds nothing to do

  Rig minting(Kind::Minting);
  ASSERT_TRUE(minting.run());
  minting.first = minting.holder(
      kCurrent);  // the second rotation also asks whether the first one's retirement was lost
  minting.secrets.forget_calls();
  ASSERT_TRUE(minting.run());
  EXPECT_LE(minting.secrets.calls().size(), 14u);
}

// --- crashes and lost replies ---

struct Crash {};

// Crashes, or loses the reply, at the n-th request to AWS or the backend. True while there was an
// n-th request.
bool disturb(Rig& rig, int n, bool before, bool crash) {
  int seen = 0;
  bool hit = false;
  const auto strike = [&, before](bool now_before) -> std::optional<Error> {
    if (now_before != before || hit || seen++ != n) return std::nullopt;
    hit = true;
    if (crash) throw Crash{};
    return make_error(ErrorClass::Transient, "Timeout", "injected");
  };
  rig.secrets.set_fault([&](const FakeAws::Call&, FakeAws::When when) {
    return strike(when == FakeAws::When::Before);
  });
  const simulation::Hook hook = [&](const std::string&, simulation::When when) {
    return strike(when == simulation::When::Before);
  };
  rig.tokens.hook = rig.password.hook = hook;
  try {
    EXPECT_TRUE(rig.run());
  } catch (const Crash&) {
    rig.restart();
  }
  rig.secrets.set_fault(nullptr);
  rig.tokens.hook = rig.password.hook = nullptr;
  EXPECT_TRUE(rig.run());
  rig.clock.advance(Duration(2 * 3'600'000));
  rig.clean_up = true;
  EXPECT_TRUE(rig.run());
  return hit;
}

TEST_P(EveryKind, ResumesAfterACrashOrALostReplyAtAnyRequest) {
  for (const bool crash : {true, false}) {
    for (const bool before : {true, false}) {
      int n = 0;
      for (bool hit = true; hit; ++n) {
        SCOPED_TRACE(::testing::Message()
                     << (crash ? "crash " : "lost ") << (before ? "before " : "after ") << n);
        Rig rig(GetParam());
        hit = disturb(rig, n, before, crash);
        expect_clean_end(rig);
        EXPECT_LE(rig.tokens.tokens().size(), 1u);  // nothing is left over
        if (::testing::Test::HasFailure()) return;
      }
      EXPECT_GT(n, 5);
    }
  }
}

// --- the rules one by one ---

TEST(Engine, LooksWhetherTheIdExistsBeforeMinting) {
  Rig rig(Kind::Minting);
  const std::string next = successor_id(rig.arn, rig.first, "");
  rig.secrets.edit(rig.arn, [&](FakeAws::Secret& s) { s.versions[next] = {.value = "lost;x"}; });
  rig.tokens.add("lost");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kCurrent),
            successor_id(rig.arn, rig.first,
                         next));  // the chain went on from the version that had lost our label
  EXPECT_EQ(rig.count(Event::Started), 1);
  EXPECT_FALSE(rig.tokens.accepts("t2"));  // only one was minted
}

TEST(Engine, AValueThatLosesTheRaceForItsIdIsDiscarded) {
  Rig rig(Kind::Minting);
  const std::string next = successor_id(rig.arn, rig.first, "");
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (!request.starts_with("mint ") || when != simulation::When::After ||
        rig.tokens.accepts("theirs"))
      return std::nullopt;
    rig.tokens.add("theirs");  // another leader, between our mint and our put
    (void)rig.secrets.put_value({.secret_id = rig.arn,
                                 .client_request_token = next,
                                 .value = SecretString("theirs;user=shop"),
                                 .stages = {"AWSPENDING", "KEYTURN_LATEST", "KEYTURN_BATON"},
                                 .rotation_token = "",
                                 .not_after = {}});
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  expect_clean_end(rig);
  EXPECT_EQ(credential_of(rig.current_value()), "theirs");
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
}

TEST(Engine, NothingIsSentOnAViewThatIsTooOld) {
  Rig rig(Kind::Minting);
  Pass pass;
  View view = *rig.engine->look(rig.arn);
  const Situation s = rig.judge(view);
  const Decision d = rig.engine->decide(view, s);
  rig.clock.advance(Timing{}.view_age() + Duration(1));
  const StepResult r = rig.engine->perform(view, d, s, pass);
  EXPECT_EQ(r.kind, StepResult::Kind::After);
  EXPECT_EQ(r.delay, Duration(0));
  EXPECT_EQ(rig.calls("PutSecretValue"), 0);
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
}

TEST(Engine, APutThatWasNotSentDiscardsWhatWasMinted) {
  for (const ErrorClass cls :
       {ErrorClass::Denied, ErrorClass::Throttled, ErrorClass::Unavailable, ErrorClass::Invalid}) {
    Rig rig(Kind::Minting);
    rig.secrets.set_fault([&](const FakeAws::Call& call, FakeAws::When) -> std::optional<Error> {
      if (call.operation != "PutSecretValue") return std::nullopt;
      return make_error(cls, "No", "refused");
    });
    rig.one_pass();
    EXPECT_EQ(rig.tokens.tokens().size(), 1u);
  }
}

TEST(Engine, RetiresOnlyAfterQuiet) {
  Rig rig(Kind::Minting);
  const MonoTime start = rig.clock.mono();
  bool moved = false;
  MonoTime moved_at{}, revoked_at{};
  rig.tokens.hook = [&](const std::string& request, simulation::When) -> std::optional<Error> {
    if (request == "revoke t0") revoked_at = rig.clock.mono();
    return std::nullopt;
  };
  rig.adjust = [&](const View& view, Situation&) {
    if (!moved && view.labels.current != rig.first) {
      moved = true;
      moved_at = rig.clock.mono();
    }
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(moved_at, start);  // steps that need not wait follow each other
  EXPECT_GE(revoked_at - moved_at, Timing{}.quiet());
}

TEST(Engine, AGateThatClosesDirectlyBeforeTheRevocationStopsIt) {
  Rig rig(Kind::SoftMinting);
  bool open = false;
  rig.adjust = [&](const View&, Situation& s) { s.gate_still_open = [&] { return open; }; };
  rig.run(10);
  EXPECT_TRUE(rig.tokens.accepts("t0"));  // disabled, looked again, enabled again
  EXPECT_EQ(rig.holder(kBaton), rig.first);
  open = true;
  ASSERT_TRUE(rig.run());
  EXPECT_FALSE(rig.tokens.accepts("t0"));
}

TEST(Engine, LabelsThatChangeDirectlyBeforeTheRevocationStopIt) {
  Rig rig(Kind::SoftMinting);
  bool done = false;
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (request == "disable t0" && when == simulation::When::After && !done) {
      done = true;
      rig.secrets.move_label(rig.arn, "AWSCURRENT",
                             rig.first);  // by hand, back to what is being revoked
      rig.rotate = false;
    }
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(done);
  EXPECT_EQ(rig.holder(kCurrent), rig.first);
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(rig.count(Event::Interfered), 1);
}

TEST(Engine, AnEqualCredentialIsNotRevoked) {
  Rig rig(Kind::Minting);
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  // A person saves the retiring credential again, with another field edited.
  rig.secrets.put_as_person(rig.arn, "t0;user=other");
  rig.rotate = false;
  rig.retire = true;
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_EQ(rig.count(Event::Kept), 1);
}

// The administrator's secret is gone for a moment, say: no word about a mark.
TEST(Engine, AnAttemptThatCannotBeRevokedNowIsRevokedLater) {
  Rig rig(Kind::Minting);
  bool refused = false;
  rig.adjust = [&](const View&, Situation& s) {
    if (rig.count(Event::GaveUp) > 0) s.permit.clear();
  };
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (when != simulation::When::Before) return std::nullopt;
    if (request == "login t1") return make_error(ErrorClass::Denied, "No", "rejected");
    if (request == "revoke t1" && !std::exchange(refused, true))
      return make_error(ErrorClass::NotFound, "ResourceNotFoundException", "no such secret");
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(refused);
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.tokens.tokens().size(), 1u) << "t1 is left over";
}

TEST(Engine, ARejectedAttemptIsRevokedAndTheOldCredentialStays) {
  Rig rig(Kind::Minting);
  int starts = 0;
  rig.adjust = [&](const View&, Situation& s) {
    if (rig.count(Event::GaveUp) > 0) s.permit.clear();  // the driver backs off
    starts = rig.count(Event::Started);
  };
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (request == "login t1" && when == simulation::When::Before)
      return make_error(ErrorClass::Denied, "No", "rejected");
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kCurrent), rig.first);
  EXPECT_EQ(rig.holder(kPending), "");
  EXPECT_EQ(rig.holder(kBaton), "");
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
  EXPECT_EQ(rig.count(Event::Abandoned), 1);
  EXPECT_EQ(starts, 1);
  // Another attempt makes another version.
  const std::string latest = rig.holder(kLatest);
  rig.adjust = nullptr;
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.holder(kCurrent), successor_id(rig.arn, rig.first, latest));
}

TEST(Engine, UnknownIsNotNo) {
  Rig rig(Kind::Minting);
  int unreachable = 3;
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (request == "login t1" && when == simulation::When::Before && unreachable-- > 0) {
      return make_error(ErrorClass::Transient, "Timeout", "unreachable");
    }
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  expect_clean_end(rig);
  EXPECT_EQ(rig.count(Event::Started), 1);
  EXPECT_EQ(rig.count(Event::GaveUp), 0);
}

TEST(Engine, RollsBackForward) {
  Rig rig(Kind::Minting);
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  const std::string bad = rig.holder(kCurrent);
  rig.adjust = [&](const View& view, Situation& s) {
    s.retire = view.labels.current != bad;
    s.rollback = view.labels.current == bad;
    if (s.rollback) s.permit = next_version(view);
  };
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(made_from(rig.arn, rig.holder(kCurrent), bad));
  EXPECT_EQ(rig.current_value(), "t0;user=shop");
  EXPECT_TRUE(rig.tokens.accepts("t0"));
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);  // the bad one was retired
}

TEST(Engine, LeftoversGoAtTheStartOfARotationAndWhenAsked) {
  Rig rig(Kind::Minting);
  ASSERT_TRUE(rig.tokens.mint(rig.arn, "crashed").ok());
  ASSERT_TRUE(rig.tokens.mint("another secret", "crashed").ok());
  rig.clean_up = true;
  rig.rotate = false;
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(rig.tokens.accepts("t1"));  // younger than an hour: somebody may be busy with it
  rig.clock.advance(Duration(3'600'000));
  rig.clean_up = true;
  ASSERT_TRUE(rig.run());
  EXPECT_FALSE(rig.tokens.accepts("t1"));
  EXPECT_TRUE(rig.tokens.accepts("t2"));
  EXPECT_TRUE(rig.tokens.accepts("t0"));
}

// What the operator's event ChangedOutside promises.
TEST(Engine, OursInWhosePlaceAPersonPutAnotherIsCleanedUpAfterTheNextRotation) {
  Rig rig(Kind::Minting);
  ASSERT_TRUE(rig.run());
  const std::string ours = simulation::credential_of(rig.current_value());
  rig.tokens.add("by-hand");
  rig.secrets.put_as_person(rig.arn, "by-hand;user=shop");
  rig.clock.advance(Duration(2 * 3'600'000));
  rig.clean_up = true;
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(rig.tokens.accepts(ours)) << "AWSPREVIOUS: a person may still go back to it";
  rig.first = rig.holder(kCurrent);
  ASSERT_TRUE(rig.run());
  ASSERT_NE(rig.holder(kCurrent), rig.first);
  EXPECT_FALSE(rig.tokens.accepts("by-hand"));
  rig.clean_up = true;
  ASSERT_TRUE(rig.run());
  EXPECT_FALSE(rig.tokens.accepts(ours));
  EXPECT_TRUE(rig.current_works());
}

TEST(Engine, ALostRetirementIsMadeUpFor) {
  Rig rig(Kind::Minting);
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  rig.secrets.move_label(rig.arn, std::string(kBaton), "");  // somebody drops the record
  rig.retire = true;
  rig.clean_up = true;
  ASSERT_TRUE(rig.run());
  EXPECT_FALSE(rig.tokens.accepts("t0"));
  EXPECT_TRUE(rig.current_works());
}

TEST(Engine, APersonsEditUnderAnAttemptIsKept) {
  Rig rig(Kind::Minting);
  bool edited = false;
  rig.tokens.hook = [&](const std::string& request, simulation::When when) -> std::optional<Error> {
    if (request == "login t1" && when == simulation::When::After && !edited) {
      edited = true;
      rig.secrets.put_as_person(rig.arn, "t0;user=edited");
    }
    return std::nullopt;
  };
  rig.adjust = [&](const View& view, Situation& s) {
    if (edited && others_of(*rig.secrets.value_of(rig.arn, view.labels.current)) == "user=edited")
      s.permit = next_version(view);
    if (view.labels.current != rig.first &&
        made_from(rig.arn, view.labels.current, view.labels.previous))
      s.permit.clear();
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(others_of(rig.current_value()), "user=edited");
  EXPECT_TRUE(rig.current_works());
  EXPECT_NE(credential_of(rig.current_value()), "t0");
}

TEST(Engine, AForeignPendingVersionBlocksAndAPlaceholderDoesNot) {
  Rig foreign(Kind::Minting);
  foreign.secrets.put_as_person(foreign.arn, "x;y", "AWSPENDING");
  ASSERT_TRUE(foreign.run());
  EXPECT_EQ(foreign.decision.reason, "ForeignPending");
  EXPECT_EQ(foreign.calls("PutSecretValue"), 0);

  Rig placeholder(Kind::Minting);
  placeholder.secrets.add_placeholder(placeholder.arn, "aws-made-this");
  ASSERT_TRUE(placeholder.run());
  expect_clean_end(placeholder);
}

TEST(Engine, BinaryIsRefusedClearly) {
  Rig rig(Kind::Minting);
  rig.secrets.put_binary(rig.arn);
  rig.adjust = [](const View& view, Situation& s) { s.permit = next_version(view); };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.last.kind, StepResult::Kind::Terminal);
  EXPECT_EQ(rig.last.error.code, "BinarySecret");
  EXPECT_EQ(rig.tokens.tokens().size(), 1u);
}

}  // namespace
}  // namespace keyturn::engine
