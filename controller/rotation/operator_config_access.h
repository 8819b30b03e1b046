// The access rules of the config file: a rule that can never match, or that means more than it
// says, is an error and not a surprise.
//
// Thread rule: pure function of its reader.
#pragma once

#include "controller/rotation/access.h"
#include "controller/rotation/operator_config_reader.h"

namespace keyturn::rotation {

AccessRules read_access(ConfigReader& in, const YAML::Node& node, const std::string& path);

}  // namespace keyturn::rotation
