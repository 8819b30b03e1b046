// Start order, signals, graceful end (controller-runtime's runnable groups in short).
//
// Order: listener → watches and caches → (leadership) → lanes. End: lanes drain, then leadership is
// released, then watches, then the listener; all within 10 s. A second SIGTERM/SIGINT ends the
// process at once.
//
// Thread rule: run() from main; stop() from any thread.
#pragma once

#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/result.h"

namespace keyturn::runtime {

// A part of the process. start must return soon; stop blocks until the part ended.
struct Component {
  std::string name;
  std::function<Status()> start;
  std::function<void()> stop;
};

// SIGTERM and SIGINT.
sigset_t ending_signals();

class Lifecycle {
 public:
  explicit Lifecycle(Clock& clock, Duration drain_limit = Duration(10'000));

  void add(Component component);  // started in this order, stopped in the reverse one

  // Starts all, waits for stop() or a signal, stops all. Error: a component failed to start (those
  // already started are stopped). When the drain limit passes, ends the process with status 1 and a
  // message. The second signal ends it with 128 + the signal's number. Once per object.
  Status run();
  // Before run() too. The first reason is logged.
  void stop(std::string reason);
  // Stop now without draining what is not fenced (a lost lease): ends the process with status 1.
  [[noreturn]] static void die(const std::string& reason);

  // Blocks SIGTERM and SIGINT in this thread and those it starts (run() reads them), and ignores
  // SIGPIPE: a peer that hangs up is an error of a write. Call first thing in main, before any
  // thread.
  static void block_signals();

 private:
  class SignalWatch;
  Status start_all(std::size_t& started);
  void stop_all(std::size_t started);
  bool stopping();
  void await_drained();

  Clock& clock_;
  const Duration drain_limit_;
  std::vector<Component> components_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ KT_GUARDED_BY(mutex_) = false;
  bool drained_ KT_GUARDED_BY(mutex_) = false;
  std::string reason_ KT_GUARDED_BY(mutex_);
  std::string ending_ KT_GUARDED_BY(mutex_);  // the component that is being stopped
};

}  // namespace keyturn::runtime
