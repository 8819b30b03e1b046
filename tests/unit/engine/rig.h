// One secret, one backend, one engine on fake time, and a driver that does what the operator would:
// permits a rotation while the first version is current, syncs and rolls out at once, retires, and
// waits as it is told by moving the clock.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "lib/engine/engine.h"
#include "tests/simulation/backends.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::engine {

enum class Kind { Minting, SoftMinting, ForwardOnly, None };

struct Rig {
  explicit Rig(Kind kind) : kind_(kind), secrets(clock), tokens(clock), rng(7) {
    arn = secrets.add_secret("shop/orders", "t0;user=shop");
    first = secrets.holder(arn, "AWSCURRENT");
    tokens.add("t0");
    password.become("t0");
    switch (kind) {
      case Kind::Minting:
        strategy = simulation::make_minting(tokens);
        break;
      case Kind::SoftMinting:
        strategy = simulation::make_minting(tokens, {.soft_revoke = true});
        break;
      case Kind::ForwardOnly:
        strategy = simulation::make_forward_only(password);
        break;
      case Kind::None:
        strategy = simulation::make_none();
        break;
    }
    restart();
  }

  // A new process: what was only in memory is gone.
  void restart() {
    memory = std::make_unique<Memory>();
    engine =
        std::make_unique<Engine>(Engine::Deps{secrets, *strategy, *memory, clock, rng, Timing{}});
  }

  Situation judge(const View& view) {
    Situation s{.retire = retire, .clean_up = clean_up};
    if (rotate && view.labels.current == first) s.permit = next_version(view);
    if (adjust) adjust(view, s);
    return s;
  }

  // Passes until there is nothing left to do, or `max_passes`. False: still busy.
  bool run(int max_passes = 60) {
    for (int pass = 0; pass < max_passes; ++pass) {
      if (!one_pass()) return true;
    }
    return false;
  }

  bool one_pass() {
    Pass pass;
    auto view = engine->look(arn);
    if (!view.ok()) {
      clock.advance(Duration(5000));
      return true;
    }
    for (int turn = 0; turn < 30; ++turn) {
      const Situation situation = judge(*view);
      const Decision d = engine->decide(*view, situation);
      last = engine->perform(*view, d, situation, pass);
      decision = d;
      if (last.event != Event::None) events.push_back(last.event);
      if (last.event == Event::CleanedUp) clean_up = false;
      switch (last.kind) {
        case StepResult::Kind::Progress:
          continue;
        case StepResult::Kind::After:
          clock.advance(last.delay);
          return true;
        case StepResult::Kind::Retry:
          clock.advance(Duration(60'000));
          return true;
        case StepResult::Kind::Terminal:
        case StepResult::Kind::Driver:
          return false;
      }
    }
    return true;
  }

  std::string holder(std::string_view label) const {
    return secrets.holder(arn, std::string(label));
  }
  std::string current_value() const { return secrets.value_at(arn, "AWSCURRENT").value_or(""); }
  bool current_works() const {
    const std::string credential = simulation::credential_of(current_value());
    if (kind_ == Kind::None) return true;
    return kind_ == Kind::ForwardOnly ? password.accepts(credential) : tokens.accepts(credential);
  }
  int count(Event event) const {
    return static_cast<int>(std::count(events.begin(), events.end(), event));
  }
  int calls(const std::string& operation) const {
    const auto all = secrets.calls();
    return static_cast<int>(std::count_if(all.begin(), all.end(),
                                          [&](const auto& c) { return c.operation == operation; }));
  }

  const Kind kind_;
  testing::FakeClock clock;
  testing::FakeSecretsManager secrets;
  simulation::TokenBackend tokens;
  simulation::PasswordBackend password;
  SeededRng rng;
  std::unique_ptr<Strategy> strategy;
  std::unique_ptr<Memory> memory;
  std::unique_ptr<Engine> engine;
  std::string arn, first;

  bool rotate = true, retire = true, clean_up = false;
  std::function<void(const View&, Situation&)> adjust;
  StepResult last;
  Decision decision;
  std::vector<Event> events;
};

}  // namespace keyturn::engine
