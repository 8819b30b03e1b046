// std::mutex with clang's thread-safety annotations, so that -Wthread-safety checks what each mutex
// guards.
//
//   Mutex mutex_;
//   int depth_ KT_GUARDED_BY(mutex_) = 0;
//   void push_locked() KT_REQUIRES(mutex_);
//
// Thread rule: as std::mutex. GCC ignores the annotations.
#pragma once

#include <mutex>

#if defined(__clang__)
#define KT_ANNOTATION(x) __attribute__((x))
#else
#define KT_ANNOTATION(x)
#endif
#define KT_GUARDED_BY(m) KT_ANNOTATION(guarded_by(m))
#define KT_REQUIRES(m) KT_ANNOTATION(requires_capability(m))
#define KT_EXCLUDES(m) KT_ANNOTATION(locks_excluded(m))

namespace keyturn {

class KT_ANNOTATION(capability("mutex")) Mutex {
 public:
  Mutex() = default;

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

// Holds a Mutex for a scope. native() is for waiting on a condition variable (Clock::wait_until),
// which gives the mutex back as it found it.
class KT_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KT_ANNOTATION(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  ~MutexLock() KT_ANNOTATION(release_capability()) = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  std::unique_lock<std::mutex>& native() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace keyturn
