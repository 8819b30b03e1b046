// Where lib/aws reports each request, so that it needs no metrics library.
// Thread rule: called from any thread, must not block.
#pragma once

#include <string_view>

#include "lib/base/clock.h"

namespace keyturn::aws {

class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  // One try on the wire (retries are separate). service "secretsmanager", operation
  // "GetSecretValue", code "ok" or AWS's error code or the transport's ("Timeout").
  virtual void on_request(std::string_view service, std::string_view operation,
                          std::string_view code, Duration took) = 0;
};

}  // namespace keyturn::aws
