// YAML files (several documents, JSON included) as JSON values, typed as Kubernetes reads them
// (YAML 1.2 core schema). Thread rule: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::rotation {

// Invalid: no YAML, with file and line. Empty documents are left out.
Result<std::vector<nlohmann::json>> yaml_documents(const std::string& text,
                                                   const std::string& file);

}  // namespace keyturn::rotation
