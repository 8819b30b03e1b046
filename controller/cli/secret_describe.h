// One secret as `keyturn secret status` and `get` show it. Pure text from what was gathered; never
// a value. Thread rule: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/engine/plan.h"

namespace keyturn::cli {

struct SecretStory {
  engine::View view;
  std::vector<aws::VersionInfo> versions;  // any order
  std::string strategy;                    // "" when none was named
  std::optional<engine::Decision> next;    // with a strategy
};

// What a version is to the label protocol: "the current credential", …
std::string role_of(const engine::View& view, const std::string& version_id);

std::string describe_secret(const SecretStory& story, WallTime now);
nlohmann::json secret_json(const SecretStory& story);

// "73 bytes, a JSON object with user, password".
std::string shape_of(const aws::SecretValue& value);

}  // namespace keyturn::cli
