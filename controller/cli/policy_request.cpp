#include "controller/cli/policy_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/cli/aws_access.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {

Result<std::string> annotate(Cluster& cluster, const rotation::Policy& policy,
                             const std::vector<std::string>& annotations) {
  // A request counts by whole seconds, and only if it is newer than the current version, of which
  // the status may not tell yet: the next second is newer than all that is there now.
  const Duration second{1000};
  WallTime asked = std::chrono::floor<std::chrono::seconds>(cluster.clock().now()) + second;
  const auto& created = policy.status.current_version_created;
  if (created) asked = std::max(asked, *created + second);
  const std::string text = format_rfc3339(asked);
  nlohmann::json values;
  for (const auto& name : annotations) values[name] = text;
  auto patched = cluster.client().merge_patch(kube::kRotationPolicies, policy.ns, policy.name,
                                              {{"metadata", {{"annotations", values}}}});
  if (!patched) return std::move(patched).error();
  return text;
}

Result<engine::Traits> traits_of(const rotation::Policy& policy) {
  const rotation::StrategySpec spec = rotation::strategy_at_work(policy, policy.status);
  auto strategy = engine::make_strategy(spec.name, spec.options);
  if (!strategy) return std::move(strategy).error().with_context(policy.key());
  return (*strategy)->traits();
}

SecretSight look_at_secret(const rotation::Policy& policy) {
  SecretSight sight;
  auto access = AwsAccess::create({.region = policy.spec.region});
  if (!access) {
    sight.trouble = "no AWS access from here (" + access.error().message + ")";
    return sight;
  }
  auto secret = (*access)->secrets().describe(
      policy.status.secret_arn.empty() ? policy.spec.secret_id : policy.status.secret_arn);
  if (!secret) {
    sight.trouble = secret.error().message;
  } else {
    sight.labels = engine::read_labels(secret->arn, secret->stages);
  }
  return sight;
}

std::string retiring_version(const rotation::Policy& policy, const SecretSight& secret) {
  if (!secret.trouble.empty())
    return policy.status.retiring ? policy.status.retiring->version_id : std::string();
  const engine::Labels& l = secret.labels;
  const bool attempt = l.baton == l.current || (l.baton == l.latest && l.latest != l.current);
  return attempt ? std::string() : l.baton;
}

std::string revocable_version(const rotation::Policy& policy, const SecretSight& secret) {
  const std::string marked = retiring_version(policy, secret);
  const auto& waiting = policy.status.retiring;
  if (!marked.empty() || !waiting || !secret.labels.baton.empty()) return marked;
  return waiting->version_id == secret.labels.previous ? waiting->version_id : std::string();
}

}  // namespace keyturn::cli
