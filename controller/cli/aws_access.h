// Secrets Manager as the person at the command line may see it: the default chain of this machine,
// never the operator's keys. Thread rule: main thread.
#pragma once

#include <memory>
#include <string>

#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/rng.h"

namespace keyturn::cli {

class AwsAccess {
 public:
  // Denied or Invalid: no keys, no region; the message says what was tried.
  static Result<std::unique_ptr<AwsAccess>> create(const std::string& region);
  aws::SecretsManager& secrets() { return *secrets_; }
  Clock& clock() { return clock_; }
  Rng& rng() { return rng_; }

 private:
  SystemClock clock_;
  SystemRng rng_;
  std::unique_ptr<aws::SecretsManager> secrets_;
};

}  // namespace keyturn::cli
