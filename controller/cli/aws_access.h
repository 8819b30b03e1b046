// Secrets Manager as the person at the command line, or the Lambda function, may see it: the
// default chain of this machine, never the operator's keys. Thread rule: main thread.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "lib/aws/elasticache.h"
#include "lib/aws/secrets_admin.h"
#include "lib/aws/secrets_manager.h"
#include "lib/aws/timestream_influxdb.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/engine/strategies/deps.h"

namespace keyturn::cli {

struct AwsOptions {
  std::string region{};        // "": AWS_REGION, the profile's
  std::string endpoint_url{};  // of every service, before whatever the environment says
  Duration request_deadline{15'000};
  std::stop_token stop{};  // ends requests and waits of AWS and of backends soon
  // Null: everything is allowed, for whoever runs the command is bounded by AWS.
  std::shared_ptr<const engine::AccessGuard> guard{};
};

class AwsAccess {
 public:
  // Denied or Invalid: no keys, no region; the message says what was tried.
  static Result<std::unique_ptr<AwsAccess>> create(const AwsOptions& options);
  aws::SecretsManager& secrets() { return *secrets_; }
  aws::SecretsAdmin& admin() { return *admin_; }
  Clock& clock() { return clock_; }
  Rng& rng() { return rng_; }
  // Valid as long as this object.
  engine::StrategyDeps strategy_deps();

 private:
  SystemClock clock_;
  SystemRng rng_;
  Duration request_deadline_{0};
  std::shared_ptr<const engine::AccessGuard> guard_;
  std::shared_ptr<http::Transport> transport_;
  std::unique_ptr<aws::SecretsManager> secrets_;
  std::unique_ptr<aws::SecretsAdmin> admin_;
  std::unique_ptr<aws::TimestreamInfluxdb> timestream_;
  std::unique_ptr<aws::Elasticache> elasticache_;
};

}  // namespace keyturn::cli
