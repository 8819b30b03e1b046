// What a person asks the operator for by annotation: rotate, roll back, revoke. Thread rule: main
// thread.
#pragma once

#include <string>
#include <vector>

#include "controller/cli/cluster.h"
#include "controller/cli/describe.h"
#include "lib/engine/strategy.h"

namespace keyturn::cli {

// Puts the same time into each annotation: now, or the second after the current version was made,
// since a request counts by whole seconds and only if it is newer than that. The time, as written.
Result<std::string> annotate(Cluster& cluster, const rotation::Policy& policy,
                             const std::vector<std::string>& annotations);

// The policy's strategy, for its traits: the one that began, while a rotation is under way.
// Invalid: spec.strategy cannot work.
Result<engine::Traits> traits_of(const rotation::Policy& policy);

// The secret's labels, when Secrets Manager could be asked from here.
SecretSight look_at_secret(const rotation::Policy& policy);

// The version whose credential waits to be revoked, by the labels where they could be read, else by
// the status; "" for none.
std::string retiring_version(const rotation::Policy& policy, const SecretSight& secret);
// Also one that no label marks any more, whose readers a rotation that is due waits for.
std::string revocable_version(const rotation::Policy& policy, const SecretSight& secret);

}  // namespace keyturn::cli
