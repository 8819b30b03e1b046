// What strategies have in common that leave nothing behind at a backend: there is no second
// credential that could be revoked.
//
// Thread rule: immutable.
#pragma once

#include "lib/engine/strategy.h"

namespace keyturn::engine {

class NothingToRevokeStrategy : public Strategy {
 public:
  Status discard(const StepContext&, const SecretString&) const override { return {}; }
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
};

}  // namespace keyturn::engine
