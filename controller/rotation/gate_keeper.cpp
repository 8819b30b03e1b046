#include "controller/rotation/gate_keeper.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"
#include "controller/rotation/rollout_status.h"
#include "controller/rotation/secret_knowledge.h"
#include "controller/rotation/status.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr int kPage = 250;
constexpr int kMostPages = 400;
constexpr std::size_t kMostHolders = 50;  // enough to know and to name
// Pods that ended hold nothing and may be many (Jobs).
constexpr const char* kLiving = "status.phase!=Succeeded,status.phase!=Failed";

// The targets that a policy keeps up; of one whose spec cannot be read, those that it kept up last.
std::vector<TargetSpec> targets_of(const Policy& policy, const PolicyStatus& status) {
  if (!policy.invalid) return policy.spec.targets;
  std::vector<TargetSpec> targets;
  for (const TargetStatus& target : status.targets) targets.push_back({.name = target.name});
  return targets;
}

// Why a roll-out will not end by itself: the reason of its condition, or "".
std::string rollout_trouble(const PolicyStatus& status) {
  const Condition* told = status.condition(kRolledOut);
  if (!told || told->status != "False") return "";
  const bool stuck = told->reason == kHeldBack || told->reason == kRolloutTimedOut ||
                     told->reason == kRolloutFailed;
  return stuck ? told->reason : "";
}

}  // namespace

FollowerView GateKeeper::view(const Policy& policy, bool allowed, const Question& question) const {
  const bool is_asker = question.own && policy.key() == question.asker;
  const PolicyStatus status = is_asker ? *question.own : deps_.status(policy);
  FollowerView view{.ns = policy.ns,
                    .name = policy.name,
                    .allowed = allowed,
                    .reloads_volumes = policy.spec.rollout.reloads_volumes,
                    .targets = {}};
  const std::string trouble = rollout_trouble(status);
  const bool drill = question.drill_since.has_value();
  const bool late =
      drill && deps_.clock.now() >= *question.drill_since + policy.spec.rollout.timeout;
  const auto pending = pending_targets(policy, status);
  for (const TargetSpec& target : targets_of(policy, status)) {
    const auto known = std::find_if(status.targets.begin(), status.targets.end(),
                                    [&](const TargetStatus& t) { return t.name == target.name; });
    FollowedTarget followed{.secret = target.name};
    if (known != status.targets.end() && !known->version_id.empty()) {
      followed.ever_synced = true;
      followed.in_sync = known->version_id == question.version_id && known->synced_at &&
                         ((is_asker && question.just_synced) ||
                          deps_.in_sync(policy, target, status.secret_arn, question.version_id));
      followed.written = known->synced_at.value_or(WallTime{});
    }
    if (late) {
      followed.given_up = "for longer than its rollout.timeout";
    } else if (drill && followed.in_sync) {  // else what the status says is of another version
      followed.given_up = trouble;
    }
    followed.rolled_out = (!drill && trouble == kHeldBack) ||
                          std::none_of(pending.begin(), pending.end(), [&](const PendingTarget& p) {
                            return p.secret == target.name;
                          });
    view.targets.push_back(std::move(followed));
  }
  return view;
}

std::vector<FollowerView> GateKeeper::followers(const Question& question) const {
  const std::string group = arn_without_region(question.arn);
  std::map<std::string, bool> allowed;  // as passes have learned
  for (const Follower& follower : deps_.owners.followers(question.arn))
    allowed[follower.key] = follower.allowed;
  std::vector<Policy> found;  // copies: the visit must be quick
  deps_.for_each_policy([&](const Policy& policy) {
    if (policy.deleted && policy.key() != question.asker) return;
    const std::string& arn = policy.status.secret_arn;
    if (allowed.contains(policy.key()) || (!arn.empty() && arn_without_region(arn) == group))
      found.push_back(policy);
  });
  std::vector<FollowerView> views;
  for (const Policy& policy : found) {
    const auto known = allowed.find(policy.key());
    const bool may = known != allowed.end() ? known->second : deps_.allowed(policy);
    views.push_back(view(policy, may, question));
  }
  return views;
}

Status GateKeeper::look_at_pods(const std::string& ns, const WrittenSecrets& secrets,
                                const Question& question, GateVerdict& verdict) const {
  const WallTime now = deps_.clock.now();
  kube::ListOptions options{.field_selector = kLiving, .limit = kPage};
  for (int page = 0; page < kMostPages; ++page) {
    auto meta =
        deps_.client.list_each(kube::kPods, ns, options, {}, [&](const json& pod) -> Status {
          if (verdict.waiting_for.size() >= kMostHolders) return {};
          const std::string why = may_hold(pod, secrets, question.propagation, now);
          if (!why.empty()) {
            verdict.waiting_for.push_back(
                "Pod " + ns + "/" + text_of(member_of(pod, "metadata"), "name") + " (" + why + ")");
          }
          return {};
        });
    if (!meta) return std::move(meta).error().with_context("pods of namespace " + ns);
    options.continue_token = meta->continue_token;
    if (options.continue_token.empty()) return {};
  }
  return make_error(
      ErrorClass::Unavailable, "TooManyPods",
      "namespace " + ns + " has more than " + std::to_string(kPage * kMostPages) + " pods");
}

Result<GateVerdict> GateKeeper::ask(const Question& question) const {
  const auto all = followers(question);
  GateVerdict verdict = judge_followers(all, question.after);
  if (!verdict.open || question.after != RetireAfter::Rollout || question.drill_since)
    return verdict;
  const auto spread = all_spread(all, question.propagation);
  if (spread && deps_.clock.now() < *spread) {
    verdict.waiting_for.push_back("the new value to spread until " + format_rfc3339(*spread));
  } else {
    std::map<std::string, WrittenSecrets> by_namespace;
    for (const FollowerView& follower : all) {
      for (const FollowedTarget& target : follower.targets) {
        if (follower.allowed && target.in_sync)
          by_namespace[follower.ns][target.secret] = {target.written, follower.reloads_volumes};
      }
    }
    for (const auto& [ns, secrets] : by_namespace) {
      if (auto looked = look_at_pods(ns, secrets, question, verdict); !looked)
        return std::move(looked).error();
    }
  }
  verdict.open = verdict.waiting_for.empty();
  return verdict;
}

}  // namespace keyturn::rotation
