// AWS Lambda, as far as a custom runtime sees it: each function has a runtime endpoint of its own
// (version 2018-06-01) on a loopback port, from which one process at a time takes invocations. Who
// that process is, is the test's to say: `keyturn lambda`, or anything else that speaks HTTP.
//
// Strict: an invocation is answered once, by its id, before its deadline; errors carry type and
// message; nothing is asked for while an answer is owed. Calls are logged as service "lambda" with
// the function's name as resource; faults apply.
//
// Thread rule: any thread. A function lives as long as LambdaFunctions.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/service_front.h"

namespace keyturn::sandbox {

struct LambdaOutcome {
  bool ok = false;
  std::string response;  // as sent
  std::string error_type,
      error_message;  // "Sandbox.Timedout" and "Runtime.ExitError" are Lambda's own
};

class LambdaFunction {
 public:
  LambdaFunction(std::string name, std::string arn, Duration timeout, ServiceFront& front);
  ~LambdaFunction();

  const std::string& name() const { return name_; }
  const std::string& arn() const { return arn_; }
  std::string api() const;  // what AWS_LAMBDA_RUNTIME_API says

  // Waits its turn, then for the answer, at most for the function's time-out.
  LambdaOutcome invoke(const Json& event);
  // Ends what is under way; no invocation succeeds any more.
  void stop();
  // The process is gone: what it owed has failed, and the next one begins with its init phase.
  void restart();
  // {"event": …, "ok", "errorType", "errorMessage"}, oldest first; without RotationToken.
  Json invocations() const;
  // What the init phase was reported to have failed of; "" for nothing.
  std::string init_error() const;

 private:
  struct Pending {
    std::string id, event;
    bool delivered = false;
    WallTime deadline{};
    std::optional<LambdaOutcome> outcome;
  };

  void handle(const HttpRequest& request, HttpExchange& exchange);
  void next(const HttpRequest& request, HttpExchange& exchange);
  HttpResponse deliver();
  HttpResponse answer(const HttpRequest& request, const std::string& id, bool is_error);
  HttpResponse init_failed(const HttpRequest& request);
  void finish_locked(LambdaOutcome outcome);

  const std::string name_, arn_;
  const Duration timeout_;
  ServiceFront& front_;
  SystemRng rng_;
  std::mutex turn_;  // one invocation at a time
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Pending> pending_;
  bool started_ = false, stopping_ = false;
  std::string init_error_;
  Json invocations_ = Json::array();
  int wake_ = -1;  // readable while an invocation waits to be delivered
  HttpServer server_;
};

class LambdaFunctions {
 public:
  LambdaFunctions(ServiceFront& front, std::string region)
      : front_(front), region_(std::move(region)) {}

  // Throws std::invalid_argument when the name is taken, or not known.
  LambdaFunction& create(const std::string& name, Duration timeout);
  LambdaFunction& need(const std::string& name) const;
  LambdaFunction* find(const std::string& arn) const;
  void stop();

 private:
  ServiceFront& front_;
  const std::string region_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<LambdaFunction>> functions_;  // by name
};

}  // namespace keyturn::sandbox
