// The operator's config file (`keyturn controller --config FILE`): YAML, schema-checked, every
// error at once with line numbers. Hot-reloaded: access rules, log level and limits change without
// a restart; the rest says that it needs one.
//
// Thread rule: plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/rotation/access.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

struct OperatorConfig {
  AccessRules access;                       // access:
  std::string region;                       // region: default for policies; "" = AWS_REGION
  std::vector<std::string> namespaces;      // namespaces: [] = all (cluster-wide)
  std::string listen = ":8080";             // listen:
  Duration min_rotation_interval{900'000};  // minRotationInterval: 15m
  Duration request_deadline{15'000};        // requestDeadline: 15s
  Duration propagation{10'000};             // propagation: 10s
  int sync_workers = 8;                     // syncWorkers:
  int rotation_workers = 8;                 // rotationWorkers:
  bool leader_election = true;              // leaderElection: {enabled, namespace, name}
  std::string lease_namespace, lease_name = "keyturn";
  log::Level log_level = log::Level::Info;     // logLevel:
  log::Format log_format = log::Format::Auto;  // logFormat: json|text|auto

  // Accepted, and worth a warning in the log: "FILE:LINE: requestDeadline: …". Timings for tests,
  // rules that allow everything.
  std::vector<std::string> warnings;

  friend bool operator==(const OperatorConfig&, const OperatorConfig&) = default;
};

// Invalid "InvalidConfig": every problem, one a line: "FILE:LINE: access[0].namespaces: must be a
// list of texts". An empty text is the defaults.
Result<OperatorConfig> parse_operator_config(std::string_view yaml, std::string_view file_name);
// Reads the file, parses it, logs its warnings. NotFound, Denied: the file cannot be read.
Result<OperatorConfig> load_operator_config(const std::string& path);

}  // namespace keyturn::rotation
