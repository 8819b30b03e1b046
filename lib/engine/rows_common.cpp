// Rows 5 and 7 to 12, which several kinds of backend share.
#include "lib/engine/plan_rows.h"

namespace keyturn::engine::rows {

std::optional<Decision> pending_is_current(const Input& in) {
  const Labels& l = in.labels();
  if (l.pending.empty() || l.pending != l.current) return std::nullopt;
  return Decision{.action = Action::DropPending,
                  .row = 5,
                  .step = Step::FinishSecret,
                  .version_id = l.pending,
                  .quiet = in.traits.soft_revoke && !in.situation.lambda,
                  .reason = "Finishing",
                  .message = "The new version is current; AWSPENDING is taken off it."};
}

std::optional<Decision> sync(const Input& in) {
  if (in.situation.targets_synced) return std::nullopt;
  return Decision{.action = Action::Sync,
                  .row = 7,
                  .step = Step::Sync,
                  .version_id = in.labels().current,
                  .reason = "Syncing",
                  .message = "The targets do not hold the current version yet."};
}

std::optional<Decision> roll_out(const Input& in) {
  if (in.situation.rolled_out) return std::nullopt;
  return Decision{.action = Action::Rollout,
                  .row = 8,
                  .step = Step::Rollout,
                  .version_id = in.labels().current,
                  .reason = "RollingOut",
                  .message = "Workloads do not run with the current version yet."};
}

std::optional<Decision> gate(const Input& in) {
  const Labels& l = in.labels();
  const std::string& held = l.baton.empty() && in.traits.set_replaces && given_up(l)
                                ? l.pending
                                : l.baton;  // what ends only when nobody reads it
  if (held.empty() || in.situation.gate_open) return std::nullopt;
  const std::string& whom = in.situation.waiting_for;
  return Decision{.action = Action::WaitGate,
                  .row = 8,
                  .step = Step::Retire,
                  .version_id = held,
                  .reason = "WaitingForReaders",
                  .message = "The old credential is kept" +
                             (whom.empty() ? std::string() : " until " + whom) + "."};
}

// Asked before the targets and the gate: should the retirement have begun to revoke what is in use
// again, that is given back at once.
std::optional<Decision> nothing_to_revoke(const Input& in) {
  const Labels& l = in.labels();
  if (l.baton.empty()) return std::nullopt;
  if (!in.traits.can_revoke) {
    return Decision{.action = Action::DropBaton,
                    .row = 9,
                    .step = Step::Retire,
                    .version_id = l.baton,
                    .reason = "NothingToRevoke",
                    .message = "The backend dropped the old credential when it took the new one."};
  }
  if (!in.situation.retire && !in.permitted()) return std::nullopt;
  if (!in.known.baton_is_current) {
    return Decision{
        .action = Action::Compare,
        .row = 9,
        .step = Step::Retire,
        .version_id = l.baton,
        .compare_with = l.current,
        .reason = "Comparing",
        .message =
            "Whether the old version's credential is the current one decides what is revoked."};
  }
  if (!*in.known.baton_is_current) return std::nullopt;
  return Decision{.action = Action::DropBaton,
                  .row = 9,
                  .step = Step::Retire,
                  .version_id = l.baton,
                  .quiet = in.traits.soft_revoke,
                  .reason = "SameCredential",
                  .message = "The old version holds the current credential; nothing is revoked."};
}

std::optional<Decision> retire(const Input& in) {
  const Labels& l = in.labels();
  if (l.baton.empty()) return std::nullopt;
  // Without a person's word or the operator, an old credential stays until the next rotation
  // starts.
  if (!in.situation.retire && !in.permitted()) {
    return Decision{.step = Step::Retire,
                    .version_id = l.baton,
                    .reason = "RetirementLeft",
                    .message =
                        "The old credential is still valid; `keyturn secret retire` or the next "
                        "rotation revokes it."};
  }
  return Decision{.action = Action::Retire,
                  .row = 10,
                  .step = Step::Retire,
                  .version_id = l.baton,
                  .quiet = true,
                  .reason = "Retiring",
                  .message = "No reader is left; the old credential is revoked."};
}

std::optional<Decision> foreign_pending(const Input& in) {
  const Labels& l = in.labels();
  if (!in.view.foreign_pending || l.pending == l.current || l.pending == l.latest)
    return std::nullopt;
  return Decision{
      .action = Action::Refuse,
      .row = 11,
      .version_id = l.pending,
      .reason = "ForeignPending",
      .message = "Version " + l.pending +
                 " is labelled AWSPENDING and was not made by Keyturn; nothing is rotated until "
                 "it is gone or `keyturn secret discard-pending` names it."};
}

std::optional<Decision> roll_back(const Input& in) {
  if (!in.situation.rollback || !in.permitted() || in.view.foreign_pending) return std::nullopt;
  const Labels& l = in.labels();
  const auto refuse = [](std::string reason, std::string message) {
    return Decision{.action = Action::Refuse,
                    .row = 12,
                    .reason = std::move(reason),
                    .message = std::move(message)};
  };
  if (!in.traits.can_rollback) {
    return refuse("CannotRollBack",
                  "Strategy " + in.traits.name +
                      " cannot bring an old credential back; rotate forward instead.");
  }
  const std::string& source = in.traits.backend == Backend::None ? l.previous : l.baton;
  if (source.empty()) {
    return refuse("NothingToRollBack",
                  "The old credential is already revoked; rotate forward instead.");
  }
  if (l.current != l.latest) {
    return refuse(
        "CannotRollBack",
        "The current version was not made by Keyturn, so there is no rotation to roll back.");
  }
  return Decision{.action = Action::CarryBack,
                  .row = 12,
                  .step = Step::CreateSecret,
                  .version_id = in.situation.permit,
                  .compare_with = source,
                  .reason = "RollingBack",
                  .message = "A new version with the old credential is made."};
}

// C was made from V and nobody marks V's credential any more: it was revoked, or that record was
// lost. The start of a rotation makes up for it, with the gate open; a rotation that started before
// would leave it behind for ever. Where setting replaces, it would take away what readers hold,
// whoever made that.
std::optional<Decision> previous_may_live(const Input& in) {
  const Labels& l = in.labels();
  if (in.situation.gate_open || !in.traits.can_revoke || !in.permitted() || in.situation.rollback)
    return std::nullopt;
  if (!in.traits.set_replaces && (in.known.previous_is_done || !in.made_from_previous()))
    return std::nullopt;
  const std::string& whom = in.situation.waiting_for;
  return Decision{.action = Action::WaitGate,
                  .row = 8,
                  .step = Step::Retire,
                  .version_id = l.previous,
                  .reason = "WaitingForReaders",
                  .message = "No rotation starts while the previous credential may be in use" +
                             (whom.empty() ? std::string() : ", until " + whom) + "."};
}

std::optional<Decision> clean_up(const Input& in) {
  if (!in.situation.clean_up || !in.situation.gate_open) return std::nullopt;
  return Decision{
      .action = Action::CleanUp,
      .row = 12,
      .version_id = in.labels().current,
      .reason = "LookingForLeftovers",
      .message = "The backend is asked for credentials of this secret that no version holds."};
}

std::optional<Decision> start(const Input& in) {
  if (!in.permitted() || in.situation.rollback) return std::nullopt;
  return Decision{.action = Action::Create,
                  .row = 12,
                  .step = Step::CreateSecret,
                  .version_id = in.situation.permit,
                  .reason = "Rotating",
                  .message = "A rotation starts; a new version is made."};
}

}  // namespace keyturn::engine::rows
