// The part of Kubernetes JSONPath that printer columns use: .a.b, ["key"] and ['a.b'], [0], [*],
// [?(@.type=="Ready")] (also != and existence).
// Thread rule: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

// Every value the path leads to; none when something is missing or the path is not understood.
std::vector<const Json*> json_path(const Json& root, std::string_view path);

}  // namespace keyturn::sandbox
