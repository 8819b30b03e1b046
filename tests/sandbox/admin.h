// The control API of the sandbox: plain HTTP with JSON on a loopback port of its own. It is not
// subject to faults and not in the call log. Paths are listed in README.md beside this file. Thread
// rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

class Sandbox;

class Admin {
 public:
  explicit Admin(Sandbox& sandbox) : sandbox_(sandbox) {}
  void handle(const HttpRequest& request, HttpExchange& exchange);

 private:
  // Throws std::invalid_argument for what makes no sense, AwsError or ApiError for what is refused.
  Json dispatch(const HttpRequest& request, const Json& body);
  Json calls(const HttpRequest& request);
  Json faults(const HttpRequest& request, const std::string& rest, const Json& body);
  Json kube(const std::string& rest, const Json& body);
  Json aws(const HttpRequest& request, const std::string& rest, const Json& body);
  Json aws_secrets(const HttpRequest& request, const std::string& rest, const Json& body);
  Json behave(const Json& body);
  Json astra(const HttpRequest& request, const std::string& rest, const Json& body);
  Json elasticache(const HttpRequest& request, const std::string& rest, const Json& body);
  // admin_lambda.cpp
  Json lambda(const HttpRequest& request, const std::string& rest, const Json& body);
  // admin_influx.cpp
  Json influx(const HttpRequest& request, const std::string& rest, const Json& body);
  Json influx_instance(const HttpRequest& request, const std::vector<std::string>& path,
                       const Json& body);

  Sandbox& sandbox_;
};

}  // namespace keyturn::sandbox
