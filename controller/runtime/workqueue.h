// A work queue of keys with client-go's semantics (util/workqueue): a key is handed to one worker
// at a time, an add during processing is never lost, adds of a waiting key fold into one.
//
// add → dirty (pushed unless processing); get: dirty → processing; done: pushed again when dirty.
// Delays: one entry per key, the earliest wins. Back-off per key: base·2ⁿ up to a cap, plus jitter
// of up to a half (client-go has none). forget() on success and before a planned requeue.
//
// Wake-ups: every pushed key wakes one worker; a delay that becomes the earliest wakes all, since
// each worker that waits does so until the earliest it knew. So no worker's leaving with a key can
// strand a delay.
//
// Thread rule: any thread. Time: monotonic, through the injected clock.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/rng.h"

namespace keyturn::runtime {

using Key = std::string;  // "namespace/name"

// What workqueue metrics need (names of client-go's workqueue_* set). Called under the queue's
// lock: be quick, and never call the queue.
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
  Duration cap{300'000};  // before jitter
};

class WorkQueue {
 public:
  WorkQueue(Clock& clock, Rng& jitter, BackoffOptions backoff, QueueObserver* observer = nullptr);

  void add(const Key& key);
  void add_after(const Key& key, Duration delay);  // <= 0: add()
  // After this key's next back-off delay, which is at least `at_least` (a Retry-After); returns it.
  Duration add_backoff(const Key& key, Duration at_least = Duration(0));
  void forget(const Key& key);
  // A deleted object: no delay and no back-off of it remains (a worker that holds it finishes).
  void drop(const Key& key);

  // Blocks until a key is ready; nullopt once shut down (after the ready keys were handed out if
  // shutdown(drain=true), at once otherwise).
  std::optional<Key> get();
  // Every key from get() must be given back, by whoever got it. Unknown keys are ignored.
  void done(const Key& key);

  // From here on adds are ignored, delayed keys never become ready. A key that became dirty while
  // it was processed counts as ready when draining. Calling it again may only make it stricter.
  void shutdown(bool drain);
  std::size_t depth() const;  // ready keys

  // How long the longest running key has been processing. Zero when none.
  Duration longest_running() const;
  // Whoever processes this key has just got something done.
  void progress(const Key& key);
  // How long the one that has got nothing done for longest has been silent; for the health check.
  Duration longest_silence() const;
  // What the running keys have taken so far, together.
  Duration unfinished_work() const;
  std::size_t waiting() const;  // delayed keys

 private:
  // The mutex is held by the caller of every _locked function.
  void add_locked(const Key& key) KT_REQUIRES(mutex_);
  void push_locked(const Key& key) KT_REQUIRES(mutex_);
  void delay_locked(const Key& key, Duration delay) KT_REQUIRES(mutex_);
  void undelay_locked(const Key& key) KT_REQUIRES(mutex_);
  void release_due_locked(MonoTime now) KT_REQUIRES(mutex_);
  Key take_locked(MonoTime now) KT_REQUIRES(mutex_);
  Duration backoff_locked(const Key& key, Duration at_least) KT_REQUIRES(mutex_);

  Clock& clock_;
  Rng& jitter_;
  const BackoffOptions backoff_;
  QueueObserver* const observer_;

  mutable Mutex mutex_;
  std::condition_variable ready_;
  std::deque<Key> queue_ KT_GUARDED_BY(mutex_);                    // ready, each also in dirty_
  std::unordered_map<Key, MonoTime> dirty_ KT_GUARDED_BY(mutex_);  // since when it waits
  struct Running {
    MonoTime since, progress;
  };
  std::unordered_map<Key, Running> processing_ KT_GUARDED_BY(mutex_);
  std::set<std::pair<MonoTime, Key>> delayed_ KT_GUARDED_BY(mutex_);
  std::unordered_map<Key, MonoTime> delayed_at_ KT_GUARDED_BY(mutex_);  // the same, by key
  std::unordered_map<Key, int> failures_ KT_GUARDED_BY(mutex_);
  bool stopping_ KT_GUARDED_BY(mutex_) = false;
  bool draining_ KT_GUARDED_BY(mutex_) = false;
};

}  // namespace keyturn::runtime
