// The access rules as a strategy asks them: for one policy's namespace. Secrets and other AWS
// resources are checked for the operator's own identity alone (a policy with an identity of its own
// is bounded by AWS), hosts of backends always.
//
// Thread rule: immutable.
#pragma once

#include <memory>
#include <string>

#include "controller/rotation/access.h"
#include "lib/engine/strategies/deps.h"

namespace keyturn::rotation {

class PolicyGuard final : public engine::AccessGuard {
 public:
  PolicyGuard(std::shared_ptr<const AccessRules> rules, std::string ns, bool operator_identity)
      : rules_(std::move(rules)), ns_(std::move(ns)), operator_identity_(operator_identity) {}

  Status secret(std::string_view canonical_name, std::string_view arn) const override;
  Status resource(std::string_view arn) const override;
  Status backend(std::string_view host_port) const override;

 private:
  std::shared_ptr<const AccessRules> rules_;
  std::string ns_;
  bool operator_identity_;
};

}  // namespace keyturn::rotation
