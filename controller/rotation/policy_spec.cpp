#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"
#include "controller/rotation/validate_names.h"
#include "controller/rotation/validate_rules.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

Boxed<IdentityRef> read_identity(const json& identity) {
  IdentityRef ref;
  ref.service_account_name = text_of(identity, "serviceAccountName");
  ref.secret_ref_name = text_of(member_of(identity, "secretRef"), "name");
  ref.role_arn = text_of(identity, "roleArn");
  ref.external_id = text_of(identity, "externalId");
  if (ref == IdentityRef()) return std::nullopt;
  return ref;
}

StrategySpec read_strategy(const json& strategy, Problems& problems) {
  if (!strategy.is_object()) return {};
  check_strategy_names(strategy, problems);
  if (strategy.size() != 1) return {};
  return {strategy.begin().key(), strategy.begin().value().dump()};
}

// Nothing for a text that is not there (its default holds) or no duration (a problem).
std::optional<Duration> read_duration(const json& object, const char* name, const std::string& path,
                                      Problems& problems) {
  const json& value = member_of(object, name);
  if (!value.is_string()) return std::nullopt;
  const auto duration = policy_duration(value.get_ref<const std::string&>());
  if (!duration) problems.add(path + "." + name, kDurationText);
  return duration;
}

Boxed<ScheduleSpec> read_schedule(const json& schedule, Problems& problems) {
  if (!schedule.is_object()) return std::nullopt;
  ScheduleSpec spec;
  spec.expression = text_of(schedule, "expression");
  spec.time_zone = text_of(schedule, "timeZone");
  spec.window = read_duration(schedule, "window", "spec.schedule", problems);
  return spec;
}

std::map<std::string, std::string> read_map(const json& map) {
  std::map<std::string, std::string> entries;
  if (!map.is_object()) return entries;
  for (const auto& [key, value] : map.items()) {
    if (value.is_string()) entries.emplace(key, value.get<std::string>());
  }
  return entries;
}

TargetSpec read_target(const json& target) {
  TargetSpec spec;
  spec.name = text_of(target, "name");
  if (std::string type = text_of(target, "type"); !type.empty()) spec.type = std::move(type);
  const json& data = member_of(target, "data");
  spec.has_data = data.is_object();
  for (auto& [key, text] : read_map(data)) spec.data.emplace_back(key, text);
  const json& metadata = member_of(target, "metadata");
  spec.labels = read_map(member_of(metadata, "labels"));
  spec.annotations = read_map(member_of(metadata, "annotations"));
  if (text_of(target, "deletionPolicy") == "Delete") spec.deletion_policy = DeletionPolicy::Delete;
  spec.adopt = flag_of(target, "adopt");
  return spec;
}

RolloutSpec read_rollout(const json& rollout, Problems& problems) {
  RolloutSpec spec;
  const std::string restart = text_of(rollout, "restart");
  spec.restart = restart == "Auto"     ? Restart::Auto
                 : restart == "Listed" ? Restart::Listed
                                       : Restart::None;
  const json& workloads = member_of(rollout, "workloads");
  if (workloads.is_array()) {
    for (const json& item : workloads)
      spec.workloads.push_back({text_of(item, "kind"), text_of(item, "name")});
  }
  if (const auto timeout = read_duration(rollout, "timeout", "spec.rollout", problems))
    spec.timeout = *timeout;
  spec.reloads_volumes = flag_of(rollout, "reloadsVolumes");
  if (text_of(rollout, "onFailure") == "Rollback") spec.on_failure = OnFailure::Rollback;
  return spec;
}

RetirementSpec read_retirement(const json& retirement, Problems& problems) {
  RetirementSpec spec;
  const std::string after = text_of(retirement, "after");
  spec.after = after == "Sync"          ? RetireAfter::Sync
               : after == "Immediately" ? RetireAfter::Immediately
                                        : RetireAfter::Rollout;
  if (const auto grace = read_duration(retirement, "gracePeriod", "spec.retirement", problems))
    spec.grace_period = *grace;
  return spec;
}

}  // namespace

PolicySpec read_spec(const json& object, Problems& problems) {
  check_shape(object, problems);
  PolicySpec spec;
  if (!object.is_object()) return spec;
  spec.secret_id = text_of(object, "secretId");
  spec.region = text_of(object, "region");
  spec.other_identity = read_identity(member_of(object, "identity"));
  spec.strategy = read_strategy(member_of(object, "strategy"), problems);
  spec.schedule = read_schedule(member_of(object, "schedule"), problems);
  spec.suspend = flag_of(object, "suspend");
  if (const auto refresh = read_duration(object, "refreshInterval", "spec", problems)) {
    spec.refresh_interval = *refresh;
  }
  const json& targets = member_of(object, "targets");
  if (targets.is_array()) {
    for (const json& target : targets) spec.targets.push_back(read_target(target));
  }
  spec.rollout = read_rollout(member_of(object, "rollout"), problems);
  spec.retirement = read_retirement(member_of(object, "retirement"), problems);
  check_rules(spec, problems);
  // An ARN says where its secret is; the operator's own region would only contradict it.
  if (spec.region.empty()) spec.region = region_of_secret_id(spec.secret_id);
  return spec;
}

}  // namespace keyturn::rotation
