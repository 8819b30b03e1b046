// The operator as one object: builds every part, wires them, starts and stops them in order.
// Nothing here decides anything.
//
//   watches → stores → keys → queues → lanes (sync, rotation) → apply → status, events, metrics
//
// Thread rule: construct and run() from main.
#pragma once

#include <memory>
#include <string>

#include "lib/aws/session.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

struct OperatorOptions {
  std::string config_path;  // "" = defaults (no access rules: nothing is allowed)
  std::string kubeconfig;
  std::string context;
  std::string version;
  aws::Environment env;
};

class Operator {
 public:
  // Invalid: config file, kubeconfig, AWS settings; each with what to do.
  static Result<std::unique_ptr<Operator>> create(OperatorOptions options);
  ~Operator();
  // Until a signal; Status of the end.
  Status run();

 private:
  struct Impl;
  explicit Operator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::rotation
