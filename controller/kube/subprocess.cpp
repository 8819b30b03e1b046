#include "controller/kube/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "lib/base/time.h"

namespace keyturn::kube {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = 1u << 20;
constexpr std::chrono::milliseconds kSlice{20};  // how often the child's end is looked for

struct Pipe {
  std::array<int, 2> fd{-1, -1};
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (fd[end] >= 0) ::close(fd[end]);
    fd[end] = -1;
  }
};

struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

void prepare(SpawnSettings& settings, const Subprocess& process, int output) {
  auto* actions = &settings.actions;
  if (!process.interactive) {
    posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);

  // Our threads block SIGTERM and SIGINT and ignore SIGPIPE; the child starts as from a shell.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  if (!process.interactive) {  // a group of its own can be killed as a whole, but may not read the
                               // terminal
    flags = static_cast<short>(flags | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&settings.attributes, 0);
  }
  posix_spawnattr_setflags(&settings.attributes, flags);
}

// NAME=value of ours, replaced and extended by the process's own.
std::vector<std::string> environment(const Subprocess& process) {
  std::vector<std::string> result;
  const auto replaced = [&](std::string_view entry) {
    const std::string_view name = entry.substr(0, entry.find('='));
    return std::any_of(process.env.begin(), process.env.end(),
                       [&](const auto& own) { return own.first == name; });
  };
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!replaced(*entry)) result.emplace_back(*entry);
  }
  for (const auto& [name, value] : process.env) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

Error failed(const Subprocess& process, const std::string& how) {
  return make_error(ErrorClass::Transient, "ExecFailed", process.command + " " + how);
}

// Reads what is there; false at the end of the output.
bool read_some(int fd, std::string& output) {
  char buffer[4096];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got > 0) output.append(buffer, static_cast<std::size_t>(got));
  explicit_bzero(buffer, sizeof buffer);
  return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

// Collects the output until the child has ended (its own children may keep the pipe open) or the
// time is over.
std::optional<int> collect(pid_t child, int fd, SteadyClock::time_point deadline,
                           std::string& output) {
  bool open = true;
  for (;;) {
    pollfd poll_fd{fd, POLLIN, 0};
    const int ready =
        ::poll(open ? &poll_fd : nullptr, open ? 1 : 0, static_cast<int>(kSlice.count()));
    if (ready > 0) {
      open = read_some(fd, output);
      if (open && output.size() <= kMaxOutput) continue;
    }
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      while (open && ::poll(&poll_fd, 1, 0) > 0) open = read_some(fd, output);
      return status;
    }
    if (SteadyClock::now() >= deadline || output.size() > kMaxOutput) return std::nullopt;
  }
}

}  // namespace

Result<SecretString> run(const Subprocess& process) {
  Pipe pipe;
  if (::pipe2(pipe.fd.data(), O_CLOEXEC) != 0) return failed(process, std::strerror(errno));
  std::vector<std::string> argv{process.command};
  argv.insert(argv.end(), process.args.begin(), process.args.end());
  std::vector<std::string> env = environment(process);
  SpawnSettings settings;
  prepare(settings, process, pipe.fd[1]);

  pid_t child = -1;
  const int error =
      ::posix_spawnp(&child, process.command.c_str(), &settings.actions, &settings.attributes,
                     pointers(argv).data(), pointers(env).data());
  pipe.close_end(1);
  if (error == ENOENT) {
    return make_error(ErrorClass::NotFound, "ExecNotFound", process.command + ": no such program");
  }
  if (error != 0) return invalid("ExecFailed", process.command + ": " + std::strerror(error));

  std::string output;
  output.reserve(64u << 10);  // mostly no growth, so no copies left behind
  const auto status = collect(child, pipe.fd[0], SteadyClock::now() + process.timeout, output);
  SecretString result = SecretString::take(std::move(output));
  if (!status) {
    ::kill(process.interactive ? child : -child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return failed(process, result.size() > kMaxOutput
                               ? "wrote more than 1 MiB and was killed"
                               : "did not end within " + format_duration(process.timeout) +
                                     " and was killed");
  }
  if (WIFSIGNALED(*status)) {
    return failed(process, "was ended by signal " + std::to_string(WTERMSIG(*status)));
  }
  if (WEXITSTATUS(*status) != 0) {
    return failed(process, "ended with status " + std::to_string(WEXITSTATUS(*status)));
  }
  return result;
}

}  // namespace keyturn::kube
