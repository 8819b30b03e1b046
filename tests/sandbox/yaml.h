// YAML as Kubernetes reads it (YAML 1.2 core types), turned into JSON. Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

// One document; JSON is YAML. Throws ApiError 400.
Json parse_yaml_or_json(const std::string& text);
// All documents of a file, empty ones left out. Throws std::runtime_error.
std::vector<Json> parse_yaml_documents(const std::string& text);

}  // namespace keyturn::sandbox
