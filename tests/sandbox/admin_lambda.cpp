// The control API for Lambda functions.
#include <stdexcept>

#include "lib/base/text.h"
#include "tests/sandbox/admin.h"
#include "tests/sandbox/sandbox.h"

namespace keyturn::sandbox {
namespace {

Json state_of(const LambdaFunction& function) {
  return {{"name", function.name()},
          {"arn", function.arn()},
          {"runtimeApi", function.api()},
          {"initError", function.init_error()},
          {"invocations", function.invocations()}};
}

Json outcome_json(const LambdaOutcome& outcome) {
  return {{"ok", outcome.ok},
          {"response", outcome.response},
          {"errorType", outcome.error_type},
          {"errorMessage", outcome.error_message}};
}

}  // namespace

Json Admin::lambda(const HttpRequest& request, const std::string& rest, const Json& body) {
  LambdaFunctions& functions = sandbox_.functions();
  if (rest == "patience") {
    sandbox_.rotations().set_patience(body.at("attempts").get<int>(),
                                      Duration(body.at("betweenMs").get<std::int64_t>()));
    return Json::object();
  }
  const std::vector<std::string> path = split(rest, '/');
  if (path[0] == "functions" && path.size() == 1 && request.method == "POST") {
    const std::int64_t timeout = body.value("timeoutMs", std::int64_t{60'000});
    return state_of(functions.create(body.at("name").get<std::string>(), Duration(timeout)));
  }
  if (path[0] == "functions" && path.size() == 2) return state_of(functions.need(path[1]));
  if (path[0] == "functions" && path.size() == 3 && path[2] == "invoke")
    return outcome_json(functions.need(path[1]).invoke(body));
  if (path[0] == "functions" && path.size() == 3 && path[2] == "restart") {
    functions.need(path[1]).restart();
    return Json::object();
  }
  throw std::invalid_argument("unknown: " + printable(request.path));
}

}  // namespace keyturn::sandbox
