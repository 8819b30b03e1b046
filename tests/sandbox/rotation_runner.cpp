#include "tests/sandbox/rotation_runner.h"

namespace keyturn::sandbox {

RotationRunner::~RotationRunner() {
  const std::lock_guard lock(mutex_);
  for (std::jthread& thread : threads_) thread.request_stop();
}

void RotationRunner::start(const RotationStart& start) {
  if (!functions_.find(start.lambda_arn)) return;
  const std::lock_guard lock(mutex_);
  threads_.emplace_back([this, start](const std::stop_token& stop) { run(start, stop); });
}

void RotationRunner::set_patience(int attempts, Duration between) {
  const std::lock_guard lock(mutex_);
  attempts_ = attempts;
  between_ = between;
}

// Not cancelled, and nobody took the label away.
bool RotationRunner::wanted(const RotationStart& start) const {
  const auto secret = secrets_.get(start.secret_arn);
  if (!secret || secret->deleted || !secret->rotation_enabled) return false;
  const SecretVersion* pending = secret->holder("AWSPENDING");
  const SecretVersion* current = secret->holder("AWSCURRENT");
  return (pending && pending->id == start.version_id) ||
         (current && current->id == start.version_id);
}

void RotationRunner::run(const RotationStart& start, const std::stop_token& stop) {
  LambdaFunction* function = functions_.find(start.lambda_arn);
  SystemClock clock;
  for (int tries = 0; function != nullptr && wanted(start); ++tries) {
    if (attempt(start, *function, stop)) return;
    Duration between;
    {
      const std::lock_guard lock(mutex_);
      if (tries + 1 >= attempts_) return;
      between = between_;
    }
    if (!sleep_until(clock, clock.mono() + between, stop)) return;
  }
}

bool RotationRunner::attempt(const RotationStart& start, LambdaFunction& function,
                             const std::stop_token& stop) {
  for (const char* step : {"createSecret", "setSecret", "testSecret", "finishSecret"}) {
    if (stop.stop_requested() || !wanted(start)) return false;
    const LambdaOutcome outcome = function.invoke({{"Step", step},
                                                   {"SecretId", start.secret_arn},
                                                   {"ClientRequestToken", start.version_id},
                                                   {"RotationToken", start.rotation_token}});
    if (!outcome.ok) return false;
  }
  bool done = false;
  secrets_.edit(start.secret_arn, [&](StoredSecret& secret) {
    const SecretVersion* pending = secret.holder("AWSPENDING");
    const SecretVersion* current = secret.holder("AWSCURRENT");
    done = current && current->id == start.version_id && (!pending || pending == current);
    if (!done) return;
    secret.rotated = SystemClock().now();
    secret.rotation_token.clear();
  });
  return done;
}

}  // namespace keyturn::sandbox
