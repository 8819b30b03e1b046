#include "controller/rotation/access_guard.h"

namespace keyturn::rotation {

Status PolicyGuard::secret(std::string_view canonical_name, std::string_view arn) const {
  return operator_identity_ ? rules_->secret(ns_, canonical_name, arn) : Status{};
}

Status PolicyGuard::resource(std::string_view arn) const {
  return operator_identity_ ? rules_->resource(ns_, arn) : Status{};
}

Status PolicyGuard::backend(std::string_view host_port) const {
  return rules_->backend(ns_, host_port);
}

}  // namespace keyturn::rotation
