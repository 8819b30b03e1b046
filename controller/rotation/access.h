// Access rules (design 2.6): which namespace may use the operator's own AWS identity for what. No
// rule, no access.
//
// Thread rule: an AccessRules value is immutable; a reload makes a new one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::rotation {

// Every entry is a glob (lib/base/text.h): `*` stops at `/`, `**` does not; `{namespace}` stands
// for the policy's namespace. Entries of `secrets` that begin with "arn:" are matched against the
// ARN, others against the canonical name.
struct AccessRule {
  std::vector<std::string> namespaces{}, secrets{}, resources{}, backends{}, roles{};
  friend bool operator==(const AccessRule&, const AccessRule&) = default;
};

class AccessRules {
 public:
  AccessRules() = default;
  explicit AccessRules(std::vector<AccessRule> rules) : rules_(std::move(rules)) {}

  // Denied "NoAccessRule", with the rule that would allow it in the message. Secret names are
  // canonical (after resolution).
  Status secret(std::string_view ns, std::string_view canonical_name, std::string_view arn) const;
  Status resource(std::string_view ns, std::string_view arn) const;
  Status backend(std::string_view ns, std::string_view host_port) const;
  Status role(std::string_view ns, std::string_view role_arn) const;
  // Whether any rule could match this name as written, before it is resolved (so that nothing is
  // asked of AWS for nothing).
  bool might_touch_secret(std::string_view ns, std::string_view secret_id) const;

  const std::vector<AccessRule>& rules() const { return rules_; }
  friend bool operator==(const AccessRules&, const AccessRules&) = default;

 private:
  std::vector<AccessRule> rules_;
};

}  // namespace keyturn::rotation
