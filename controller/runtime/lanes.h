// Worker lanes: a bounded set of threads that take keys from one queue and run one function.
//
// Sync and rotation have lanes of their own, so that dead backends never stop syncing. The function
// returns what shall happen to the key; an exception that escapes it is caught, logged by its type
// (what() of a parser may quote a secret), counted and becomes Outcome::retry with code
// "Exception".
//
// Thread rule: start() and stop() from one thread; the functions run on the lane's threads, several
// at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "controller/runtime/workqueue.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::runtime {

// What a pass over a key ended with.
struct Outcome {
  enum class Kind {
    Done,   // nothing until something changes
    After,  // look again after `delay`
    Retry,  // failed: back off (at least error.retry_after)
  };
  Kind kind = Kind::Done;
  Duration delay{0};
  Error error;

  static Outcome done() { return {}; }
  static Outcome after(Duration d) { return {Kind::After, d, {}}; }
  static Outcome retry(Error e) { return {Kind::Retry, Duration(0), std::move(e)}; }
};

// What the queue is told about a key that ended with `outcome`; before done(), so that no other
// worker gets the key in between. Done: forget; After: forget, add_after; Retry:
// add_backoff with retry_after.
void settle(WorkQueue& queue, const Key& key, const Outcome& outcome);

// To be called where a pass gets on: after each request, of which a pass may send many. No-op on
// other threads than a lane's. Thread rule: any thread.
void note_progress();

// Unavailable "WorkerStuck": a worker of these queues has got nothing done for longer than `limit`,
// which must be more than a request may take with its retries.
Status check_progress(const std::vector<const WorkQueue*>& queues, Duration limit);

class Lane {
 public:
  using Work = std::function<Outcome(const Key&)>;
  // Told of every pass, for metrics and logs; must not throw.
  using OnOutcome = std::function<void(const Key&, const Outcome&)>;

  Lane(std::string name, WorkQueue& queue, int threads, Work work, OnOutcome on_outcome = {});
  ~Lane();  // stop(false)

  void start();
  // Shuts the queue down; lets running work finish and, with `drain`, ready keys too. Blocks until
  // the threads ended. A second call does nothing.
  void stop(bool drain);
  const std::string& name() const { return name_; }
  std::uint64_t exceptions() const { return exceptions_; }

 private:
  void run();
  Outcome guarded(const Key& key);

  const std::string name_;
  WorkQueue& queue_;
  const int threads_wanted_;
  const Work work_;
  const OnOutcome on_outcome_;
  std::atomic<std::uint64_t> exceptions_{0};
  std::vector<std::jthread> threads_;
};

}  // namespace keyturn::runtime
