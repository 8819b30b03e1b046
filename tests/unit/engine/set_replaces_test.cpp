// Backends that take all their credentials in one request (Traits::set_replaces): what is decided
// otherwise there.
#include <gtest/gtest.h>

#include "tests/unit/engine/views.h"

namespace keyturn::engine {
namespace {

Situation permitting(const Labels& labels, bool gate_open) {
  Situation s{.gate_open = gate_open, .retire = true};
  s.permit = next_version(view(labels));
  return s;
}

// Every write to the backend replaces whatever there was: row by row, where that changes something.
TEST(SetReplaces, EveryWriteWaitsForQuietAndForReaders) {
  const Traits replaces{.name = "fake",
                        .backend = Backend::TwoCredentials,
                        .can_rollback = true,
                        .can_revoke = true,
                        .set_replaces = true};
  const Labels undecided{.current = kC, .previous = "v", .pending = kX, .latest = kX, .baton = kX};
  const Labels decided{.current = kC, .previous = "v", .pending = kX, .latest = kX, .baton = kC};
  const Labels given_up{.current = kC, .previous = "v", .pending = kX, .latest = kX};
  const Labels idle{.current = kC, .previous = "v", .latest = kC};
  const Known fresh{.baton_is_previous = false, .baton_is_current = false};
  const Known rollback{.baton_is_previous = true, .baton_is_current = false};
  const Situation open{.retire = true};
  const Situation unsynced{.targets_synced = false, .gate_open = false, .retire = true};
  const Situation rolling{.rolled_out = false, .gate_open = false, .retire = true};
  const Situation closed{.gate_open = false, .waiting_for = "Pod/batch", .retire = true};
  const struct {
    const char* name;
    Labels labels;
    Situation situation;
    Known known;
    Action action;
    bool quiet;
  } cases[] = {
      {"set after quiet", undecided, open, fresh, Action::SetAndTest, true},
      {"set: targets first", undecided, unsynced, fresh, Action::Sync, false},
      {"set: workloads first", undecided, rolling, fresh, Action::Rollout, false},
      {"set: readers first", undecided, closed, fresh, Action::WaitGate, false},
      {"a rollback sets nothing", undecided, closed, rollback, Action::SetAndTest, true},
      {"AWSPENDING stays until AWSCURRENT moved", decided, closed, fresh, Action::RetestAndMove,
       false},
      {"giving up writes", given_up, open, fresh, Action::Abandon, true},
      {"giving up: targets first", given_up, unsynced, fresh, Action::Sync, false},
      {"giving up: readers first", given_up, closed, fresh, Action::WaitGate, false},
      {"it was current for a while",
       {kC, kX, kX, kX, ""},
       closed,
       fresh,
       Action::DropPending,
       false},
      {"a start with readers behind", idle, permitting(idle, false), fresh, Action::WaitGate,
       false},
      {"a start", idle, permitting(idle, true), fresh, Action::Create, false},
  };
  for (const auto& c : cases) {
    const Decision d = plan(replaces, view(c.labels), c.situation, c.known);
    EXPECT_EQ(to_string(d.action), to_string(c.action)) << c.name << ": " << d.message;
    EXPECT_EQ(d.quiet, c.quiet) << c.name;
  }
}

}  // namespace
}  // namespace keyturn::engine
