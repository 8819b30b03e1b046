// A work queue of keys with client-go's semantics (util/workqueue): a key is handed to one worker at a
// time, an add during processing is never lost, adds of a waiting key fold into one.
//
// add → dirty (pushed unless processing); get: dirty → processing; done: pushed again when dirty.
// Delays: one entry per key, the earliest wins. Back-off per key: base·2ⁿ up to a cap, plus jitter of up to a half
// (client-go has none). forget() on success and before a planned requeue.
//
// Thread rule: any thread. Time: monotonic, through the injected clock.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::runtime {

using Key = std::string;  // "namespace/name"

// What workqueue metrics need (names of client-go's workqueue_* set). Called under the queue's lock: be quick.
class QueueObserver {
 public:
  virtual ~QueueObserver() = default;
  virtual void on_add(std::size_t depth) = 0;
  virtual void on_get(std::size_t depth, Duration waited) = 0;
  virtual void on_done(Duration worked) = 0;
  virtual void on_retry() = 0;
};

struct BackoffOptions {
  Duration base{1000};
  Duration cap{300'000};
};

class WorkQueue {
 public:
  WorkQueue(Clock& clock, Rng& jitter, BackoffOptions backoff, QueueObserver* observer = nullptr);

  void add(const Key& key);
  void add_after(const Key& key, Duration delay);  // <= 0: add()
  // After this key's next back-off delay; returns it.
  Duration add_backoff(const Key& key);
  void forget(const Key& key);
  // A deleted object: no delay and no back-off of it remains (a worker that holds it finishes).
  void drop(const Key& key);

  // Blocks until a key is ready; nullopt once shut down (after the ready keys were handed out if
  // shutdown(drain=true), at once otherwise).
  std::optional<Key> get();
  void done(const Key& key);

  void shutdown(bool drain);
  std::size_t depth() const;

  // How long the longest running key has been processing; for the health check. Zero when none.
  Duration longest_running() const;
  std::size_t waiting() const;  // delayed keys

 private:
  struct Running {
    MonoTime since;
  };
  void push_locked(const Key& key);
  void release_due_locked(MonoTime now);

  Clock& clock_;
  Rng& jitter_;
  const BackoffOptions backoff_;
  QueueObserver* const observer_;

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Key> queue_;
  std::unordered_map<Key, MonoTime> dirty_;       // since when it waits
  std::unordered_map<Key, Running> processing_;
  std::set<std::pair<MonoTime, Key>> delayed_;
  std::unordered_map<Key, MonoTime> delayed_at_;
  std::unordered_map<Key, int> failures_;
  bool stopping_ = false;
  bool draining_ = false;
};

}  // namespace keyturn::runtime
