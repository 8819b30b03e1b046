// AWS Lambda's runtime interface (version 2018-06-01): the endpoint from which a custom runtime
// takes its invocations and to which it answers them, one at a time.
//
//   next() → succeeded() or failed() → next() …; failed_to_start() instead of the first next().
//
// Thread rule: one thread. Errors: those of the transport; Transient "RuntimeRefused" where the
// endpoint answers anything but what the interface says (an answer that came too late, for
// example).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/http/transport.h"

namespace keyturn::cli {

struct Invocation {
  std::string id;
  SecretString event;  // may hold a rotation token
  WallTime deadline{};
};

class LambdaRuntime {
 public:
  // `host_port`: AWS_LAMBDA_RUNTIME_API.
  LambdaRuntime(std::shared_ptr<http::Transport> transport, const std::string& host_port)
      : transport_(std::move(transport)), base_("http://" + host_port + "/2018-06-01/runtime/") {}

  // Waits without end: between invocations Lambda freezes the process.
  Result<Invocation> next();
  Status succeeded(const std::string& id, const std::string& json);
  // Error::code becomes the type.
  Status failed(const std::string& id, const Error& error);
  Status failed_to_start(const Error& error);

 private:
  Status post(const std::string& path, std::string body, const std::string& error_type);

  const std::shared_ptr<http::Transport> transport_;
  const std::string base_;
};

}  // namespace keyturn::cli
