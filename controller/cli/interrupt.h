// Ctrl-C and SIGTERM as a stop that a command looks at between requests. The first lets the request
// under way come back, the second ends the process at once (128 + its number): every request may
// be the last, the label protocol goes on from there.
//
// Thread rule: one object at a time, made and destroyed by the main thread, before which main has
// blocked both signals (runtime::Lifecycle::block_signals). The token may be used by any thread.
#pragma once

#include <stop_token>
#include <thread>

namespace keyturn::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }

  // For commands that any signal may end: their default action again.
  static void let_signals_end_us();

 private:
  void watch();

  std::stop_source source_;
  int signals_ = -1;
  int end_ = -1;
  std::thread thread_;
};

}  // namespace keyturn::cli
