#include "tests/sandbox/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "lib/base/rng.h"
#include "lib/base/uuid.h"

extern char** environ;

namespace keyturn::sandbox {
namespace {

// Reads until somebody who holds the other end of its input is gone.
constexpr const char* kScript =
    "log=$1; shift; \"$@\" >\"$log\" 2>&1 & server=$!; read -r _; kill -9 $server; wait $server "
    "2>/dev/null";
constexpr const char* kAdmin = "sandbox-admin";

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!bound) throw std::runtime_error("no free port for redis-server");
  return ntohs(address.sin_port);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
}

std::string array(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words)
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

class Connection {
 public:
  explicit Connection(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The first line of the reply; "" when there is none.
  std::string ask(const std::vector<std::string>& words) {
    const std::string text = array(words);
    if (fd_ < 0 ||
        ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      return "";
    std::string reply;
    char c = 0;
    while (!reply.ends_with("\r\n")) {
      if (::recv(fd_, &c, 1, 0) != 1) return "";
      reply += c;
    }
    return reply.substr(0, reply.size() - 2);
  }

 private:
  int fd_;
};

std::string made_up() {
  SystemRng rng;
  return uuid_v4(rng);
}

}  // namespace

RedisServer::RedisServer(const Authority& authority) : admin_password_(made_up()) {
  char folder[] = "/tmp/keyturn-redis-XXXXXX";
  if (::mkdtemp(folder) == nullptr) throw std::runtime_error("no folder for redis-server");
  folder_ = folder;
  const KeyPair pair = authority.issue_server();
  write_file(folder_ + "/cert.pem", pair.certificate_pem);
  write_file(folder_ + "/key.pem", pair.key_pem);
  write_file(folder_ + "/ca.pem", authority.ca_pem());
  port_ = free_port();
  try {
    start();
  } catch (...) {
    std::filesystem::remove_all(folder_);
    throw;
  }
}

RedisServer::~RedisServer() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisServer::launch() {
  const std::string log = folder_ + "/log", port = std::to_string(port_);
  const std::vector<std::string> words = {"sh",
                                          "-c",
                                          kScript,
                                          "sh",
                                          log,
                                          "redis-server",
                                          "--port",
                                          "0",
                                          "--tls-port",
                                          port,
                                          "--bind",
                                          "127.0.0.1",
                                          "--tls-cert-file",
                                          folder_ + "/cert.pem",
                                          "--tls-key-file",
                                          folder_ + "/key.pem",
                                          "--tls-ca-cert-file",
                                          folder_ + "/ca.pem",
                                          "--tls-auth-clients",
                                          "no",
                                          "--unixsocket",
                                          folder_ + "/socket",
                                          "--unixsocketperm",
                                          "700",
                                          "--save",
                                          "",
                                          "--appendonly",
                                          "no",
                                          "--dir",
                                          folder_,
                                          "--daemonize",
                                          "no",
                                          "--user",
                                          "default",
                                          "off",
                                          "--user",
                                          kAdmin,
                                          "on",
                                          ">" + admin_password_,
                                          "~*",
                                          "&*",
                                          "+@all"};
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe for redis-server");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
  const int failed =
      ::posix_spawn(&shell_, "/bin/sh", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[0]);
  lifeline_ = ends[1];
  if (failed != 0) {
    shell_ = -1;
    throw std::runtime_error("redis-server could not be started");
  }
}

bool RedisServer::answers() {
  Connection connection(folder_ + "/socket");
  return connection.ask({"AUTH", kAdmin, admin_password_}) == "+OK" &&
         connection.ask({"PING"}) == "+PONG";
}

void RedisServer::start() {
  if (running()) return;
  std::filesystem::remove(folder_ + "/socket");
  launch();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!answers()) {
    if (std::chrono::steady_clock::now() > end) {
      std::string log((std::istreambuf_iterator<char>(std::ifstream(folder_ + "/log").rdbuf())),
                      {});
      stop();
      throw std::runtime_error("redis-server does not answer (Debian's package redis-server): " +
                               log);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void RedisServer::stop() {
  if (!running()) return;
  ::close(lifeline_);
  ::waitpid(shell_, nullptr, 0);
  lifeline_ = -1;
  shell_ = -1;
}

void RedisServer::command(const std::vector<std::string>& words) {
  if (!running()) return;
  Connection connection(folder_ + "/socket");
  if (connection.ask({"AUTH", kAdmin, admin_password_}) != "+OK")
    throw std::runtime_error("redis-server lets its administrator not in");
  const std::string reply = connection.ask(words);
  if (reply.empty() || reply.front() == '-')
    throw std::runtime_error("redis-server refuses " + words.front() + ": " + reply);
}

}  // namespace keyturn::sandbox
