// What quiet sees of targets and the roll-out, which a driver finds out anew in every pass.
#include <gtest/gtest.h>

#include "tests/unit/engine/rig.h"

namespace keyturn::engine {
namespace {

// A roll-out that is held back is looked at in every pass: "not looked at yet" is no change.
TEST(Quiet, WhatThePassHasYetToLookAtDoesNotStartItAnew) {
  for (const bool judged : {false, true}) {
    Rig rig(Kind::Minting);
    rig.adjust = [&](const View& view, Situation& s) {
      Situation first = s;
      first.rolled_out = false;
      first.judged = judged;
      (void)rig.engine->decide(view, first);
    };
    EXPECT_EQ(rig.run(20), !judged);
    EXPECT_EQ(rig.tokens.accepts("t0"), judged);
  }
}

TEST(Quiet, APassThatWroteOrRestartedSomethingStartsItAnew) {
  Rig rig(Kind::Minting);
  MonoTime moved_at{}, revoked_at{};
  rig.tokens.hook = [&](const std::string& request, simulation::When) -> std::optional<Error> {
    if (request == "revoke t0") revoked_at = rig.clock.mono();
    return std::nullopt;
  };
  rig.adjust = [&](const View& view, Situation& s) {
    const bool retiring = view.labels.baton == rig.first && view.labels.current != rig.first;
    const MonoTime now = rig.clock.mono();
    if (retiring && view.seen_at >= MonoTime{} + Timing{}.quiet() && moved_at == MonoTime{})
      moved_at = now;
    s.moved = moved_at != MonoTime{} && now == moved_at;
  };
  ASSERT_TRUE(rig.run());
  EXPECT_NE(moved_at, MonoTime{});
  EXPECT_GE(revoked_at - moved_at, Timing{}.quiet());
}

}  // namespace
}  // namespace keyturn::engine
