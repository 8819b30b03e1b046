// What strategies have in common whose value is the credential itself: nothing to set, prove or
// revoke anywhere.
//
// Thread rule: immutable.
#pragma once

#include "lib/engine/strategies/nothing_to_revoke.h"

namespace keyturn::engine {

class NoBackendStrategy : public NothingToRevokeStrategy {
 public:
  Result<SetResult> set(const StepContext&, const SecretString&, const SecretString&,
                        const SecretString*) const override {
    return SetResult{};
  }
  TestResult test(const StepContext&, const SecretString&) const override {
    return {Verdict::Accepted, "there is no system to ask", std::nullopt};
  }
  Result<References> references(const SecretString&) const override { return References{}; }
};

}  // namespace keyturn::engine
