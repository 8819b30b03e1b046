// One accepted connection: bytes in and out, over TLS or plain. Used by http_server only.
// Thread rule: one thread, its own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tests/sandbox/http_server.h"

struct ssl_st;

namespace keyturn::sandbox {

class HttpConnection {
 public:
  HttpConnection(int fd, ssl_ctx_st* tls, const std::atomic<bool>& stopping);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool handshake();
  // False: closed, broken, or not HTTP (a 400 was sent).
  bool read_request(HttpRequest& out);
  bool write_all(std::string_view bytes);
  void reset();
  // False when the peer is gone or the server stops.
  bool wait(int wake_fd, int timeout_ms);
  bool broken() const { return broken_; }
  bool wants_close() const { return close_; }

 private:
  bool fill();
  bool read_line(std::string& line);
  bool read_exact(std::size_t count, std::string& out);
  bool read_chunked(std::string& out);
  bool read_body(HttpRequest& out);
  bool bad_request(std::string_view why);
  void read_client_certificate();

  int fd_;
  ssl_st* ssl_ = nullptr;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
  std::size_t used_ = 0;
  bool broken_ = false;
  bool close_ = false;
  std::string client_cn_;
  std::vector<std::string> client_groups_;
};

}  // namespace keyturn::sandbox
