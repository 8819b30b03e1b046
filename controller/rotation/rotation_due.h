// When the next rotation of a policy starts: gathers the facts for engine::is_due. Shared by the
// rotation lane and `keyturn plan`. Thread rule: any thread.
#pragma once

#include <optional>
#include <string>

#include "controller/rotation/operator_config.h"
#include "controller/rotation/policy.h"
#include "lib/aws/secrets_manager.h"
#include "lib/engine/due.h"
#include "lib/engine/labels.h"

namespace keyturn::rotation {

// CreatedDate of the versions that the schedule counts from.
struct CreatedTimes {
  std::optional<WallTime> current;
  std::optional<WallTime> latest;
};

// From the status where it knows this version; else one ListSecretVersionIds.
Result<CreatedTimes> created_times(aws::SecretsManager& secrets, const std::string& arn,
                                   const engine::Labels& labels, const PolicyStatus& status);

// Whether a request made at that time (an annotation's text) is newer, by whole seconds, than the
// current version and than our latest one if that is or was current: AWSCURRENT moved back by hand
// makes no old request new. False for what is no RFC 3339 time.
bool newer_than_current(const std::string& requested_at, const PolicyStatus& status,
                        const engine::Labels& labels, const CreatedTimes& created);
// Whether the policy's rotate request is still to be served. False: there is none, it cannot be
// read, a version that is or was current is newer, or the status says that it was served or put
// aside. An attempt that was given up or failed has served nothing.
bool request_waits(const Policy& policy, const PolicyStatus& status, const engine::Labels& labels,
                   const CreatedTimes& created);

// Invalid: spec.schedule cannot be read (the policy's own check says so first).
Result<engine::Due> judge_due(const Policy& policy, const PolicyStatus& status,
                              const std::string& arn, const engine::Labels& labels,
                              const CreatedTimes& created, Duration floor, WallTime first_seen,
                              WallTime now);

}  // namespace keyturn::rotation
