#include "controller/runtime/lanes.h"

#include <cxxabi.h>
#include <pthread.h>

#include <exception>
#include <typeinfo>

#include "lib/base/log.h"
#include "lib/base/time.h"

namespace keyturn::runtime {

namespace {

// The type of the exception that is being handled. Its text is left out: what() of a JSON parser
// quotes input.
std::string current_exception_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type == nullptr ? "unknown" : type->name();
}

// What this thread works on.
struct Work {
  WorkQueue* queue = nullptr;
  const Key* key = nullptr;
};
thread_local Work work_in_hand;

}  // namespace

void note_progress() {
  if (work_in_hand.queue != nullptr) work_in_hand.queue->progress(*work_in_hand.key);
}

Status check_progress(const std::vector<const WorkQueue*>& queues, Duration limit) {
  for (const WorkQueue* queue : queues) {
    if (queue->longest_silence() > limit) {
      return make_error(ErrorClass::Unavailable, "WorkerStuck",
                        "a worker has got nothing done for over " + format_duration(limit));
    }
  }
  return {};
}

void settle(WorkQueue& queue, const Key& key, const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::Done:
      queue.forget(key);
      return;
    case Outcome::Kind::After:
      queue.forget(key);
      queue.add_after(key, outcome.delay);
      return;
    case Outcome::Kind::Retry:
      queue.add_backoff(key, outcome.error.retry_after.value_or(Duration(0)));
      return;
  }
}

Lane::Lane(std::string name, WorkQueue& queue, int threads, Work work, OnOutcome on_outcome)
    : name_(std::move(name)),
      queue_(queue),
      threads_wanted_(threads),
      work_(std::move(work)),
      on_outcome_(std::move(on_outcome)) {}

Lane::~Lane() { stop(false); }

void Lane::start() {
  for (int i = 0; i < threads_wanted_; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
  }
}

void Lane::stop(bool drain) {
  if (threads_.empty()) return;
  queue_.shutdown(drain);
  threads_.clear();  // joins
}

void Lane::run() {
  while (const std::optional<Key> key = queue_.get()) {
    work_in_hand = {&queue_, &*key};
    const Outcome outcome = guarded(*key);
    work_in_hand = {};
    settle(queue_, *key, outcome);
    queue_.done(*key);
    if (on_outcome_) on_outcome_(*key, outcome);
  }
}

Outcome Lane::guarded(const Key& key) {
  try {
    return work_(key);
  } catch (const abi::__forced_unwind&) {
    throw;  // a cancelled thread, not an error
  } catch (...) {
    ++exceptions_;
    const std::string type = current_exception_type();
    log::error("work failed with an exception; it will be retried",
               {{"lane", name_}, {"key", key}, {"exception", type}});
    return Outcome::retry(
        make_error(ErrorClass::Transient, "Exception", "unexpected exception of type " + type));
  }
}

}  // namespace keyturn::runtime
