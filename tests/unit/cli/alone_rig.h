// The engine alone on fake time, a fake Secrets Manager and the simulation's fake backends, for
// tests of the errands behind `keyturn secret`. Waiting moves the clock.
#pragma once

#include <algorithm>
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

}  // namespace keyturn::cli
