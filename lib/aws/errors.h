// What an AWS error reply says and what may be done about it.
//
// Shapes: JSON 1.1 {"__type":"prefix#Code:uri","Message"|"message"} and Query XML
// <ErrorResponse><Error><Code/><Message/></Error><RequestId/>. Decisions rest on the code; the HTTP
// status counts only where there is no code, or one that nobody knows.
//
// Thread rule: pure functions; any bytes are accepted.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::aws {

struct ServiceError {
  std::string code;        // "ResourceNotFoundException"; "Http503" when the reply names none
  std::string message;     // as sent (not yet made printable); may be empty
  std::string request_id;  // from an XML body; JSON services send it as a header
};

ServiceError parse_json_error(int status, std::string_view body);
ServiceError parse_query_error(int status, std::string_view body);

// What may help before the caller hears of it.
enum class Remedy {
  None,
  Retry,         // transient
  RetryTimeout,  // transient, and dear to the retry budget
  RetryThrottled,
  FreshCredentials,  // once
  CorrectClock,      // once, if the reply's Date shows that our clock is off
};

struct Verdict {
  ErrorClass cls;
  Remedy remedy;
};
Verdict judge(std::string_view code, int status);

}  // namespace keyturn::aws
