#include "controller/rotation/rotation_turn.h"

#include <nlohmann/json.hpp>

#include "controller/rotation/access_guard.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::rotation {
namespace {

constexpr Duration kDeletionSlack{3'600'000};

engine::View view_of(const std::shared_ptr<const Sight>& sight) {
  engine::View view;
  if (!sight) return view;
  view.secret = sight->secret;
  view.labels = engine::read_labels(sight->secret.arn, sight->secret.stages);
  view.seen_at = sight->seen_at;
  return view;
}

}  // namespace

Turn::Turn(Gathered g) : gathered(std::move(g)), view(view_of(gathered.sight)) {}

Status Turn::make_engine(engine::Memory& memory, Clock& clock, Rng& rng,
                         const PolicyStatus& status) {
  at_work_ = strategy_at_work(policy(), status);
  const AwsAccess& access = *gathered.access;
  engine::StrategyDeps deps;
  deps.transport = access.transport;
  deps.secrets = access.secrets.get();
  deps.timestream = access.timestream.get();
  deps.elasticache = access.elasticache.get();
  deps.guard = std::make_shared<const PolicyGuard>(
      std::shared_ptr<const AccessRules>(gathered.config, &gathered.config->access), policy().ns,
      access.operator_identity);
  deps.clock = &clock;
  deps.memory = access.memory;
  deps.request_timeout = gathered.config->request_deadline;
  auto made = engine::make_strategy(at_work_.name, at_work_.options, deps);
  if (!made) return std::move(made).error();
  strategy = std::move(made).value();
  engine::Timing timing;
  timing.request_deadline = gathered.config->request_deadline;
  engine.emplace(engine::Engine::Deps{*access.secrets, *strategy, memory, clock, rng, timing});
  return {};
}

PolicyStatus Turn::status(const StatusBoard& board, WallTime now) const {
  PolicyStatus status = board.latest(policy());
  if (synced) SyncPass::report_to(status, policy(), *synced, now);
  if (rollout) note_rollout(status, policy(), *rollout, now);
  return status;
}

std::string Turn::subject(const engine::Decision& decision) const {
  const auto& labels = view.labels;
  if (starts(decision) || decision.action == engine::Action::CarryBack) return decision.version_id;
  return labels.latest.empty() ? decision.version_id : labels.latest;
}

bool under_way(const Policy& policy, const PolicyStatus& status) {
  return policy.has_finalizer || status.rotation || status.retiring;
}

bool starts(const engine::Decision& decision) {
  return decision.action == engine::Action::Create || decision.action == engine::Action::HandOver;
}

bool deletion_overdue(const Policy& policy, WallTime now) {
  return policy.deleted &&
         now > *policy.deleted + policy.spec.retirement.grace_period + kDeletionSlack;
}

bool stays(const Error& error) {
  return error.cls == ErrorClass::Denied || error.cls == ErrorClass::NotFound ||
         error.cls == ErrorClass::Invalid;
}

Status Turn::publish(StatusBoard& board) {
  std::vector<Change> changes = std::move(changes_);
  changes_.clear();
  return board.update(policy(), [&](PolicyStatus& status, WallTime now) {
    for (const auto& change : changes) change(status, now);
  });
}

}  // namespace keyturn::rotation
