// `syncOnly`: the targets follow whatever becomes current; nothing is ever written to AWS.
//
// Options: none. Thread rule: immutable.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "lib/engine/strategies/no_backend.h"

namespace keyturn::engine {

class SyncOnlyStrategy final : public NoBackendStrategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  // Invalid "ReadOnly": it makes no values.
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;
};

}  // namespace keyturn::engine
