// The schedule where adversities are placed: the first leader runs alone, each request takes the
// same time, and what else happens was placed at a request.
#include <algorithm>

#include "tests/simulation/sim_schedule.h"

namespace keyturn::simulation {

namespace {
constexpr Duration kIdle{180'000};       // nothing was changed for that long: nothing more will be
constexpr Duration kLongest{7'200'000};  // somebody tries again and again: no longer than that
constexpr Duration kOldEnough{7'200'000};  // what is left over is then cleaned up
}  // namespace

// A request gets its number. It is over when an earlier one should have met something and could
// not.
void Schedule::leaves(const std::string& name, bool writes) {
  if (writes) halt();
  Leader& me = leaders_[current_];
  const Leader& other = leaders_[1 - current_];
  me.number = placed_->next_number();
  me.writing = writes;
  if (writes) {
    last_change_ = clock_.mono();
    placed_->changes(me.number);
  }
  if (writes || name == "DescribeSecret" || name.starts_with("apply status"))
    placed_->is_point(me.number);
  if (!placed_->missed(me.number, other.back_by ? other.number : 0)) return;
  over_ = true;
  throw Stop{};
}

void Schedule::placed_at(int number) {
  using Kind = Adversity::Kind;
  for (const std::size_t n : placed_->at(number, Kind::Act)) {
    if (!act((*placed_)[n].what->act)) continue;
    placed_->use(n);
    placed_->changed();
    check();
    if (over_) throw Stop{};
  }
  if (current_ != 0) return;
  Leader& other = leaders_[1];
  for (const Kind kind : {Kind::Looks, Kind::Behind, Kind::Other}) {
    for (const std::size_t n : placed_->at(number, kind)) {
      if (kind != Kind::Other && other.halted) continue;
      other.to_halt = kind != Kind::Other;
      hand_over();
      other.to_halt = false;
      if (kind != Kind::Other && !other.halted) continue;
      if (kind == Kind::Behind) behind_ = true;
      placed_->use(n);
    }
  }
}

// The second leader goes on.
void Schedule::hand_over() {
  behind_ = false;
  happened(Fault::OtherLeader);
  switch_to(1);
  wait_for_turn(0);
  land_ghosts();
}

void Schedule::halt() {
  const std::size_t leader = current_;
  Leader& me = leaders_[leader];
  if (!std::exchange(me.to_halt, false)) return;
  me.halted = true;
  switch_to(1 - leader);
  wait_for_turn(leader);
  me.halted = false;
  land_ghosts();
}

// True: the process dies.
bool Schedule::arrived() {
  const Leader& me = leaders_[current_];
  if (current_ == 0 && behind_ && me.writing) hand_over();
  return placed_->strikes(me.number, Adversity::Kind::CrashAfter);
}

void Schedule::sleep_placed(std::size_t leader, Duration duration) {
  Leader& me = leaders_[leader];
  me.busy = false;
  me.back_by.reset();
  if (leader != 0) {
    switch_to(0);
    wait_for_turn(leader);
  } else {
    land_ghosts();
    if (leaders_[1].halted && (behind_ || leaders_[1].back_by)) hand_over();
    clock_.advance(std::max(duration, Duration(1)));
    land_ghosts();
    if (calm_) {
      resting(clock_.mono() - calm_since_ > kCalm / 2 ? Rest::Late : Rest::Early);
      look_at_rest();
      if (clock_.mono() - calm_since_ > kCalm) over_ = true;
    } else if (clock_.mono() - last_change_ > kIdle || clock_.mono() - begun_ > kLongest) {
      nothing_more();
    }
  }
  if (over_) throw Stop{};
  me.busy = true;
}

// The world has come to rest as far as it goes by itself. What was to be placed later cannot be.
void Schedule::nothing_more() {
  if (!placed_->all_used()) {
    over_ = true;
    return;
  }
  if (leaders_[1].halted) hand_over();
  clock_.advance(kOldEnough);
  land_ghosts();
  become_calm();
}

}  // namespace keyturn::simulation
