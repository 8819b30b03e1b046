// What strategies have in common whose value is the credential itself: nothing to set, prove or
// revoke anywhere.
//
// Thread rule: immutable.
#pragma once

#include "lib/engine/strategy.h"

namespace keyturn::engine {

class NoBackendStrategy : public Strategy {
 public:
  Status discard(const StepContext&, const SecretString&) const override { return {}; }
  Result<SetResult> set(const StepContext&, const SecretString&, const SecretString&,
                        const SecretString*) const override {
    return SetResult{};
  }
  TestResult test(const StepContext&, const SecretString&) const override {
    return {Verdict::Accepted, "there is no system to ask", std::nullopt};
  }
  Status retire(const StepContext&, const SecretString&, const SecretString&,
                const std::function<bool()>&) const override {
    return {};
  }
  Status abandon(const StepContext&, const SecretString&,
                 const std::function<bool()>&) const override {
    return {};
  }
  Result<std::vector<Leftover>> leftovers(const StepContext&, const SecretString&) const override {
    return std::vector<Leftover>{};
  }
  bool is_leftover(const Leftover&, const SecretString&) const override { return false; }
  Status revoke_leftover(const StepContext&, const Leftover&, const SecretString&) const override {
    return {};
  }
  Result<References> references(const SecretString&) const override { return References{}; }
};

}  // namespace keyturn::engine
