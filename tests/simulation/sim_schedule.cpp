#include "tests/simulation/sim_schedule.h"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace keyturn::simulation {

namespace {
constexpr Duration kSettled{3 * 3'600'000 + 600'000};  // a clean-up must have found nothing to do
constexpr int kRests = 3;                              // as long where all is placed
}  // namespace

Error lost(const std::string& request) {
  return make_error(ErrorClass::Transient, "Timeout", request + ": no answer");
}

Schedule::Schedule(std::uint64_t seed, bool trace, Placements* placed)
    : rng_(seed * 0x9e3779b97f4a7c15u + 1), trace_(trace), placed_(placed) {
  chaos_ = 40 + static_cast<int>(rng_.below(200));
  // Most schedules know few kinds of trouble, so that each is also met alone.
  const auto draw = [this](Fault fault, double p) {
    odds_.at(static_cast<std::size_t>(fault)) =
        rng_.unit() < 0.4 ? 0.0 : p * (rng_.unit() < 0.2 ? 3.0 : 0.3 + rng_.unit());
  };
  draw(Fault::Crash, 0.02);
  draw(Fault::LostReply, 0.04);
  draw(Fault::Late, 0.04);
  draw(Fault::Duplicate, 0.06);
  draw(Fault::Throttle, 0.03);
  draw(Fault::Refused, 0.02);
  draw(Fault::WrongRejection, 0.07);
  draw(Fault::StaleRead, 0.08);
  draw(Fault::Person, 0.045);
  draw(Fault::PolicyDeleted, 0.006);
}

void Schedule::tell(const std::string& line) {
  if (!trace_) return;
  const double seconds = static_cast<double>(clock_.mono().time_since_epoch().count()) / 1000.0;
  std::printf("%10.3f  %s\n", seconds, line.c_str());
}

void Schedule::fired(int row) {
  if (row == 0) return;
  for (std::size_t f = 0; f < kFaults; ++f) {
    if (f == 0 || seen_[f]) ++coverage_[{row, static_cast<Fault>(f)}];
  }
}

void Schedule::happened(Fault fault) {
  seen_[static_cast<std::size_t>(fault)] = true;
  last_change_ = clock_.mono();
  if (trace_ && fault != Fault::OtherLeader) tell(std::string("  !! ") + to_string(fault));
}

bool Schedule::strikes(Fault fault) {
  if (placed_ != nullptr)
    return placed_->strikes(leaders_[current_].number, Adversity::Kind::Fault, fault);
  return chance(odds_.at(static_cast<std::size_t>(fault)));
}

void Schedule::fail(const std::string& what) {
  if (!failure_) failure_ = Failure{what};
  tell("FAILED " + what);
  over_ = true;
}

// --- the turn ---

void Schedule::run(const std::array<std::function<void()>, 2>& leaders) {
  std::array<std::thread, 2> threads;
  for (std::size_t n = 0; n < 2; ++n) threads[n] = std::thread(leaders[n]);
  for (std::thread& t : threads) t.join();
  if (failure_ || (placed_ != nullptr && !placed_->all_used())) return;
  if (const std::string wrong = unrest(); !wrong.empty()) fail(wrong);
}

void Schedule::start(std::size_t leader) {
  wait_for_turn(leader);
  leaders_[leader].busy = true;
}

void Schedule::wait_for_turn(std::size_t leader) {
  std::unique_lock lock(mutex_);
  leaders_[leader].turn.wait(lock, [&] { return current_ == leader; });
  lock.unlock();
  if (over_ || leaders_[leader].gone) throw Stop{};
}

void Schedule::switch_to(std::size_t leader) {
  const std::lock_guard lock(mutex_);
  current_ = leader;
  leaders_[leader].turn.notify_one();
}

void Schedule::finish(std::size_t leader) {
  leaders_[leader].busy = false;
  leaders_[leader].gone = true;
  switch_to(1 - leader);  // the other one goes on, or finds that it is over
}

// Once all is at rest it must stay so.
void Schedule::look_at_rest() {
  if (waits_for_person()) return;
  const std::string wrong = ghosts_.empty() ? unrest() : "a request is under way";
  if (!wrong.empty()) {
    if (rested_since_) fail("at rest, and then no longer: " + wrong);
    return;
  }
  const MonoTime now = clock_.mono();
  if (!rested_since_) rested_since_ = now;
  if (placed_ != nullptr ? ++rests_ == kRests : now - *rested_since_ > kSettled) over_ = true;
}

void Schedule::sleep(std::size_t leader, Duration duration) {
  if (placed_ != nullptr) return sleep_placed(leader, duration);
  Leader& me = leaders_[leader];
  Leader& other = leaders_[1 - leader];
  me.busy = false;
  me.back_by.reset();
  me.wakes = clock_.mono() + (calm_ ? std::max(duration, Duration(1)) : duration);
  land_ghosts();
  const bool mine = other.gone || (!other.busy && me.wakes <= other.wakes);
  if (!mine) {
    if (!other.busy && other.wakes > clock_.mono()) clock_.advance(other.wakes - clock_.mono());
    switch_to(1 - leader);
    wait_for_turn(leader);
  }
  if (me.wakes > clock_.mono()) clock_.advance(me.wakes - clock_.mono());
  land_ghosts();
  if (calm_) resting(clock_.mono() - calm_since_ > kCalm / 2 ? Rest::Late : Rest::Early);
  if (calm_) look_at_rest();
  if (calm_ && clock_.mono() - calm_since_ > kCalm) over_ = true;
  if (over_) throw Stop{};
  me.busy = true;
}

// Never so much that a request under way would miss its deadline.
void Schedule::pass_time(Duration at_most) {
  if (placed_ != nullptr) return clock_.advance(kPlacedTime);
  const double kind = rng_.unit();
  Duration by(static_cast<std::int64_t>(rng_.below(kind < 0.7 ? 50 : kind < 0.92 ? 1000 : 15'000)));
  by = std::min(by, at_most);
  for (const Leader& leader : leaders_) {
    if (leader.busy && leader.back_by)
      by = std::min(by, std::max(*leader.back_by - clock_.mono(), Duration(0)));
  }
  if (by > Duration(0)) clock_.advance(by);
}

void Schedule::turn() {
  const std::size_t me = current_;
  ++requests_;
  if (placed_ == nullptr && !calm_ && requests_ > chaos_) become_calm();
  land_ghosts();
  pass_time(kRequestDeadline);
  land_ghosts();
  others_act();
  check();
  if (over_) throw Stop{};
  if (placed_ != nullptr) return;
  Leader& other = leaders_[1 - me];
  const bool other_ready = !other.gone && (other.busy || other.wakes <= clock_.mono());
  const bool other_must =
      other_ready && other.busy && other.back_by && *other.back_by <= clock_.mono();
  if (other_must || (other_ready && rng_.unit() < 0.25)) {
    if (other.busy) happened(Fault::OtherLeader);
    switch_to(1 - me);
    wait_for_turn(me);
    land_ghosts();
  }
  if (calm_ && leaders_[me].retires) throw Stop{};
}

void Schedule::become_calm() {
  tell("---- calm ----");
  calm_ = true;
  calm_since_ = clock_.mono();
  away_until_ = MonoTime{};
  becoming_calm();
  if (placed_ == nullptr && rng_.below(2) == 0) leaders_[rng_.below(2)].retires = true;
}

void Schedule::go_away(Duration duration) { away_until_ = clock_.mono() + duration; }

Duration Schedule::away() const {
  return std::max(std::chrono::duration_cast<Duration>(away_until_ - clock_.mono()), Duration(0));
}

void Schedule::land_ghosts() {
  for (std::size_t i = 0; i < ghosts_.size();) {
    if (ghosts_[i].lands > clock_.mono()) {
      ++i;
      continue;
    }
    const auto carry_out = std::move(ghosts_[i].carry_out);
    ghosts_.erase(ghosts_.begin() + static_cast<std::ptrdiff_t>(i));
    carry_out();
  }
}

// --- requests ---

Schedule::Fate Schedule::send(const std::string& name, bool writes) {
  Leader& me = leaders_[current_];
  me.back_by = clock_.mono() + kRequestDeadline;
  if (placed_ != nullptr) leaves(name, writes);
  turn();
  if (placed_ != nullptr) placed_at(me.number);
  tell("leader " + std::to_string(current_) + "     " + number_of(me) + name);
  if (strikes(Fault::Crash)) {
    happened(Fault::Crash);
    throw Crash{};
  }
  if (strikes(Fault::Throttle)) return happened(Fault::Throttle), Fate::Throttled;
  if (strikes(Fault::Refused)) return happened(Fault::Refused), Fate::Refused;
  if (writes && strikes(Fault::Late)) return happened(Fault::Late), Fate::Late;
  if (strikes(Fault::LostReply)) return happened(Fault::LostReply), Fate::LostReply;
  return Fate::Carried;
}

void Schedule::arrive() {
  check();
  turn();
  leaders_[current_].back_by.reset();
  if (placed_ != nullptr ? arrived() : strikes(Fault::Crash)) {
    happened(Fault::Crash);
    throw Crash{};
  }
}

// Checked for its age when it is sent; carried out when it gets there.
Status Schedule::write(const std::string& name, const std::optional<MonoTime>& not_after,
                       const std::function<Status()>& carry_out) {
  halt();
  if (not_after && clock_.mono() > *not_after)
    return make_error(ErrorClass::Unavailable, "ViewTooOld", "not sent");
  const MonoTime sent = clock_.mono();
  const Fate fate = send(name, true);
  switch (fate) {
    case Fate::Throttled:
      return make_error(ErrorClass::Throttled, "ThrottlingException", "slow down");
    case Fate::Refused:
      return make_error(ErrorClass::Denied, "AccessDeniedException", "not allowed");
    case Fate::Late:
      later(name, sent, [carry_out] { (void)carry_out(); });
      return lost(name);
    case Fate::LostReply:
    case Fate::Carried:
      break;
  }
  Status answer = carry_out();
  if (!answer.ok()) tell("      " + answer.error().describe());
  if (strikes(Fault::Duplicate)) {
    happened(Fault::Duplicate);
    later(name, sent, [carry_out] { (void)carry_out(); });
  }
  arrive();
  if (fate == Fate::LostReply) return lost(name);
  return answer;
}

void Schedule::later(const std::string& name, MonoTime sent, std::function<void()> carry_out) {
  const MonoTime lands =
      sent +
      (placed_ != nullptr ? kPlacedLate : Duration(static_cast<std::int64_t>(rng_.below(15'000))));
  ghosts_.push_back(
      {std::max(lands, clock_.mono()), [this, name, carry_out = std::move(carry_out)] {
         tell("  (late) " + name);
         carry_out();
       }});
}

}  // namespace keyturn::simulation
