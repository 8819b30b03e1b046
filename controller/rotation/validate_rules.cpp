#include "controller/rotation/validate_rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "controller/rotation/template.h"
#include "controller/rotation/validate_names.h"
#include "lib/base/suggest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/schedule.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::rotation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr Duration kRefreshLeast = minutes(1);
constexpr Duration kRefreshMost = hours(8760);
constexpr Duration kTimeoutLeast = std::chrono::seconds(1);
constexpr Duration kTimeoutMost = hours(24);
constexpr Duration kGraceMost = hours(8760);

void check_secret(const PolicySpec& spec, Problems& problems) {
  if (!spec.secret_id.empty() && !is_secret_id(spec.secret_id)) {
    problems.add("spec.secretId",
                 "must be a secret's name (letters, digits and /_+=.@!-) or its ARN");
  }
  if (spec.region.empty()) return;
  if (!is_region(spec.region)) {
    problems.add("spec.region", "must be an AWS region such as eu-west-1");
    return;
  }
  const std::string_view region = region_of_secret_id(spec.secret_id);
  if (!region.empty() && region != spec.region) {
    problems.add("spec.region", "contradicts the region in the ARN of spec.secretId; leave it out");
  }
}

bool is_external_id(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_+=,.@:/-").find(c) != std::string_view::npos;
  });
}

void check_identity(const IdentityRef& identity, Problems& problems) {
  if (!identity.service_account_name.empty() && !identity.secret_ref_name.empty()) {
    problems.add("spec.identity", "serviceAccountName and secretRef exclude each other; keep one");
  }
  if (!identity.service_account_name.empty() && !is_dns_subdomain(identity.service_account_name)) {
    problems.add("spec.identity.serviceAccountName",
                 "must be the name of a ServiceAccount in this namespace");
  }
  if (!identity.secret_ref_name.empty() && !is_dns_subdomain(identity.secret_ref_name)) {
    problems.add("spec.identity.secretRef.name", "must be the name of a Secret in this namespace");
  }
  if (!identity.role_arn.empty() && !is_role_arn(identity.role_arn)) {
    problems.add("spec.identity.roleArn",
                 "must be a role's ARN such as arn:aws:iam::123456789012:role/name");
  }
  if (identity.external_id.empty()) return;
  if (identity.role_arn.empty()) {
    problems.add("spec.identity.externalId",
                 "needs roleArn: it is a condition in that role's trust");
  }
  if (!is_external_id(identity.external_id)) {
    problems.add("spec.identity.externalId", "must be letters, digits and _+=,.@:/-");
  }
}

// Unknown names were reported before, in the words of the CRD's rule; so were options that are no
// object.
void check_strategy(const StrategySpec& strategy, Problems& problems) {
  const auto known = engine::strategy_names();
  if (std::find(known.begin(), known.end(), strategy.name) == known.end() ||
      !strategy.options.starts_with('{'))
    return;
  if (const auto made = engine::make_strategy(strategy.name, strategy.options); !made) {
    problems.add(made.error().message);
  }
}

bool is_time_zone(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("+_/-").find(c) != std::string_view::npos;
  });
}

void check_schedule(const PolicySpec& spec, Problems& problems) {
  if (!spec.schedule) return;
  if (spec.strategy.name == "syncOnly") {
    problems.add("spec.schedule",
                 "syncOnly never rotates: remove the schedule, or choose a strategy that rotates");
  }
  const ScheduleSpec& schedule = *spec.schedule;
  if (schedule.expression.empty()) return;
  const bool aws =
      schedule.expression.starts_with("rate(") || schedule.expression.starts_with("cron(");
  if (!schedule.time_zone.empty() && !is_time_zone(schedule.time_zone)) {
    problems.add("spec.schedule.timeZone", "must be an IANA time zone such as Europe/Berlin");
    return;
  }
  if (aws && !schedule.time_zone.empty()) {
    problems.add("spec.schedule.timeZone",
                 "goes only with a 5-field cron; rate() and cron() are in UTC");
    return;
  }
  const auto parsed =
      engine::Schedule::parse(schedule.expression, schedule.time_zone, schedule.window);
  if (!parsed) problems.add("spec.schedule", parsed.error().message);
}

// What the API server demands of a Secret of that type (core/v1 Secret types).
void check_typed_keys(const TargetSpec& target, const std::string& path, Problems& problems) {
  const auto has = [&](std::string_view key) {
    return std::any_of(target.data.begin(), target.data.end(),
                       [&](const auto& entry) { return entry.first == key; });
  };
  if (!target.has_data || target.type == "Opaque")
    return;  // the default mapping: known only with the value
  if (target.type == "kubernetes.io/tls" && !(has("tls.crt") && has("tls.key"))) {
    problems.add(path, "type kubernetes.io/tls needs the keys tls.crt and tls.key in data");
  }
  if (target.type == "kubernetes.io/basic-auth" && !has("username") && !has("password")) {
    problems.add(path, "type kubernetes.io/basic-auth needs the key username or password in data");
  }
  if (target.type == "kubernetes.io/dockerconfigjson" && !has(".dockerconfigjson")) {
    problems.add(path,
                 "type kubernetes.io/dockerconfigjson needs the key .dockerconfigjson in data");
  }
  if (target.type == "kubernetes.io/ssh-auth" && !has("ssh-privatekey")) {
    problems.add(path, "type kubernetes.io/ssh-auth needs the key ssh-privatekey in data");
  }
}

void check_metadata(const std::map<std::string, std::string>& entries, const std::string& path,
                    bool labels, Problems& problems) {
  for (const auto& [key, value] : entries) {
    const std::string entry = path + "[" + printable(key, 80) + "]";
    if (!is_label_key(key)) {
      problems.add(entry, "keys must be [prefix/]name as Kubernetes has it");
    } else if (is_reserved_key(key)) {
      problems.add(entry,
                   "is reserved: keys of Keyturn, of Kubernetes and of tools that act on Secrets "
                   "may not be set");
    }
    if (labels && !is_label_value(value)) {
      problems.add(entry,
                   "label values must be at most 63 letters, digits and -_. with a letter or digit "
                   "at both ends");
    }
  }
}

void check_target(const TargetSpec& target, const std::string& path, Problems& problems) {
  if (!target.name.empty() && !is_dns_subdomain(target.name)) {
    problems.add(path + ".name", "must be a Secret's name: lower case letters, digits, - and .");
  }
  for (const auto& [key, text] : target.data) {
    const std::string entry = path + ".data[" + printable(key, 80) + "]";
    if (!is_data_key(key))
      problems.add(entry, "keys must be letters, digits and -_. as in any Secret");
    if (const auto parsed = Template::parse(text); !parsed)
      problems.add(entry, parsed.error().message);
  }
  check_typed_keys(target, path, problems);
  check_metadata(target.labels, path + ".metadata.labels", true, problems);
  check_metadata(target.annotations, path + ".metadata.annotations", false, problems);
}

void check_targets(const PolicySpec& spec, Problems& problems) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < spec.targets.size(); ++i) {
    const TargetSpec& target = spec.targets[i];
    const std::string path = "spec.targets[" + std::to_string(i) + "]";
    check_target(target, path, problems);
    if (target.name.empty()) continue;
    if (!seen.insert(target.name).second) {
      problems.add(path + ".name", "Duplicate value: another target has the name " +
                                       printable(target.name, 80) +
                                       "; put its keys into one target");
    }
    if (target.name == spec.identity().secret_ref_name) {
      problems.add(
          path + ".name",
          "a target must not be the Secret that spec.identity.secretRef reads its keys from");
    }
  }
}

void check_rollout(const PolicySpec& spec, Problems& problems) {
  const RolloutSpec& rollout = spec.rollout;
  if (rollout.restart == Restart::Listed && rollout.workloads.empty()) {
    problems.add("spec.rollout.workloads",
                 "is needed: restart Listed restarts the workloads listed here");
  }
  if (rollout.restart != Restart::Listed && !rollout.workloads.empty()) {
    problems.add("spec.rollout.workloads",
                 "goes only with restart Listed; Auto finds the workloads itself");
  }
  std::set<WorkloadRef> seen;
  for (std::size_t i = 0; i < rollout.workloads.size(); ++i) {
    const WorkloadRef& workload = rollout.workloads[i];
    const std::string path = "spec.rollout.workloads[" + std::to_string(i) + "]";
    if (!workload.name.empty() && !is_dns_subdomain(workload.name)) {
      problems.add(path + ".name",
                   "must be a workload's name: lower case letters, digits, - and .");
    }
    if (!seen.insert(workload).second) {
      problems.add(path, "Duplicate value: " + workload.kind + "/" + printable(workload.name, 80) +
                             " is listed already");
    }
  }
  if (rollout.timeout < kTimeoutLeast || rollout.timeout > kTimeoutMost)
    problems.add("spec.rollout.timeout", "must be between 1s and 24h");
  if (rollout.on_failure == OnFailure::Rollback && spec.strategy.name == "syncOnly")
    problems.add("spec.rollout", "syncOnly makes no version to go back to: use Hold");
  if (spec.retirement.grace_period > kGraceMost)
    problems.add("spec.retirement.gracePeriod", "must be at most 8760h");
}

}  // namespace

std::optional<Duration> policy_duration(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t digits = rest.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos || digits > 6) return std::nullopt;
    if (std::string_view("smh").find(rest[digits]) == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(digits + 1);
  }
  if (text.empty() || text.size() > 16) return std::nullopt;
  const auto parsed = parse_duration(text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

void check_strategy_names(const nlohmann::json& strategy, Problems& problems) {
  const auto known = engine::strategy_names();
  std::string choices;
  for (const std::string_view name : known)
    choices += (choices.empty() ? "" : ", ") + std::string(name);
  std::string detail;
  const auto later = later_strategies();
  for (const auto& [name, unused] : strategy.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (std::find(later.begin(), later.end(), name) != later.end()) {
      detail += "; " + name + " is not in this version";
    } else {
      detail += "; \"" + printable(name, 80) + "\" is unknown" + did_you_mean(name, known);
    }
  }
  if (strategy.size() == 1 && detail.empty()) return;
  if (strategy.empty()) detail = "; it is empty";
  problems.add("spec.strategy", "must hold exactly one of " + choices + detail);
}

void check_rules(const PolicySpec& spec, Problems& problems) {
  check_secret(spec, problems);
  check_strategy(spec.strategy, problems);
  check_identity(spec.identity(), problems);
  check_schedule(spec, problems);
  if (spec.refresh_interval < kRefreshLeast || spec.refresh_interval > kRefreshMost) {
    problems.add("spec.refreshInterval", "must be between 1m and 8760h");
  }
  check_targets(spec, problems);
  check_rollout(spec, problems);
}

}  // namespace keyturn::rotation
