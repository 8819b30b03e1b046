// A strategy with a rule taken away, for the exhaustive exploration. What is no rule is forwarded.
// Thread rule: as the strategy that it wraps.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "lib/engine/strategy.h"
#include "tests/simulation/backends.h"
#include "tests/simulation/model_world.h"

namespace keyturn::simulation::model {

class Careless final : public engine::Strategy {
 public:
  // `numbered`: names the values of the strategy without a backend, which draws them, so that the
  // model can tell them apart.
  Careless(std::unique_ptr<engine::Strategy> real, const Rules& rules, Passwords* numbered)
      : real_(std::move(real)), rules_(rules), numbered_(numbered) {}
  const engine::Traits& traits() const override { return real_->traits(); }
  Status recognise(const SecretString& c) const override { return real_->recognise(c); }
  Result<SecretString> create(const engine::StepContext& x, const SecretString& c) const override {
    if (numbered_ == nullptr) return real_->create(x, c);
    return SecretString(make_value(numbered_->choose(*x.rng), others_of(c.reveal())));
  }
  Status discard(const engine::StepContext& x, const SecretString& m) const override {
    return real_->discard(x, m);
  }
  Result<engine::SetResult> set(const engine::StepContext& x, const SecretString& p,
                                const SecretString& c, const SecretString* v) const override {
    return real_->set(x, p, c, v);
  }
  engine::TestResult test(const engine::StepContext& x, const SecretString& v) const override {
    return real_->test(x, v);
  }
  Status retire(const engine::StepContext& x, const SecretString& r, const SecretString& c,
                const std::function<bool()>& f) const override {
    return real_->retire(x, r, c, confirming(f));
  }
  Status abandon(const engine::StepContext& x, const SecretString& p,
                 const std::function<bool()>& f) const override {
    return real_->abandon(x, p, confirming(f));
  }
  Status restore(const engine::StepContext& x, const SecretString& v,
                 const SecretString* o) const override {
    return rules_.restores ? real_->restore(x, v, o) : Status();
  }
  bool same_credential(const SecretString& a, const SecretString& b) const override {
    return rules_.compares && real_->same_credential(a, b);
  }
  Result<SecretString> carry(const SecretString& f, const SecretString& o) const override {
    return real_->carry(f, o);
  }
  Result<std::vector<engine::Leftover>> leftovers(const engine::StepContext& x,
                                                  const SecretString& c) const override {
    if (!rules_.leftovers) return std::vector<engine::Leftover>();
    return real_->leftovers(x, c);
  }
  bool is_leftover(const engine::Leftover& l, const SecretString& v) const override {
    return real_->is_leftover(l, v);
  }
  Status revoke_leftover(const engine::StepContext& x, const engine::Leftover& l,
                         const SecretString& c) const override {
    return real_->revoke_leftover(x, l, c);
  }
  Result<References> references(const SecretString& c) const override {
    return real_->references(c);
  }

 private:
  std::function<bool()> confirming(const std::function<bool()>& confirm) const {
    if (rules_.confirm) return confirm;
    return [] { return true; };
  }

  const std::unique_ptr<engine::Strategy> real_;
  const Rules& rules_;
  Passwords* const numbered_;
};

}  // namespace keyturn::simulation::model
