// What a pass over a policy needs to know before it decides: the policy, who signs, and the last
// sight of the secret.
//
// Gathering asks AWS nothing in the common case: names resolve from the change detector's sweep.
// What stands in the way comes back as a Problem, with the condition it makes and when to look
// again. Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "controller/kube/informer_set.h"
#include "controller/rotation/access.h"
#include "controller/rotation/detector.h"
#include "controller/rotation/identities.h"
#include "controller/rotation/operator_config.h"
#include "controller/rotation/owners.h"
#include "controller/rotation/policy.h"
#include "controller/rotation/secret_knowledge.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

using PolicyInformer = kube::InformerSet<Policy>;
using PolicyPtr = std::shared_ptr<const Policy>;

struct Gathered {
  PolicyPtr policy;
  std::shared_ptr<const OperatorConfig> config;
  std::shared_ptr<AwsAccess> access;
  std::shared_ptr<const Sight> sight;
};

struct Problem {
  Error error;
  bool stalled = false;                // a person must change something
  std::optional<Duration> look_again;  // absent: back off
};
struct Parked {};  // the first sweep is not over: the detector wakes the policy

class Gatherer {
 public:
  struct Deps {
    Identities& identities;
    SecretKnowledge& knowledge;
    ChangeDetector& detector;
    Owners& owners;
    Clock& clock;
    std::function<PolicyStatus(const Policy&)> status;  // the newest
    std::function<std::shared_ptr<const OperatorConfig>()> config;
    std::function<void(const std::string& key)>
        wake;  // another policy's ownership may have changed
  };
  explicit Gatherer(Deps deps) : deps_(std::move(deps)) {}

  using Outcome = std::variant<Gathered, Problem, Parked>;
  // Fresh: the name is resolved by a look now, whatever is known (somebody asked for it).
  enum class Sighting { Known, Fresh };
  Outcome gather(const PolicyPtr& policy, Sighting sighting = Sighting::Known);
  // DescribeSecret now, whatever is known.
  Result<std::shared_ptr<const Sight>> look(const AwsAccess& access, const std::string& secret_id);
  // AWS refused the identity behind `access`: it is made anew for the next pass.
  void refused(const AwsAccess& access);
  void forget(const std::string& key);

 private:
  std::optional<Problem> resolve(Gathered& gathered, Sighting sighting);
  std::optional<Problem> check_access(const Gathered& gathered);

  Deps deps_;
};

// A person or another system must act; a look now and then notices that they did.
inline constexpr Duration kDeniedLook{600'000};
// Nobody watches the ServiceAccount or Secret of a policy's own identity.
inline constexpr Duration kIdentityLook{60'000};
inline Duration denied_look(const AwsAccess& access) {
  return access.scope.starts_with("operator@") ? kDeniedLook : kIdentityLook;
}

// How an error of AWS or Kubernetes shows in conditions and when it is tried again: nothing loops
// hot.
Problem problem_of(Error error, Duration refresh_interval, Duration denied_look = kDeniedLook);

}  // namespace keyturn::rotation
