#include "controller/rotation/policy.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"
#include "lib/base/suggest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr const char* kApiVersion = "keyturn.dev/v1alpha1";
constexpr const char* kKind = "RotationPolicy";

Error not_a_policy(const std::string& what) {
  return invalid("NotARotationPolicy",
                 what + "; expected apiVersion " + kApiVersion + ", kind " + kKind);
}

Status check_envelope(const json& object) {
  if (!object.is_object()) return not_a_policy("this is no object");
  // Items of a typed list may lack both; another value in either means another kind of object.
  const std::string version = text_of(object, "apiVersion");
  const std::string kind = text_of(object, "kind");
  if (!version.empty() && version != kApiVersion) {
    return not_a_policy("apiVersion is \"" + printable(version, 80) + "\"");
  }
  if (!kind.empty() && kind != kKind)
    return not_a_policy("kind is \"" + printable(kind, 80) + "\"");
  const json& metadata = member_of(object, "metadata");
  if (!metadata.is_object()) return not_a_policy("metadata is missing");
  if (text_of(metadata, "name").empty()) return not_a_policy("metadata.name is missing");
  return {};
}

void read_metadata(const json& metadata, Policy& policy) {
  policy.name = text_of(metadata, "name");
  policy.ns = text_of(metadata, "namespace");
  policy.uid = text_of(metadata, "uid");
  policy.resource_version = text_of(metadata, "resourceVersion");
  policy.generation = integer_of(metadata, "generation");
  policy.created = time_of(metadata, "creationTimestamp").value_or(WallTime{});
  policy.deleted = time_of(metadata, "deletionTimestamp");
  const json& finalizers = member_of(metadata, "finalizers");
  if (finalizers.is_array()) {
    for (const json& item : finalizers) {
      if (!item.is_string()) continue;
      if (item == kFinalizer) {
        policy.has_finalizer = true;
      } else {
        policy.foreign_finalizers.push_back(item.get<std::string>());
      }
    }
  }
  const json& annotations = member_of(metadata, "annotations");
  policy.rotate_requested_at = text_of(annotations, kRotateRequested);
  policy.sync_requested_at = text_of(annotations, kSyncRequested);
  policy.rollback_requested_at = text_of(annotations, kRollbackRequested);
  policy.revoke_requested_at = text_of(annotations, kRevokeRequested);
}

PolicySpec read_all(const json& object, Problems& problems) {
  static constexpr std::array<std::string_view, 5> kTop{"apiVersion", "kind", "metadata", "spec",
                                                        "status"};
  for (const auto& [name, unused] : object.items()) {
    if (std::find(kTop.begin(), kTop.end(), name) != kTop.end()) continue;
    problems.add(printable(name, 80), "unknown field" + did_you_mean(name, kTop));
  }
  if (!object.contains("spec")) {
    problems.add("spec", "is required");
    return {};
  }
  return read_spec(object.at("spec"), problems);
}

}  // namespace

const IdentityRef& PolicySpec::identity() const {
  static const IdentityRef kOperator;
  return other_identity ? *other_identity : kOperator;
}

const Condition* PolicyStatus::condition(std::string_view type) const {
  const auto it = std::find_if(conditions.begin(), conditions.end(),
                               [&](const Condition& c) { return c.type == type; });
  return it == conditions.end() ? nullptr : &*it;
}

Result<Policy> parse_policy(const json& object) {
  if (Status ok = check_envelope(object); !ok) return std::move(ok).error();
  Policy policy;
  read_metadata(object.at("metadata"), policy);
  Problems problems;
  policy.spec = read_all(object, problems);
  if (!problems.empty()) policy.invalid = invalid("InvalidSpec", join(problems.list(), "; "));
  policy.status = read_status(member_of(object, "status"));
  return policy;
}

std::vector<std::string> policy_problems(const json& object) {
  if (const Status ok = check_envelope(object); !ok) return {ok.error().message};
  Problems problems;
  read_all(object, problems);
  return problems.list();
}

StrategySpec strategy_at_work(const Policy& policy, const PolicyStatus& status) {
  const auto& began = status.rotation;
  if (!began || began->strategy.empty() || began->strategy == policy.spec.strategy.name)
    return policy.spec.strategy;
  return {began->strategy, began->options.empty() ? "{}" : began->options};
}

bool rotates(const Policy& policy, const PolicyStatus& status) {
  return strategy_at_work(policy, status).name != "syncOnly";
}

}  // namespace keyturn::rotation
