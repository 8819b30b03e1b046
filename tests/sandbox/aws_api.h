// The AWS side over HTTP: Secrets Manager (JSON 1.1), Timestream for InfluxDB (JSON 1.0), STS and
// ElastiCache (Query) behind one endpoint.
// Thread rule: handle() is called from any number of threads.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "lib/base/clock.h"
#include "tests/sandbox/auth.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/elasticache.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/secrets_manager.h"
#include "tests/sandbox/service_front.h"
#include "tests/sandbox/timestream.h"

namespace keyturn::sandbox {

class AwsApi {
 public:
  // `tokens` verifies the web identity tokens given to STS.
  AwsApi(SecretsManager& secrets, const Timestream& timestream, ElastiCache& elasticache,
         AwsAccounts& accounts, const Auth& tokens, ServiceFront& front, const Clock& clock);

  void handle(const HttpRequest& request, HttpExchange& exchange);
  // The error code for a timestamp that is off ("" = InvalidSignatureException).
  void set_skew_code(const std::string& code);
  // Errors with a lower-case "message" member, as some services write it.
  void set_lower_case_message(bool on) { lower_case_message_ = on; }

 private:
  HttpResponse json_call(const HttpRequest& request, const std::string& operation);
  HttpResponse timestream_call(const HttpRequest& request, const std::string& operation);
  HttpResponse timestream_error(int status, const std::string& code, const std::string& message,
                                int retry_after = 0) const;
  void handle_timestream(const HttpRequest& request, HttpExchange& exchange,
                         const std::string& operation);
  HttpResponse query_call(const HttpRequest& request, const std::string& service);
  HttpResponse json_error(int status, const std::string& code, const std::string& message) const;
  HttpResponse finish(HttpResponse response) const;
  std::string skew_code() const;

  SecretsManager& secrets_;
  const Timestream& timestream_;
  ElastiCache& elasticache_;
  AwsAccounts& accounts_;
  const Auth& tokens_;
  ServiceFront& front_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::string skew_code_;
  std::atomic<bool> lower_case_message_{false};
};

}  // namespace keyturn::sandbox
