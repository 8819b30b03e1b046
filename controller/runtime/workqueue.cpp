#include "controller/runtime/workqueue.h"

#include <algorithm>
#include <cstdint>

namespace keyturn::runtime {

namespace {

constexpr Duration kLongest = std::chrono::hours(24 * 366);  // sums with a time cannot overflow

}  // namespace

WorkQueue::WorkQueue(Clock& clock, Rng& jitter, BackoffOptions backoff, QueueObserver* observer)
    : clock_(clock), jitter_(jitter), backoff_(backoff), observer_(observer) {}

void WorkQueue::add(const Key& key) {
  const MutexLock lock(mutex_);
  add_locked(key);
}

void WorkQueue::add_locked(const Key& key) {
  if (stopping_) return;
  if (!dirty_.emplace(key, clock_.mono()).second) return;
  if (processing_.count(key) == 0) push_locked(key);
  if (observer_ != nullptr) observer_->on_add(queue_.size());
}

void WorkQueue::push_locked(const Key& key) {
  queue_.push_back(key);
  ready_.notify_one();
}

void WorkQueue::add_after(const Key& key, Duration delay) {
  const MutexLock lock(mutex_);
  if (delay <= Duration(0)) {
    add_locked(key);
  } else {
    delay_locked(key, std::min(delay, kLongest));
  }
}

Duration WorkQueue::add_backoff(const Key& key, Duration at_least) {
  const MutexLock lock(mutex_);
  const Duration delay = backoff_locked(key, at_least);
  delay_locked(key, delay);
  if (observer_ != nullptr) observer_->on_retry();
  return delay;
}

Duration WorkQueue::backoff_locked(const Key& key, Duration at_least) {
  int& failures = failures_[key];
  // Doubling by steps: base·2ⁿ could leave 64 bits.
  Duration delay = std::min(backoff_.base, backoff_.cap);
  for (int i = 0; i < failures && delay < backoff_.cap; ++i) {
    delay = delay > backoff_.cap / 2 ? backoff_.cap : delay * 2;
  }
  if (delay < backoff_.cap) ++failures;
  const auto jitter =
      static_cast<Duration::rep>(jitter_.below(static_cast<std::uint64_t>(delay.count() / 2) + 1));
  // On top of a Retry-After too: it is the same for all whom the server turned away.
  return std::max(delay, std::min(at_least, kLongest)) + Duration(jitter);
}

void WorkQueue::delay_locked(const Key& key, Duration delay) {
  if (stopping_) return;
  const MonoTime until = clock_.mono() + delay;
  const auto known = delayed_at_.find(key);
  if (known != delayed_at_.end() && known->second <= until) return;
  undelay_locked(key);
  const bool earliest = delayed_.empty() || until < delayed_.begin()->first;
  delayed_.emplace(until, key);
  delayed_at_.emplace(key, until);
  if (earliest) ready_.notify_all();
}

void WorkQueue::undelay_locked(const Key& key) {
  const auto known = delayed_at_.find(key);
  if (known == delayed_at_.end()) return;
  delayed_.erase({known->second, key});
  delayed_at_.erase(known);
}

void WorkQueue::forget(const Key& key) {
  const MutexLock lock(mutex_);
  failures_.erase(key);
}

void WorkQueue::drop(const Key& key) {
  const MutexLock lock(mutex_);
  failures_.erase(key);
  undelay_locked(key);
}

void WorkQueue::release_due_locked(MonoTime now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const Key key = delayed_.begin()->second;
    undelay_locked(key);
    add_locked(key);
  }
}

Key WorkQueue::take_locked(MonoTime now) {
  Key key = std::move(queue_.front());
  queue_.pop_front();
  const auto waited = dirty_.find(key);
  const MonoTime since = waited->second;
  dirty_.erase(waited);
  processing_.emplace(key, Running{now, now});
  if (observer_ != nullptr) observer_->on_get(queue_.size(), now - since);
  return key;
}

std::optional<Key> WorkQueue::get() {
  MutexLock lock(mutex_);
  for (;;) {
    const MonoTime now = clock_.mono();
    if (stopping_ && !draining_) return std::nullopt;
    if (!stopping_) release_due_locked(now);
    if (!queue_.empty()) return take_locked(now);
    if (stopping_) return std::nullopt;
    const MonoTime until = delayed_.empty() ? MonoTime::max() : delayed_.begin()->first;
    clock_.wait_until(lock.native(), ready_, until);
  }
}

void WorkQueue::done(const Key& key) {
  const MutexLock lock(mutex_);
  const auto running = processing_.find(key);
  if (running == processing_.end()) return;
  const Duration worked = clock_.mono() - running->second.since;
  processing_.erase(running);
  if (observer_ != nullptr) observer_->on_done(worked);
  if (dirty_.count(key) != 0) push_locked(key);
}

void WorkQueue::shutdown(bool drain) {
  const MutexLock lock(mutex_);
  draining_ = drain && (draining_ || !stopping_);
  stopping_ = true;
  delayed_.clear();
  delayed_at_.clear();
  ready_.notify_all();
}

std::size_t WorkQueue::depth() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

Duration WorkQueue::longest_running() const {
  const MutexLock lock(mutex_);
  Duration longest(0);
  const MonoTime now = clock_.mono();
  for (const auto& [key, running] : processing_) longest = std::max(longest, now - running.since);
  return longest;
}

void WorkQueue::progress(const Key& key) {
  const MutexLock lock(mutex_);
  const auto running = processing_.find(key);
  if (running != processing_.end()) running->second.progress = clock_.mono();
}

Duration WorkQueue::longest_silence() const {
  const MutexLock lock(mutex_);
  Duration longest(0);
  const MonoTime now = clock_.mono();
  for (const auto& [key, running] : processing_)
    longest = std::max(longest, now - running.progress);
  return longest;
}

Duration WorkQueue::unfinished_work() const {
  const MutexLock lock(mutex_);
  Duration sum(0);
  const MonoTime now = clock_.mono();
  for (const auto& [key, running] : processing_) sum += now - running.since;
  return sum;
}

std::size_t WorkQueue::waiting() const {
  const MutexLock lock(mutex_);
  return delayed_.size();
}

}  // namespace keyturn::runtime
