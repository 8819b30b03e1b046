// The whole story of one policy, as a person reads it at 3 a.m. Pure text from what was gathered.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/rotation/policy.h"
#include "lib/base/clock.h"
#include "lib/engine/labels.h"

namespace keyturn::cli {

// What Secrets Manager says, when it could be asked.
struct SecretSight {
  engine::Labels labels;
  std::string trouble;  // why it was not asked or did not answer
};

// `followers`: the other policies on the same secret; `followers_trouble`: why not all may be seen.
std::string describe_policy(const rotation::Policy& policy, const SecretSight& secret, WallTime now,
                            const std::vector<rotation::Policy>& followers = {},
                            const std::string& followers_trouble = "");

// What a waiting retirement has behind it and what it waits for, as far as the status says: one
// line each, the first without indentation. Precondition: status.retiring.
std::string describe_retiring(const rotation::Policy& policy, WallTime now);

// "Ready", "Rotating: createSecret", "Stalled: NoAccessRule", …
std::string state_of(const rotation::Policy& policy);
// "9c41…": enough to tell versions apart.
std::string short_version(const std::string& version_id);
// "14m" ago, "in 27d20h"; "-" when absent.
std::string ago(std::optional<WallTime> t, WallTime now);
std::string until(std::optional<WallTime> t, WallTime now);

}  // namespace keyturn::cli
