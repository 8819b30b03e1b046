// Runs a request of a service under the faults that were ordered for it, and writes it to the call
// log. Thread rule: any thread.
#pragma once

#include <functional>
#include <optional>

#include "tests/sandbox/call_log.h"
#include "tests/sandbox/faults.h"
#include "tests/sandbox/http_server.h"

namespace keyturn::sandbox {

class ServiceFront {
 public:
  ServiceFront(FaultPlan& faults, CallLog& log) : faults_(faults), log_(log) {}

  using Process = std::function<HttpResponse()>;
  // An error fault in the words of the service.
  using ErrorReply = std::function<HttpResponse(const Fault&)>;
  void run(const Call& call, HttpExchange& exchange, const ErrorReply& error_reply,
           const Process& process);

  // For answers that are streams: faults before the stream are handled here, those within it
  // (HalfLine, CutWatch, WatchGone) are handed on. `stream` returns the HTTP status it sent.
  using Stream = std::function<int(const std::optional<Fault>&)>;
  void run_stream(const Call& call, HttpExchange& exchange, const ErrorReply& error_reply,
                  const Stream& stream);

 private:
  // True: the fault has dealt with the exchange; `status` is what was sent.
  bool strike(const Fault& fault, HttpExchange& exchange, const ErrorReply& error_reply,
              int& status);

  FaultPlan& faults_;
  CallLog& log_;
};

}  // namespace keyturn::sandbox
