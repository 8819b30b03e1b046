#include "controller/rotation/gather.h"

#include <algorithm>

namespace keyturn::rotation {
namespace {

// The detector wakes whoever waits for its first sweep; this only keeps the condition fresh.
constexpr Duration kParkedLook{60'000};

Error not_found(const Policy& policy, const std::string& region) {
  return make_error(ErrorClass::NotFound, "SecretNotFound",
                    "no secret \"" + policy.spec.secret_id + "\" in Secrets Manager in " + region +
                        " that this identity can see; create it or correct spec.secretId");
}

}  // namespace

Problem problem_of(Error error, Duration refresh_interval, Duration denied_look) {
  switch (error.cls) {
    case ErrorClass::Invalid:
      return {std::move(error), true, refresh_interval};
    case ErrorClass::Denied:
      return {std::move(error), true, denied_look};
    case ErrorClass::NotFound:
      return {std::move(error), false, refresh_interval};
    default:
      return {std::move(error), false, std::nullopt};
  }
}

Gatherer::Outcome Gatherer::gather(const PolicyPtr& policy, Sighting sighting) {
  if (policy->invalid) {
    forget(policy->key());
    return Problem{*policy->invalid, true, Duration(0)};
  }
  Gathered gathered{
      .policy = policy, .config = deps_.config(), .access = nullptr, .sight = nullptr};
  auto access = deps_.identities.for_policy(*policy, gathered.config->access);
  if (!access)
    return problem_of(std::move(access).error(),
                      std::min(policy->spec.refresh_interval, kIdentityLook), kIdentityLook);
  gathered.access = std::move(access).value();
  if (gathered.access->operator_identity &&
      !gathered.config->access.might_touch_secret(policy->ns, policy->spec.secret_id)) {
    auto denied =
        gathered.config->access.secret(policy->ns, policy->spec.secret_id, policy->spec.secret_id);
    if (!denied) {
      for (const auto& key : deps_.owners.deny(policy->key())) deps_.wake(key);
      return Problem{std::move(denied).error(), true, Duration(0)};
    }
  }
  deps_.detector.watch(policy->key(), gathered.access, policy->spec.secret_id,
                       policy->spec.refresh_interval);
  if (deps_.detector.state(gathered.access->scope) == ChangeDetector::State::Starting &&
      !deps_.knowledge.find(gathered.access->scope, policy->spec.secret_id)) {
    if (auto trouble = deps_.detector.trouble(gathered.access->scope)) {
      if (trouble->cls == ErrorClass::Denied) deps_.identities.forget(gathered.access->scope);
      return Problem{*std::move(trouble), false, kParkedLook};
    }
    return Parked{};
  }
  if (auto problem = resolve(gathered, sighting)) return *std::move(problem);
  auto denied = check_access(gathered);
  const auto& secret = gathered.sight->secret;
  const Follower follower{policy->key(), rotates(*policy, deps_.status(*policy)), policy->created,
                          !denied.has_value()};
  for (const auto& key : deps_.owners.set(secret.arn, follower)) deps_.wake(key);
  if (denied) return *std::move(denied);
  if (secret.deleted) {
    return Problem{
        invalid("SecretDeleted",
                "secret " + secret.name +
                    " awaits deletion in Secrets Manager; restore it or delete this policy"),
        true, policy->spec.refresh_interval};
  }
  return gathered;
}

std::optional<Problem> Gatherer::resolve(Gathered& gathered, Sighting sighting) {
  const Policy& policy = *gathered.policy;
  const auto& access = *gathered.access;
  if (sighting == Sighting::Known)
    gathered.sight = deps_.knowledge.find(access.scope, policy.spec.secret_id);
  if (gathered.sight) return std::nullopt;
  auto sight = look(access, policy.spec.secret_id);
  if (sight) {
    gathered.sight = std::move(sight).value();
    return std::nullopt;
  }
  Error error = std::move(sight).error();
  if (error.cls == ErrorClass::NotFound) error = not_found(policy, access.region);
  return problem_of(std::move(error), policy.spec.refresh_interval, denied_look(access));
}

std::optional<Problem> Gatherer::check_access(const Gathered& gathered) {
  if (!gathered.access->operator_identity) return std::nullopt;
  const auto& secret = gathered.sight->secret;
  auto allowed = gathered.config->access.secret(gathered.policy->ns, secret.name, secret.arn);
  if (allowed) return std::nullopt;
  return Problem{std::move(allowed).error(), true, Duration(0)};
}

Result<std::shared_ptr<const Sight>> Gatherer::look(const AwsAccess& access,
                                                    const std::string& secret_id) {
  const MonoTime at = deps_.clock.mono();
  auto secret = access.secrets->describe(secret_id);
  if (!secret) {
    if (secret.error().cls == ErrorClass::NotFound) deps_.knowledge.gone(access.scope, secret_id);
    if (secret.error().cls == ErrorClass::Denied) refused(access);
    return std::move(secret).error().with_context("DescribeSecret " + secret_id);
  }
  deps_.knowledge.saw(access.scope, *secret, at, /*from_list=*/false);
  return std::make_shared<const Sight>(Sight{std::move(secret).value(), at, at});
}

void Gatherer::refused(const AwsAccess& access) { deps_.identities.forget(access.scope); }

void Gatherer::forget(const std::string& key) {
  deps_.detector.forget(key);
  for (const auto& other : deps_.owners.remove(key)) deps_.wake(other);
}

}  // namespace keyturn::rotation
