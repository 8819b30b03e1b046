#include "tests/sandbox/service_front.h"

#include <chrono>

namespace keyturn::sandbox {
namespace {

class Timer {
 public:
  std::int64_t micros() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

bool ServiceFront::strike(const Fault& fault, HttpExchange& exchange, const ErrorReply& error_reply,
                          int& status) {
  if (fault.delay_ms > 0 && !exchange.wait(-1, fault.delay_ms)) {
    exchange.reset();
    return true;
  }
  switch (fault.kind) {
    case FaultKind::Error: {
      HttpResponse response = error_reply(fault);
      if (fault.retry_after > 0)
        response.headers.emplace_back("Retry-After", std::to_string(fault.retry_after));
      status = response.status;
      exchange.reply(response);
      return true;
    }
    case FaultKind::ResetBefore:
      exchange.reset();
      return true;
    case FaultKind::BlackHole:
      exchange.black_hole();
      return true;
    default:
      return false;
  }
}

void ServiceFront::run(const Call& call, HttpExchange& exchange, const ErrorReply& error_reply,
                       const Process& process) {
  const Timer timer;
  const std::optional<Fault> fault = faults_.decide(call);
  int status = 0;
  if (!fault || !strike(*fault, exchange, error_reply, status)) {
    if (fault && fault->kind == FaultKind::Duplicate) process();
    const HttpResponse response = process();
    status = response.status;
    // Logged before the reply is sent: whoever has the reply finds the call in the log.
    log_.add({0, 0, call, status, timer.micros(), fault ? fault->id : ""});
    if (fault && fault->kind == FaultKind::ResetAfter) {
      exchange.reset();
    } else if (fault && fault->kind == FaultKind::HoldReply) {
      exchange.black_hole();
    } else {
      exchange.reply(response);
    }
    return;
  }
  log_.add({0, 0, call, status, timer.micros(), fault->id});
}

void ServiceFront::run_stream(const Call& call, HttpExchange& exchange,
                              const ErrorReply& error_reply, const Stream& stream) {
  const Timer timer;
  const std::optional<Fault> fault = faults_.decide(call);
  log_.add({0, 0, call, 200, 0, fault ? fault->id : ""});
  int status = 0;
  if (fault && strike(*fault, exchange, error_reply, status)) return;
  stream(fault);
}

}  // namespace keyturn::sandbox
