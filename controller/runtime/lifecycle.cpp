#include "controller/runtime/lifecycle.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <utility>

#include "lib/base/log.h"

namespace keyturn::runtime {

namespace {

const char* signal_name(std::uint32_t number) { return number == SIGINT ? "SIGINT" : "SIGTERM"; }

}  // namespace

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Reads the blocked signals on a thread of its own while run() lasts: the first stops, the second
// ends the process.
class Lifecycle::SignalWatch {
 public:
  explicit SignalWatch(Lifecycle& owner) : owner_(owner) {
    const sigset_t set = ending_signals();
    signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    end_ = ::eventfd(0, EFD_CLOEXEC);
    if (signals_ < 0 || end_ < 0) die("cannot watch for signals");
    thread_ = std::thread([this] { watch(); });
  }
  ~SignalWatch() {
    const std::uint64_t one = 1;
    if (::write(end_, &one, sizeof(one)) != sizeof(one)) die("cannot end the watch for signals");
    thread_.join();
    ::close(signals_);
    ::close(end_);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void watch() {
    std::array<pollfd, 2> fds{{{signals_, POLLIN, 0}, {end_, POLLIN, 0}}};
    for (;;) {
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) die("cannot poll for signals");
      if (fds[1].revents != 0) return;
      signalfd_siginfo info;
      while (::read(signals_, &info, sizeof(info)) == sizeof(info)) on_signal(info.ssi_signo);
    }
  }
  void on_signal(std::uint32_t number) {
    if (std::exchange(seen_, true)) {
      log::warn("second signal: ending at once", {{"signal", signal_name(number)}});
      ::_exit(128 + static_cast<int>(number));
    }
    owner_.stop(signal_name(number));
  }

  Lifecycle& owner_;
  int signals_ = -1;
  int end_ = -1;
  bool seen_ = false;  // of the watching thread
  std::thread thread_;
};

Lifecycle::Lifecycle(Clock& clock, Duration drain_limit)
    : clock_(clock), drain_limit_(drain_limit) {}

void Lifecycle::add(Component component) { components_.push_back(std::move(component)); }

void Lifecycle::block_signals() {
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void Lifecycle::die(const std::string& reason) {
  log::error("ending at once", {{"reason", reason}});
  ::_exit(1);  // no destructors: other threads are running
}

void Lifecycle::stop(std::string reason) {
  const MutexLock lock(mutex_);
  if (stopping_) return;
  stopping_ = true;
  reason_ = std::move(reason);
  changed_.notify_all();
}

bool Lifecycle::stopping() {
  const MutexLock lock(mutex_);
  return stopping_;
}

Status Lifecycle::run() {
  const SignalWatch signals(*this);
  std::size_t started = 0;
  Status status = start_all(started);
  if (status) {
    MutexLock lock(mutex_);
    while (!stopping_) clock_.wait_until(lock.native(), changed_, MonoTime::max());
    log::info("stopping", {{"reason", reason_}});
  }
  stop_all(started);
  return status;
}

Status Lifecycle::start_all(std::size_t& started) {
  for (const Component& component : components_) {
    if (stopping()) break;
    Status status;
    try {
      status = component.start();
    } catch (...) {  // its text may quote configuration
      status = make_error(ErrorClass::Transient, "Exception", "unexpected exception");
    }
    if (!status) return std::move(status).error().with_context("cannot start " + component.name);
    ++started;
    log::debug("started", {{"component", component.name}});
  }
  return {};
}

void Lifecycle::stop_all(std::size_t started) {
  std::thread limit([this] { await_drained(); });
  for (std::size_t i = started; i > 0; --i) {
    const Component& component = components_[i - 1];
    {
      const MutexLock lock(mutex_);
      ending_ = component.name;
    }
    try {
      component.stop();
    } catch (...) {
      log::error("stopping failed with an exception", {{"component", component.name}});
    }
    log::debug("stopped", {{"component", component.name}});
  }
  {
    const MutexLock lock(mutex_);
    drained_ = true;
    changed_.notify_all();
  }
  limit.join();
}

void Lifecycle::await_drained() {
  const MonoTime deadline = clock_.mono() + drain_limit_;
  MutexLock lock(mutex_);
  while (!drained_) {
    if (clock_.mono() >= deadline) {
      die("not stopped within the drain limit; still stopping: " + ending_);
    }
    clock_.wait_until(lock.native(), changed_, deadline);
  }
}

}  // namespace keyturn::runtime
