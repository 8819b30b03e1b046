// What RotateSecret sets off: the four steps, each an invocation of the secret's function with
// AWS's event, one after another; after a failure the whole sequence again, with the same version.
//
// Thread rule: any thread; a thread for each rotation, ended with the runner.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/lambda_functions.h"
#include "tests/sandbox/secrets_manager.h"

namespace keyturn::sandbox {

class RotationRunner {
 public:
  RotationRunner(SecretsManager& secrets, LambdaFunctions& functions)
      : secrets_(secrets), functions_(functions) {}
  // Waits for what is under way: stop the functions before.
  ~RotationRunner();

  // Does nothing where the function is none of the sandbox's.
  void start(const RotationStart& start);
  // How often AWS tries (5), and how long it waits between two tries.
  void set_patience(int attempts, Duration between);

 private:
  void run(const RotationStart& start, const std::stop_token& stop);
  bool attempt(const RotationStart& start, LambdaFunction& function, const std::stop_token& stop);
  bool wanted(const RotationStart& start) const;

  SecretsManager& secrets_;
  LambdaFunctions& functions_;
  mutable std::mutex mutex_;
  int attempts_ = 5;
  Duration between_{500};
  std::vector<std::jthread> threads_;
};

}  // namespace keyturn::sandbox
