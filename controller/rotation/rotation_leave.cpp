// How a policy is held while a rotation is under way, and let go when it is deleted.
#include <nlohmann/json.hpp>

#include "controller/rotation/rotation_pass.h"

namespace keyturn::rotation {

using runtime::Outcome;

Status RotationPass::hold(Turn& turn, bool held) {
  const Policy& policy = turn.policy();
  nlohmann::json metadata = {{"name", policy.name}, {"namespace", policy.ns}, {"uid", policy.uid}};
  if (held) metadata["finalizers"] = {kFinalizer};
  auto reply = deps_.client.apply(kube::kRotationPolicies, policy.ns,
                                  {{"apiVersion", "keyturn.dev/v1alpha1"},
                                   {"kind", "RotationPolicy"},
                                   {"metadata", std::move(metadata)}},
                                  {.metadata_only_reply = true});
  if (reply) {
    turn.held = held;
    return {};
  }
  // Gone, or made again under the same name: nothing to hold any more.
  if (!held &&
      (reply.error().cls == ErrorClass::NotFound || reply.error().cls == ErrorClass::Conflict))
    return {};
  return std::move(reply).error().with_context("finalizer of RotationPolicy " + policy.key());
}

// Whoever deletes a namespace waits for every finalizer in it.
bool RotationPass::namespace_goes(const Policy& policy) const {
  auto ns = deps_.client.get(kube::kNamespaces, "", policy.ns, /*metadata_only=*/true);
  return ns && ns->contains("metadata") && ns->at("metadata").contains("deletionTimestamp");
}

Outcome RotationPass::leave(const Policy& policy, const Problem* problem) {
  const PolicyStatus status = deps_.status.latest(policy);
  if (policy.deleted && (status.rotation || status.retiring)) {
    const std::string what =
        status.retiring
            ? "the old credential of version " + status.retiring->version_id + " is not revoked yet"
            : "version " + status.rotation->version_id + " is at step " + status.rotation->step;
    emit(policy, kube::Event::Type::Warning, "LeftUnfinished", "Delete",
         "the policy goes while " + what + (problem ? " (" + problem->error.message + ")" : "") +
             "; its labels stay in Secrets Manager, and the next policy for the secret finishes "
             "the work");
  }
  Turn turn(Gathered{.policy = std::make_shared<const Policy>(policy),
                     .config = nullptr,
                     .access = nullptr,
                     .sight = nullptr});
  if (auto released = hold(turn, false); !released)
    return Outcome::retry(std::move(released).error());
  return Outcome::done();
}

// The policy only follows, but is still held, or its status tells of something under way, which
// cannot be ended here: `why`.
Status RotationPass::drop_unfinished(Turn& turn, const std::string& why) {
  const Policy& policy = turn.policy();
  const engine::Labels& l = turn.view.labels;
  const bool attempt = !l.pending.empty() && l.pending == l.latest && l.pending != l.current;
  if (policy.has_finalizer && (attempt || !l.baton.empty())) {
    emit(policy, kube::Event::Type::Warning, "LeftUnfinished", "Rotate",
         "the strategy is syncOnly now, and " + why + "; of a rotation that began version " +
             (l.baton.empty() ? l.pending : l.baton) +
             " is left: its labels stay in Secrets Manager, and the next policy that rotates the "
             "secret, or `keyturn secret`, finishes the work");
  }
  turn.change([](PolicyStatus& status, WallTime) {
    status.rotation.reset();
    status.retiring.reset();
  });
  if (auto written = turn.publish(deps_.status); !written) return written;
  return policy.has_finalizer ? hold(turn, false) : Status();
}

// What began may not be ended here any more, and the spec asks to follow only, as the refusal
// advises: so it does.
Outcome RotationPass::let_go(Turn& turn, const std::string& why) {
  if (auto dropped = drop_unfinished(turn, why); !dropped)
    return Outcome::retry(std::move(dropped).error());
  deps_.wake_sync(turn.policy().key());
  return Outcome::after(Duration(1));
}

}  // namespace keyturn::rotation
