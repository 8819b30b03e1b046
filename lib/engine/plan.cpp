#include "lib/engine/plan.h"

#include "lib/engine/plan_rows.h"

namespace keyturn::engine {

std::string_view to_string(Step step) {
  switch (step) {
    case Step::None:
      return "";
    case Step::CreateSecret:
      return "createSecret";
    case Step::SetSecret:
      return "setSecret";
    case Step::TestSecret:
      return "testSecret";
    case Step::FinishSecret:
      return "finishSecret";
    case Step::Sync:
      return "sync";
    case Step::Rollout:
      return "rollout";
    case Step::Retire:
      return "retire";
  }
  return "";
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::Nothing:
      return "Nothing";
    case Action::Refuse:
      return "Refuse";
    case Action::Compare:
      return "Compare";
    case Action::GiveUp:
      return "GiveUp";
    case Action::SetAndTest:
      return "SetAndTest";
    case Action::DropPending:
      return "DropPending";
    case Action::RetestAndMove:
      return "RetestAndMove";
    case Action::MoveCurrent:
      return "MoveCurrent";
    case Action::DropBaton:
      return "DropBaton";
    case Action::Abandon:
      return "Abandon";
    case Action::Rebase:
      return "Rebase";
    case Action::Sync:
      return "Sync";
    case Action::Rollout:
      return "Rollout";
    case Action::WaitGate:
      return "WaitGate";
    case Action::Retire:
      return "Retire";
    case Action::CleanUp:
      return "CleanUp";
    case Action::Create:
      return "Create";
    case Action::CarryBack:
      return "CarryBack";
    case Action::HandOver:
      return "HandOver";
  }
  return "";
}

std::string next_version(const View& view) {
  return successor_id(view.secret.arn, view.labels.current, view.labels.latest);
}

namespace {

// arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-AbCdEf → eu-west-1
std::string region_of(const std::string& arn) {
  std::size_t begin = 0;
  for (int colon = 0; colon < 3; ++colon) {
    begin = arn.find(':', begin);
    if (begin == std::string::npos) return {};
    ++begin;
  }
  return arn.substr(begin, arn.find(':', begin) - begin);
}

std::optional<Refusal> managed_by_aws(const aws::SecretMetadata& secret) {
  if (!secret.owning_service.empty()) {
    return Refusal{"RotationManagedByAWS",
                   "The secret " + secret.name + " belongs to the AWS service " +
                       secret.owning_service + ", which rotates it; use strategy `syncOnly`."};
  }
  if (!secret.type.empty()) {
    return Refusal{"RotationManagedByAWS",
                   "The secret " + secret.name + " is a managed external secret of type " +
                       secret.type + ", which AWS rotates; use strategy `syncOnly`."};
  }
  if (secret.rotation_enabled) {
    return Refusal{"RotationManagedByAWS",
                   "The secret " + secret.name +
                       " has RotationEnabled=true, so AWS rotates it; run `aws secretsmanager "
                       "cancel-rotate-secret`, or use strategy `lambda` or `syncOnly`."};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> refusal(const Traits& traits, const View& view, const Situation& situation) {
  const aws::SecretMetadata& secret = view.secret;
  if (secret.deleted) {
    return Refusal{"SecretDeleted",
                   "The secret " + secret.name +
                       " is scheduled for deletion; restore it (`aws secretsmanager "
                       "restore-secret`) or delete the policy."};
  }
  if (view.labels.current.empty()) {
    return Refusal{
        "NoCurrentVersion",
        "The secret " + secret.name + " has no version labelled AWSCURRENT; put a first value."};
  }
  if (traits.backend == Backend::ReadOnly || traits.backend == Backend::Delegated)
    return std::nullopt;
  if (!situation.lambda) {
    if (auto managed = managed_by_aws(secret)) return managed;
  }
  if (!secret.primary_region.empty() && secret.primary_region != region_of(secret.arn)) {
    return Refusal{"ReplicaSecret", "The secret " + secret.name + " is a replica; its primary in " +
                                        secret.primary_region +
                                        " is the one to rotate. Use strategy `syncOnly` here."};
  }
  return std::nullopt;
}

namespace {

std::span<const rows::Row> chain(const Traits& traits, const Situation& situation) {
  if (situation.lambda) return rows::lambda_form();
  switch (traits.backend) {
    case Backend::None:
      return rows::without_backend();
    case Backend::TwoCredentials:
      return rows::two_credentials();
    case Backend::ForwardOnly:
      return rows::forward_only();
    case Backend::Delegated:
      return rows::delegated();
    case Backend::ReadOnly:
      return rows::onlooker();
  }
  return {};
}

std::optional<Decision> first(std::span<const rows::Row> chain, const rows::Input& in) {
  for (const rows::Row row : chain) {
    if (auto decision = row(in)) return decision;
  }
  return std::nullopt;
}

}  // namespace

Decision plan(const Traits& traits, const View& view, const Situation& situation,
              const Known& known) {
  const rows::Input in{traits, view, situation, known};
  if (const auto refused = refusal(traits, view, situation)) {
    if (!view.labels.current.empty() && !view.secret.deleted) {
      if (auto decision = first(rows::refused(), in)) return *decision;
    }
    return Decision{
        .action = Action::Refuse, .reason = refused->reason, .message = refused->message};
  }
  if (auto decision = first(chain(traits, situation), in)) return *decision;
  return Decision{.reason = "UpToDate", .message = "Nothing is due."};
}

}  // namespace keyturn::engine
