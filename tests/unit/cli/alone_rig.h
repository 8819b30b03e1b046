// The engine alone on fake time, a fake Secrets Manager and the simulation's fake backends, for
// tests of the errands behind `keyturn secret`. Waiting moves the clock.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/cli/secret_errands.h"
#include "lib/base/rng.h"
#include "tests/simulation/backends.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::cli {

// Whoever waits on it has already waited.
class WillingClock final : public Clock {
 public:
  explicit WillingClock(testing::FakeClock& fake) : fake_(fake) {}
  WallTime now() const override { return fake_.now(); }
  MonoTime mono() const override { return fake_.mono(); }
  bool wait_until(std::unique_lock<std::mutex>&, std::condition_variable&,
                  MonoTime deadline) override {
    if (deadline > fake_.mono()) fake_.advance(deadline - fake_.mono());
    return false;
  }

 private:
  testing::FakeClock& fake_;
};

enum class Kind { Minting, ForwardOnly, None };

struct AloneRig {
  explicit AloneRig(Kind kind) : secrets(fake), tokens(fake), clock(fake), rng(7) {
    arn = secrets.add_secret("shop/orders", "t0;user=shop");
    first = secrets.holder(arn, "AWSCURRENT");
    tokens.add("t0");
    password.become("t0");
    strategy = kind == Kind::Minting       ? simulation::make_minting(tokens)
               : kind == Kind::ForwardOnly ? simulation::make_forward_only(password)
                                           : simulation::make_none();
    restart();
    fake.advance(Duration(3'600'000));
  }

  // A new process.
  void restart() {
    alone.reset(new Alone{.secret_id = "shop/orders",
                          .secrets = secrets,
                          .strategy = *strategy,
                          .clock = clock,
                          .rng = rng});
    alone->tell = [this](const Progress& progress) { told.push_back(progress); };
  }

  std::string holder(const std::string& label) const { return secrets.holder(arn, label); }
  std::string credential() const {
    return simulation::credential_of(secrets.value_at(arn, "AWSCURRENT").value_or(""));
  }
  bool was_told(const std::string& event) const {
    return std::any_of(told.begin(), told.end(), [&](const auto& p) { return p.event == event; });
  }
  bool has_called(const std::string& operation) const {
    const auto calls = secrets.calls();
    return std::any_of(calls.begin(), calls.end(),
                       [&](const auto& call) { return call.operation == operation; });
  }

  testing::FakeClock fake;
  testing::FakeSecretsManager secrets;
  simulation::TokenBackend tokens;
  simulation::PasswordBackend password;
  WillingClock clock;
  SeededRng rng;
  std::unique_ptr<engine::Strategy> strategy;
  std::unique_ptr<Alone> alone;
  std::string arn, first;
  std::vector<Progress> told;
};

struct Death {};

// Runs `command` on fresh rigs made by `prepare`, each dying at its n-th request to Secrets Manager
// or the backend, before or after it was carried out; then again, to its end, and `check`s. The
// number of deaths.
inline int die_at_every_request(Kind kind, const std::function<void(AloneRig&)>& prepare,
                                const std::function<void(AloneRig&)>& command,
                                const std::function<void(AloneRig&)>& check) {
  int deaths = 0;
  for (const bool after : {false, true}) {
    for (int n = 1;; ++n) {
      AloneRig rig(kind);
      prepare(rig);
      int seen = 0;
      const auto maybe_die = [&](bool is_after) -> std::optional<Error> {
        if (is_after == after && ++seen == n) throw Death();
        return std::nullopt;
      };
      rig.secrets.set_fault([&](const auto&, auto when) {
        return maybe_die(when == testing::FakeSecretsManager::When::After);
      });
      rig.tokens.hook = [&](const auto&, auto when) {
        return maybe_die(when == simulation::When::After);
      };
      rig.password.hook = rig.tokens.hook;
      bool died = false;
      try {
        command(rig);
      } catch (const Death&) {
        died = true;
        ++deaths;
      }
      rig.secrets.set_fault({});
      rig.tokens.hook = rig.password.hook = {};
      rig.restart();
      command(rig);
      check(rig);
      if (!died) break;
    }
  }
  return deaths;
}

}  // namespace keyturn::cli
