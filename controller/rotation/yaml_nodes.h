// YAML text as yaml-cpp's nodes. Thread rule: pure functions.
#pragma once

#include <yaml-cpp/node/node.h>

#include <string>
#include <vector>

namespace keyturn::rotation {

// All documents of a text. YAML::LoadAll (0.7) never ends, and takes ever more memory, on a comma
// outside of brackets: it is a document that consumes nothing. Here that is an error as any other.
// Throws YAML::Exception, as yaml-cpp does.
std::vector<YAML::Node> yaml_nodes(const std::string& text);

}  // namespace keyturn::rotation
