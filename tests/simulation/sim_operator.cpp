#include "tests/simulation/sim_operator.h"

#include <algorithm>

namespace keyturn::simulation {

using engine::Action;
using engine::Decision;
using engine::Event;
using engine::Situation;
using engine::StepResult;
using engine::View;

namespace {
constexpr int kTurns = 30;
constexpr Duration kPoll{20'000};
constexpr Duration kCalmPoll{2'000'000};
constexpr Duration kBackOff{60'000};
constexpr Duration kCleanUpEvery{3 * 3'600'000};
}  // namespace

void SimOperator::restart() {
  memory_ = std::make_unique<engine::Memory>();
  strategy_ = world_.backend().strategy();
  engine_ = std::make_unique<engine::Engine>(engine::Engine::Deps{
      world_, *strategy_, *memory_, world_.clock(), world_.rng(), engine::Timing{}});
  world_.cluster().forget(number_);
  given_up_ = 0;
  not_before_ = cleaned_up_ = MonoTime{};
}

void SimOperator::live() {
  try {
    world_.start(number_);
    restart();
    while (!world_.over()) {
      if (const Duration away = world_.away(); away > Duration(0)) {
        restart();
        world_.sleep(number_, away);
        continue;
      }
      Duration rest = kPoll;
      try {
        rest = pass();
        if (world_.calm() && rest == kPoll) rest = kCalmPoll;
        rest = std::min(rest, world_.cluster().others(number_, [this] { return current(); }));
      } catch (const Crash&) {
        restart();
        rest = Duration(2000);
      }
      world_.sleep(number_, rest);
    }
  } catch (const Stop&) {
  }
  world_.finish(number_);
}

Situation SimOperator::judge(const View& view) {
  Situation s;
  const std::string current = view.labels.current;
  s.retire = true;
  const MonoTime now = world_.clock().mono();
  if (world_.rollback_of() == current) {
    s.rollback = true;
    s.permit = engine::next_version(view);
  } else if (world_.rotation_due() && now >= not_before_) {
    s.permit = engine::next_version(view);
  }
  s.clean_up = cleaned_up_ == MonoTime{} ? world_.calm() : now - cleaned_up_ > kCleanUpEvery;
  world_.cluster().judge(number_, view, s);
  return s;
}

Result<SimCluster::Current> SimOperator::current() {
  auto read = world_.get_value(world_.arn(), "", "AWSCURRENT");
  if (!read.ok()) return std::move(read).error();
  return SimCluster::Current{read->version_id, std::string(read->value.reveal())};
}

Duration SimOperator::pass() {
  auto view = engine_->look(world_.arn());
  if (!view.ok()) return kPoll;
  engine::Pass values;
  for (int turn = 0; turn < kTurns; ++turn) {
    const Situation s = judge(*view);
    const Decision d = engine_->decide(*view, s);
    world_.fired(d.row);
    world_.tell("leader " + std::to_string(number_) + " decides " +
                std::string(to_string(d.action)) + " row " + std::to_string(d.row) + " " +
                d.version_id.substr(0, 18) + " " + d.reason);
    world_.said(d.reason + " " + d.message);
    if (d.action == Action::Sync) {
      world_.cluster().look_at_target(number_);
      const auto value = engine_->value(*view, d.version_id, values);
      if (!value.ok()) return kPoll;
      if (!world_.cluster().sync(number_, d.version_id, std::string((*value)->reveal())))
        return Duration(500);
      continue;
    }
    if (d.action == Action::Rollout) {
      const Duration wait = world_.cluster().roll_out(number_);
      if (wait > Duration(0)) return wait;
      continue;
    }
    if (d.action == Action::Refuse && s.rollback) {
      world_.rollback_answered();
      world_.cluster().cannot_roll_back(number_);
      continue;
    }
    if (d.action == Action::CarryBack && s.rollback)
      world_.cluster().rolls_back(number_, d.version_id);
    const StepResult r = engine_->perform(*view, d, s, values);
    if (r.event == Event::GaveUp)
      not_before_ = world_.clock().mono() + kBackOff * (1 << std::min(given_up_++, 4));
    if (r.event == Event::Finished) given_up_ = 0;
    if (r.event == Event::Retired || r.event == Event::Kept) world_.cluster().retired(number_);
    if (r.event == Event::CleanedUp) cleaned_up_ = world_.clock().mono();
    world_.tell("leader " + std::to_string(number_) + "   " + std::string(to_string(r.event)) +
                " " + r.note);
    world_.said(r.note + r.cleaned_up + " " + r.error.message);
    if (r.kind == StepResult::Kind::Progress) continue;
    if (r.kind == StepResult::Kind::After) return r.delay;
    if (r.kind == StepResult::Kind::Retry) return std::max(r.delay, Duration(5000));
    return kPoll;
  }
  return Duration(1000);
}

}  // namespace keyturn::simulation
