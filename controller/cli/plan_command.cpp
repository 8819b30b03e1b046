// `keyturn plan NAME`: what would happen next, why, and whether the access rules allow it. Decides
// with the operator's own code and changes nothing.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/aws_access.h"
#include "controller/cli/cli.h"
#include "controller/cli/cluster.h"
#include "controller/cli/commands.h"
#include "controller/cli/describe.h"
#include "controller/cli/plan_references.h"
#include "controller/cli/plan_waits.h"
#include "controller/rotation/operator_config.h"
#include "controller/rotation/person_requests.h"
#include "controller/rotation/rotation_due.h"
#include "lib/base/time.h"
#include "lib/engine/engine.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

using nlohmann::json;
using rotation::Policy;

struct PlanFlags {
  ClusterFlags cluster;
  std::string name;
  std::string config;
  std::string operator_config = "keyturn/keyturn";
};

int fail(const std::string& message) {
  complain("plan", message);
  return kFailed;
}

// The rules in force: a file, or the operator's ConfigMap.
Result<rotation::OperatorConfig> load_rules(Cluster& cluster, const PlanFlags& flags) {
  if (!flags.config.empty()) return rotation::load_operator_config(flags.config);
  const auto slash = flags.operator_config.find('/');
  if (slash == std::string::npos)
    return invalid("Usage", "--operator-config: write NAMESPACE/NAME of the operator's ConfigMap");
  static constexpr kube::ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
  auto map = cluster.client().get(kConfigMaps, flags.operator_config.substr(0, slash),
                                  flags.operator_config.substr(slash + 1));
  if (!map) return std::move(map).error().with_context("ConfigMap " + flags.operator_config);
  const auto text =
      map->contains("data") ? (*map)["data"].value("config.yaml", std::string()) : std::string();
  return rotation::parse_operator_config(text, "ConfigMap " + flags.operator_config);
}

std::string access_text(const Policy& policy, const Result<rotation::OperatorConfig>& config,
                        const aws::SecretMetadata* secret) {
  if (!policy.spec.identity().is_operator())
    return "the policy signs with an identity of its own; AWS decides";
  const auto* stalled = policy.status.condition("Stalled");
  if (!config && stalled && stalled->reason == "NoAccessRule")
    return "DENIED, says the operator: " + stalled->message;
  if (!config)
    return "not known: " + config.error().message +
           "; name the operator's config with --config FILE or --operator-config NAMESPACE/NAME";
  const std::string name = secret ? secret->name : policy.spec.secret_id;
  auto allowed = config->access.secret(policy.ns, name, secret ? secret->arn : name);
  return allowed ? "allowed by a rule for namespace " + policy.ns
                 : "DENIED: " + allowed.error().message;
}

Status decide(const Policy& policy, const engine::View& view, aws::SecretsManager& secrets,
              Clock& clock, Rng& rng, const rotation::OperatorConfig& config, Plan& plan) {
  auto created = rotation::created_times(secrets, view.secret.arn, view.labels, policy.status);
  if (!created) return std::move(created).error();
  auto due = rotation::judge_due(policy, policy.status, view.secret.arn, view.labels, *created,
                                 config.min_rotation_interval, clock.now(), clock.now());
  if (!due) return std::move(due).error();
  const rotation::StrategySpec spec = rotation::strategy_at_work(policy, policy.status);
  auto strategy = engine::make_strategy(spec.name, spec.options);
  if (!strategy) return std::move(strategy).error();
  engine::Memory memory;
  const engine::Engine engine({secrets, **strategy, memory, clock, rng, {}});
  engine::Situation situation;
  situation.retire = true;
  for (const auto& target : policy.status.targets)
    situation.targets_synced = situation.targets_synced && target.version_id == view.labels.current;
  const bool begins = spec.name == policy.spec.strategy.name;  // else it only ends what it began
  if (due->due && begins) situation.permit = engine::next_version(view);
  const auto requests =
      rotation::person_requests(policy, policy.status, view.labels, *created, clock.now());
  judge_waits(policy, requests, view.labels, config.propagation, clock.now(), situation, plan);
  engine::Decision decision = engine.decide(view, situation);
  if (decision.action == engine::Action::Compare) {  // they differ, but for what a person saved
    memory.remember_equal(engine.memory_key(view), decision.version_id, decision.compare_with,
                          false);
    decision = engine.decide(view, situation);
  }
  plan.next = std::string(engine::to_string(decision.action));
  plan.reason = decision.action == engine::Action::Nothing ? due->reason : decision.reason;
  plan.message = decision.action == engine::Action::Nothing ? due->message : decision.message;
  if (decision.action == engine::Action::WaitGate || decision.action == engine::Action::Rollout)
    return {};  // `when` is the wait's
  plan.when.clear();
  if (due->next)
    plan.when =
        due->due ? "now" : format_rfc3339(*due->next) + " (" + until(due->next, clock.now()) + ")";
  return {};
}

void plan_sync_only(const Policy& policy, const engine::View& view, Plan& plan) {
  bool synced = policy.status.targets.size() == policy.spec.targets.size();
  for (const auto& target : policy.status.targets)
    synced = synced && target.version_id == view.labels.current;
  plan.next = synced ? "Nothing" : "Sync";
  plan.reason = synced ? "InSync" : "OldVersion";
  plan.message = synced ? "Every target holds version " + view.labels.current + "."
                        : "The targets will be written with version " + view.labels.current + ".";
  plan.when =
      "when the secret changes; looked at every " + format_duration(policy.spec.refresh_interval);
}

int show(const Policy& policy, const Plan& plan, Output output) {
  if (output == Output::Json || output == Output::Yaml) {
    print({{"policy", policy.key()},
           {"next", plan.next},
           {"reason", plan.reason},
           {"message", plan.message},
           {"when", plan.when},
           {"access", plan.access},
           {"note", plan.note}},
          output);
  } else {
    std::printf("RotationPolicy %s\n  next      %s%s\n  why       %s\n", policy.key().c_str(),
                plan.next.c_str(), plan.reason.empty() ? "" : (" (" + plan.reason + ")").c_str(),
                plan.message.c_str());
    if (!plan.when.empty()) std::printf("  when      %s\n", plan.when.c_str());
    std::printf("  access    %s\n", plan.access.c_str());
    if (!plan.note.empty()) std::printf("  note      %s\n", plan.note.c_str());
  }
  return plan.access.starts_with("DENIED") || plan.next == "Refuse" ? kFailed : kDone;
}

// Who owns a secret is known to the operator alone, which sees every policy.
bool owned_by_another(const Policy& policy, Plan& plan) {
  const auto* stalled = policy.status.condition("Stalled");
  if (!stalled || stalled->reason != "SecretHasAnotherOwner" ||
      stalled->observed_generation != policy.generation)
    return false;
  plan.next = "Refuse";
  plan.reason = stalled->reason;
  plan.message = stalled->message;
  return true;
}

int run_plan(const PlanFlags& flags) {
  auto cluster = Cluster::connect(flags.cluster);
  if (!cluster) return fail(cluster.error().message);
  auto policy = (*cluster)->policy(flags.name);
  if (!policy) return fail(policy.error().message);
  Plan plan;
  const auto config = load_rules(**cluster, flags);
  if (policy->invalid) {
    plan = {"Refuse",
            policy->invalid->code,
            policy->invalid->message,
            "",
            access_text(*policy, config, nullptr),
            ""};
    return show(*policy, plan, flags.cluster.output);
  }
  auto access = AwsAccess::create({.region = policy->spec.region});
  auto secret = access ? (*access)->secrets().describe(policy->spec.secret_id)
                       : Result<aws::SecretMetadata>(access.error());
  if (!secret) {
    const auto* ready = policy->status.condition("Ready");
    plan = {
        "Unknown",
        "",
        ready ? "the operator says: " + ready->message : "the operator has not looked at it yet",
        "",
        access_text(*policy, config, nullptr),
        "Secrets Manager was not asked from here: " + secret.error().message};
    if (policy->status.next_rotation) plan.when = format_rfc3339(*policy->status.next_rotation);
    return show(*policy, plan, flags.cluster.output);
  }
  plan.access = access_text(*policy, config, &*secret);
  engine::View view;
  view.secret = *secret;
  view.labels = engine::read_labels(secret->arn, secret->stages);
  view.seen_at = (*access)->clock().mono();
  if (!rotation::rotates(*policy, policy->status)) {
    plan_sync_only(*policy, view, plan);
    return show(*policy, plan, flags.cluster.output);
  }
  if (owned_by_another(*policy, plan)) return show(*policy, plan, flags.cluster.output);
  const rotation::OperatorConfig usual;
  if (auto decided = decide(*policy, view, (*access)->secrets(), (*access)->clock(),
                            (*access)->rng(), config ? *config : usual, plan);
      !decided)
    return fail(decided.error().message);
  ReferenceCheck references = check_references(*policy, config ? &config->access : nullptr,
                                               (*access)->secrets(), secret->arn);
  if (!plan.access.starts_with("DENIED") && !references.denied.empty())
    plan.access = std::move(references.denied);
  if (plan.note.empty()) plan.note = std::move(references.note);
  return show(*policy, plan, flags.cluster.output);
}

}  // namespace

void add_plan(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<PlanFlags>();
  CLI::App* command = app.add_subcommand(
      "plan", "Show what would happen next, why, and whether access rules allow it");
  command->add_option("NAME", flags->name, "A RotationPolicy")->required();
  command->add_option("--config", flags->config, "The operator's config file, for the access rules")
      ->type_name("FILE");
  command
      ->add_option("--operator-config", flags->operator_config,
                   "The operator's ConfigMap, for the same")
      ->type_name("NAMESPACE/NAME")
      ->capture_default_str();
  flags->cluster.add_to(*command, false);
  flags->cluster.add_output_to(*command);
  command->callback([flags, &chosen] { chosen.command = [flags] { return run_plan(*flags); }; });
}

}  // namespace keyturn::cli
