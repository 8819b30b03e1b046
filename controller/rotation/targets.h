// What a target Secret should look like, and whether it does: pure.
//
// Thread rule: pure functions. Rendered data holds secret values: short-lived, wiped.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "controller/rotation/managed_secret.h"
#include "controller/rotation/policy.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::rotation {

// The Secret's data, sorted by key.
using RenderedData = std::vector<std::pair<std::string, SecretString>>;

bool needs_previous(const TargetSpec& target);

// From the value of AWSCURRENT (and AWSPREVIOUS where a template asks for it; null: there is none).
// Invalid "TemplateFailed", "InvalidKey" …: names the target and its key, never a value.
Result<RenderedData> render_target(const TargetSpec& target, const SecretString& current,
                                   const SecretString* previous);

enum class TargetState {
  InSync,
  Missing,      // no such managed Secret in sight
  OldVersion,   // holds another version
  Drifted,      // somebody edited it, or took keys away
  SpecChanged,  // the policy's wishes for it changed since it was written
};
std::string_view to_string(TargetState state);

// `existing` null: not in sight. `spec_written`: the policy's generation was fully synced before.
TargetState judge_target(const Policy& policy, const TargetSpec& target,
                         const ManagedSecret* existing, const std::string& arn,
                         const std::string& version_id, bool spec_written);

// Whether this policy may write that existing Secret. Conflict "TargetInUse" (another policy's),
// Denied "TargetNotManaged". `other_policy_claims`: the policy that the Secret names exists and
// lists it.
Status may_write(const Policy& policy, const TargetSpec& target, const ManagedSecret& existing,
                 bool other_policy_claims);

// The object of the apply; its data strings hold base64 values: call wipe_data() when done.
nlohmann::json secret_object(const Policy& policy, const TargetSpec& target, const std::string& arn,
                             const std::string& version_id, const RenderedData& data,
                             const std::string& resource_version);
void wipe_data(nlohmann::json& object);

}  // namespace keyturn::rotation
