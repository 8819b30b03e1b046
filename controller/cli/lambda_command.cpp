// `keyturn lambda`: the rotation function of a secret whose schedule AWS owns.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/commands.h"
#include "controller/cli/lambda_function.h"
#include "controller/cli/lambda_runtime.h"
#include "controller/cli/output.h"
#include "lib/aws/session.h"
#include "lib/base/log.h"
#include "lib/http/curl_transport.h"

namespace keyturn::cli {
namespace {

int fail(const Error& error) {
  log::error("function ends", {{"reason", error.code}, {"error", error.message}});
  return kFailed;
}

std::string answer_of(const Stepped& stepped) {
  return nlohmann::json{
      {"secretArn", stepped.arn}, {"versionId", stepped.version_id}, {"note", stepped.note}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Stepped> guarded(RotationFunction& function, const Invocation& invocation) {
  try {
    return function.handle(invocation.event, invocation.deadline);
  } catch (const std::exception& error) {
    return invalid("InternalError", std::string("internal error: ") + error.what());
  }
}

// Until Lambda ends the process. An answer that the endpoint does not take (it came too late, say)
// concerns that invocation alone.
int serve(LambdaRuntime& runtime, RotationFunction& function) {
  for (;;) {
    auto invocation = runtime.next();
    if (!invocation) return fail(invocation.error());
    const auto done = guarded(function, *invocation);
    if (!done)
      log::error("step failed", {{"reason", done.error().code}, {"error", done.error().message}});
    const Status told = done ? runtime.succeeded(invocation->id, answer_of(*done))
                             : runtime.failed(invocation->id, done.error());
    if (!told && told.error().code != "RuntimeRefused") return fail(told.error());
    if (!told) log::warn("answer not taken", {{"error", told.error().message}});
  }
}

int lambda() {
  const aws::Environment env = aws::process_environment();
  const auto endpoint = env("AWS_LAMBDA_RUNTIME_API");
  if (!endpoint || endpoint->empty()) {
    complain("lambda",
             "AWS_LAMBDA_RUNTIME_API is not set: AWS Lambda starts this command, from the package "
             "that `make lambda` builds; `keyturn secret step` runs a step by hand");
    return kUsage;
  }
  log::configure(log::Level::Info, log::Format::Json);
  LambdaRuntime runtime(http::make_curl_transport({.max_idle_handles = 1, .user_agent = "keyturn"}),
                        *endpoint);
  auto settings = read_lambda_settings(env);
  if (!settings) {
    if (auto told = runtime.failed_to_start(settings.error()); !told) return fail(told.error());
    return fail(settings.error());
  }
  RotationFunction function(std::move(settings).value());
  return serve(runtime, function);
}

}  // namespace

void add_lambda(CLI::App& app, Chosen& chosen) {
  app.add_subcommand("lambda",
                     "Serve as the AWS Lambda function by which Secrets Manager rotates a secret")
      ->callback([&chosen] { chosen.command = lambda; });
}

}  // namespace keyturn::cli
