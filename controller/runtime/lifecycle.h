// Start order, signals, graceful end (controller-runtime's runnable groups in short).
//
// Order: listener → watches and caches → (leadership) → lanes. End: lanes drain, then leadership is released,
// then watches, then the listener; all within 10 s. A second SIGTERM/SIGINT ends the process at once.
//
// Thread rule: run() from main; stop() from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::runtime {

// A part of the process. start must return soon; stop blocks until the part ended.
struct Component {
  std::string name;
  std::function<Status()> start;
  std::function<void()> stop;
};

class Lifecycle {
 public:
  explicit Lifecycle(Clock& clock, Duration drain_limit = Duration(10'000));

  void add(Component component);  // started in this order, stopped in the reverse one

  // Starts all, waits for stop() or a signal, stops all. Error: a component failed to start (those
  // already started are stopped). When the drain limit passes, ends the process with status 1 and a message.
  Status run();
  void stop(std::string reason);
  // Stop now without draining what is not fenced (a lost lease): ends the process with status 1.
  [[noreturn]] static void die(const std::string& reason);

  // Blocks SIGTERM and SIGINT in this thread and those it starts; call first thing in main.
  static void block_signals();

 private:
  Clock& clock_;
  const Duration drain_limit_;
  std::vector<Component> components_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::string reason_;
};

}  // namespace keyturn::runtime
