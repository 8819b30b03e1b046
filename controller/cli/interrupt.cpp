#include "controller/cli/interrupt.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>

#include "controller/runtime/lifecycle.h"

namespace keyturn::cli {

Interrupt::Interrupt() {
  const sigset_t set = runtime::ending_signals();
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  end_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { watch(); });
}

Interrupt::~Interrupt() {
  const std::uint64_t one = 1;
  if (::write(end_, &one, sizeof(one)) != sizeof(one)) ::_exit(1);  // it would never be joined
  thread_.join();
  ::close(signals_);
  ::close(end_);
}

void Interrupt::watch() {
  std::array<pollfd, 2> fds{{{signals_, POLLIN, 0}, {end_, POLLIN, 0}}};
  for (;;) {
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    while (::read(signals_, &info, sizeof(info)) == sizeof(info)) {
      if (source_.stop_requested()) ::_exit(128 + static_cast<int>(info.ssi_signo));
      std::fputs("stopping after the request under way; once more ends at once\n", stderr);
      source_.request_stop();
    }
  }
}

void Interrupt::let_signals_end_us() {
  const sigset_t set = runtime::ending_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace keyturn::cli
