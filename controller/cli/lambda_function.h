// Secrets Manager's rotation function: one event, one step of the label protocol's Lambda form
// (docs/protocol.md), within the time that Lambda gives.
//
// Thread rule: one thread. Errors: Invalid "BadEvent", "SecretNotListed"; Transient "TimeLimit"
// before Lambda would end the function without a word; those of step_alone().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/cli/secret_errands.h"
#include "lib/base/secret_string.h"
#include "lib/engine/strategies/deps.h"

namespace keyturn::cli {

// How the function works, from its environment variables (docs/reference/lambda.md).
struct LambdaSettings {
  std::string strategy, options;      // KEYTURN_STRATEGY, KEYTURN_OPTIONS
  std::vector<std::string> secrets;   // KEYTURN_SECRETS: globs for names, or for ARNs
  std::vector<std::string> backends;  // KEYTURN_BACKENDS: globs for host:port
  Duration request_deadline{15'000};  // KEYTURN_REQUEST_DEADLINE
};

// Invalid "BadSettings", or as the strategy says: names the variable and what it should hold.
Result<LambdaSettings> read_lambda_settings(
    const std::function<std::optional<std::string>(const std::string&)>& env);

// Whether the function may rotate this secret; Denied "SecretNotListed".
Status is_listed(const LambdaSettings& settings, const std::string& name, const std::string& arn);

// AWS's resources are for the function's role to allow; hosts that would be given credentials are
// asked about here: a secret's value may name any.
std::shared_ptr<const engine::AccessGuard> make_lambda_guard(std::vector<std::string> backends);

struct RotationEvent {
  std::string secret_id;
  engine::LambdaCall call;
};
// {"Step", "SecretId", "ClientRequestToken", "RotationToken"}; Invalid "BadEvent".
Result<RotationEvent> read_rotation_event(const SecretString& event);

// Calls one step after another for as long as the process lives; `memory` makes quiet that began in
// one call end in another.
class RotationFunction {
 public:
  explicit RotationFunction(LambdaSettings settings) : settings_(std::move(settings)) {}
  // `deadline`: when Lambda ends the call. The answer for people.
  Result<Stepped> handle(const SecretString& event, WallTime deadline);

 private:
  Result<Stepped> run(const RotationEvent& event, Duration time, std::string& waits_for);

  const LambdaSettings settings_;
  const std::shared_ptr<engine::Memory> memory_ = std::make_shared<engine::Memory>();
};

}  // namespace keyturn::cli
