// A refusal of InfluxDB, thrown where it is found out and written by influx_routes as
// {"code","message"} with X-Platform-Error-Code.
//
// The code decides the status, and two of them are traps for a client: "unauthorized" (401) is said
// both to whom the server does not know ("unauthorized access") and to whom it knows and does not
// permit ("read:orgs/… is unauthorized"); "conflict" is 422, not 409.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace keyturn::sandbox {

class InfluxError final : public std::exception {
 public:
  InfluxError(std::string error_code, std::string text)
      : code(std::move(error_code)), message(std::move(text)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int status() const {
    if (code == "invalid" || code == "empty value") return 400;
    if (code == "unauthorized") return 401;
    if (code == "forbidden") return 403;
    if (code == "not found") return 404;
    if (code == "method not allowed") return 405;
    if (code == "conflict" || code == "unprocessable entity") return 422;
    if (code == "too many requests") return 429;
    if (code == "unavailable") return 503;
    return 500;
  }

  std::string code;
  std::string message;
};

}  // namespace keyturn::sandbox
