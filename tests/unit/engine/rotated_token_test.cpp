// A token that is rotated: one, or two of which a further ROTATE drops the older one. What must
// never be sent is seen by the group (simulation::TokenGroup::sin()).
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/engine/engine.h"
#include "tests/unit/engine/rig.h"

namespace keyturn::engine {
namespace {

using simulation::credential_of;
using simulation::others_of;
using simulation::When;

struct TokenRig : Rig {
  TokenRig() : Rig(Kind::RotatedToken) {
    group.hook = [this](const std::string& request, When when) -> std::optional<Error> {
      if (when == When::Before) requests.push_back(request);
      return at ? at(request, when) : std::nullopt;
    };
  }
  long sent(const std::string& what) const {
    return std::count_if(requests.begin(), requests.end(),
                         [&](const std::string& r) { return r.starts_with(what); });
  }
  // The next rotation, from the version that is current now.
  bool rotate_again() {
    first = holder(kCurrent);
    return run();
  }
  std::function<std::optional<Error>(const std::string&, When)> at;
  std::vector<std::string> requests;
};

TEST(RotatedToken, LogsInRotatesOnceAndLeavesTheNewTokenAlone) {
  TokenRig rig;
  ASSERT_TRUE(rig.run());
  const std::string token = credential_of(rig.current_value());
  EXPECT_EQ(rig.group.tokens(), std::vector<std::string>{token});
  EXPECT_EQ(rig.sent("rotate "), 1);
  EXPECT_EQ(rig.sent("leave alone " + token), 1);
  const auto rotated = std::find(rig.requests.begin(), rig.requests.end(), "rotate " + token);
  EXPECT_NE(std::find(rig.requests.begin(), rotated, "login " + token), rotated)
      << "it was asked first";
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, WhoDidNotMoveTheBatonSendsNothing) {
  TokenRig rig;
  bool moved = false;
  rig.at = [&](const std::string& request, When when) -> std::optional<Error> {
    const bool asks_current = request == "login t0" && when == When::After;
    const std::string version = rig.holder(kBaton);
    if (!asks_current || moved || version.empty() || version == rig.first) return std::nullopt;
    moved = true;  // another leader has decided, and dies before it sends
    rig.secrets.move_label(rig.arn, std::string(kBaton), rig.first);
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(moved);
  EXPECT_EQ(rig.count(Event::GaveUp), 1);
  EXPECT_EQ(rig.sent("rotate "), 1) << "of the attempt after it";
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, ALostReplyOfRotateIsNotSentAgain) {
  TokenRig rig;
  rig.at = [&](const std::string& request, When when) -> std::optional<Error> {
    if (!request.starts_with("rotate ") || when != When::After) return std::nullopt;
    return make_error(ErrorClass::Transient, "Timeout", "lost");
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.sent("rotate "), 1);
  EXPECT_EQ(rig.count(Event::GaveUp), 0);
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, ATokenOfAPersonBetweenTheDecisionAndRotateStopsIt) {
  TokenRig rig;
  bool meddled = false;
  rig.secrets.set_fault([&](const testing::FakeSecretsManager::Call& call,
                            testing::FakeSecretsManager::When when) -> std::optional<Error> {
    const bool decided = call.operation == "UpdateSecretVersionStage" &&
                         when == testing::FakeSecretsManager::When::After;
    if (!decided || meddled) return std::nullopt;
    meddled = true;
    rig.group.become({"t0", "own"});
    rig.secrets.put_as_person(rig.arn, "own;user=shop");
    return std::nullopt;
  });
  ASSERT_TRUE(rig.run());
  EXPECT_TRUE(meddled);
  EXPECT_EQ(rig.sent("rotate "), 0);
  EXPECT_EQ(credential_of(rig.current_value()), "own");
  EXPECT_EQ(rig.group.sin(), "");
}

// Given up after its ROTATE: the group holds [t0, new], and a further ROTATE would drop t0, which
// is current.
TEST(RotatedToken, WhatAnOvertakenAttemptRotatedIsCarriedOn) {
  TokenRig rig;
  std::string rotated;
  rig.at = [&](const std::string& request, When when) -> std::optional<Error> {
    if (!request.starts_with("rotate ") || when != When::After || !rotated.empty())
      return std::nullopt;
    rotated = request.substr(7);
    rig.secrets.put_as_person(rig.arn, "t0;user=edited");
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.group.tokens(), (std::vector<std::string>{"t0", rotated}));
  EXPECT_EQ(credential_of(rig.current_value()), "t0");
  ASSERT_TRUE(rig.rotate_again());
  EXPECT_EQ(rig.current_value(), rotated + ";user=edited");
  EXPECT_EQ(rig.sent("rotate "), 1);
  EXPECT_EQ(rig.group.tokens(), std::vector<std::string>{rotated});
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, MovedBackByHandTheNewTokenIsCarriedOn) {
  TokenRig rig;
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  const std::string token = credential_of(rig.current_value());
  rig.rotate = false;
  rig.retire = true;
  rig.secrets.move_label(rig.arn, "AWSCURRENT", rig.first);
  const long before = rig.sent("leave alone ");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.sent("leave alone "), before) << "it may be in use again";
  rig.rotate = true;
  ASSERT_TRUE(rig.rotate_again());
  EXPECT_EQ(credential_of(rig.current_value()), token);
  EXPECT_EQ(rig.group.tokens(), std::vector<std::string>{token});
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, ARetirementThatWasLostIsMadeUpForBeforeTheNextToken) {
  TokenRig rig;
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  const std::string token = credential_of(rig.current_value());
  rig.secrets.move_label(rig.arn, std::string(kBaton), "");
  rig.retire = true;
  rig.adjust = [](const View&, Situation& s) { s.gate_open = false; };
  const long before = rig.sent("leave alone ");
  ASSERT_TRUE(rig.rotate_again());
  EXPECT_EQ(rig.sent("leave alone "), before) << "the old token may be in use";
  EXPECT_EQ(to_string(rig.decision.action), "WaitGate");
  rig.adjust = nullptr;
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.sent("leave alone " + token), 1);
  EXPECT_NE(credential_of(rig.current_value()), token);
  EXPECT_TRUE(rig.current_works());
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, ATokenThatTheGroupDoesNotHaveIsNeverLeftAlone) {
  TokenRig rig;
  rig.retire = false;
  ASSERT_TRUE(rig.run());
  const std::string token = credential_of(rig.current_value());
  rig.rotate = false;
  rig.retire = true;
  rig.secrets.put_as_person(rig.arn, "mistyped;user=shop");
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.sent("leave alone mistyped"), 0);
  EXPECT_EQ(rig.count(Event::Rebased), 1);
  EXPECT_EQ(credential_of(rig.current_value()), token);
  EXPECT_EQ(rig.group.sin(), "");
}

TEST(RotatedToken, NothingCountsWhileTheGroupIsBeingChanged) {
  TokenRig rig;
  rig.at = [&](const std::string& request, When when) -> std::optional<Error> {
    if (request.starts_with("rotate ") && when == When::After) {
      EXPECT_EQ(rig.group.login("t0").verdict, Verdict::Unknown);
    }
    return std::nullopt;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_EQ(rig.sent("rotate "), 1);
  EXPECT_EQ(rig.count(Event::GaveUp), 0);
}

}  // namespace
}  // namespace keyturn::engine
