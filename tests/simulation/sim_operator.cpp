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

bool SimOperator::gate_open(const std::string& current) const {
  const auto& cluster = world_.cluster();
  if (cluster.version != current) return false;
  return std::all_of(cluster.pods.begin(), cluster.pods.end(),
                     [&](const SimWorld::Pod& pod) { return pod.value == cluster.value; });
}

Situation SimOperator::judge(const View& view) {
  Situation s;
  const std::string current = view.labels.current;
  s.retire = true;
  s.targets_synced = world_.cluster().version == current;
  s.gate_open = gate_open(current);
  s.rolled_out = !s.targets_synced || s.gate_open;
  s.gate_still_open = [this, current] { return gate_open(current); };
  const MonoTime now = world_.clock().mono();
  if (world_.rollback_of() == current) {
    s.rollback = true;
    s.permit = engine::next_version(view);
  } else if (world_.rotation_due() && now >= not_before_) {
    s.permit = engine::next_version(view);
  }
  s.clean_up = cleaned_up_ == MonoTime{} ? world_.calm() : now - cleaned_up_ > kCleanUpEvery;
  return s;
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
    if (d.action == Action::Sync) {
      const int resource_version = world_.cluster().resource_version;
      const auto value = engine_->value(*view, d.version_id, values);
      if (!value.ok()) return kPoll;
      if (!world_.apply_secret(d.version_id, std::string((*value)->reveal()), resource_version))
        return Duration(500);
      continue;
    }
    if (d.action == Action::Rollout) {
      world_.restart_pods();
      continue;
    }
    const StepResult r = engine_->perform(*view, d, s, values);
    if (r.event == Event::GaveUp)
      not_before_ = world_.clock().mono() + kBackOff * (1 << std::min(given_up_++, 4));
    if (r.event == Event::Finished) given_up_ = 0;
    if (r.event == Event::CleanedUp) cleaned_up_ = world_.clock().mono();
    if (d.action == Action::Refuse && s.rollback) world_.rollback_answered();
    world_.tell("leader " + std::to_string(number_) + "   " + std::string(to_string(r.event)) +
                " " + r.note);
    if (r.kind == StepResult::Kind::Progress) continue;
    if (r.kind == StepResult::Kind::After) return r.delay;
    if (r.kind == StepResult::Kind::Retry) return std::max(r.delay, Duration(5000));
    return kPoll;
  }
  return Duration(1000);
}

}  // namespace keyturn::simulation
