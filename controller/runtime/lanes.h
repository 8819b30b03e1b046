// Worker lanes: a bounded set of threads that take keys from one queue and run one function.
//
// Sync and rotation have lanes of their own, so that dead backends never stop syncing. The function
// returns what shall happen to the key; an exception is caught, counted and becomes a retry.
//
// Thread rule: start() and stop() from one thread; the function runs on the lane's threads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "controller/runtime/workqueue.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::runtime {

// What a pass over a key ended with.
struct Outcome {
  enum class Kind {
    Done,      // nothing until something changes
    After,     // look again after `delay`
    Retry,     // failed: back off (at least error.retry_after)
    Terminal,  // failed for good until its input changes: no retry
  };
  Kind kind = Kind::Done;
  Duration delay{0};
  Error error;

  static Outcome done() { return {}; }
  static Outcome after(Duration d) { return {Kind::After, d, {}}; }
  static Outcome retry(Error e) { return {Kind::Retry, Duration(0), std::move(e)}; }
  static Outcome terminal(Error e) { return {Kind::Terminal, Duration(0), std::move(e)}; }
};

class Lane {
 public:
  using Work = std::function<Outcome(const Key&)>;

  Lane(std::string name, WorkQueue& queue, int threads, Work work);
  ~Lane();  // stop(false)

  void start();
  // Lets running work finish; with `drain`, ready keys too. Blocks until the threads ended.
  void stop(bool drain);
  const std::string& name() const { return name_; }

 private:
  void run();

  const std::string name_;
  WorkQueue& queue_;
  const int threads_wanted_;
  const Work work_;
  std::vector<std::jthread> threads_;
};

}  // namespace keyturn::runtime
