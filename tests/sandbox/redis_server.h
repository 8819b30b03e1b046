// A real redis-server (Debian's package) over TLS on a loopback port, as a child process that ends
// with this object, and with the sandbox however that ends. Its users are the caller's to set;
// nobody else may do anything.
//
// Thread rule: one thread at a time.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/sandbox/tls.h"

namespace keyturn::sandbox {

class RedisServer {
 public:
  // Serving when it returns. Throws std::runtime_error, also where there is no redis-server.
  explicit RedisServer(const Authority& authority);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  int port() const { return port_; }
  void stop();
  void start();  // again on the same port, without any user
  bool running() const { return shell_ > 0; }
  // As its administrator. Throws std::runtime_error for an error reply.
  void command(const std::vector<std::string>& words);

 private:
  void launch();
  bool answers();

  std::string folder_, admin_password_;
  int port_ = 0;
  pid_t shell_ = -1;
  int lifeline_ = -1;  // when it closes, the shell ends the server
};

}  // namespace keyturn::sandbox
