// A small HTTP/1.1 server on a loopback socket that does exactly what a test says, byte by byte:
// real sockets, real TLS, and every misbehaviour that a well-made server library would not allow.
//
//   LoopbackServer server([](Peer& peer) {
//     while (peer.read_request()) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//   });
//
// Thread rule: the handler runs on one thread per connection.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace keyturn::http {

// A self-signed certificate: its own CA.
struct Identity {
  std::string cert_pem;
  std::string key_pem;
};
// subject_alt_names in OpenSSL's notation: "IP:127.0.0.1", "DNS:kube.internal".
Identity make_identity(const std::string& subject_alt_names);

// One accepted connection.
class Peer {
 public:
  Peer(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}

  // Head and body (by Content-Length) of the next request; nullopt when the client closed.
  std::optional<std::string> read_request();
  void write(std::string_view bytes);
  void reply(int status, std::string_view body, std::string_view extra_headers = "");
  // Sends FIN; the client may still write.
  void finish_writing();
  // Blocks until the client has closed its side.
  void await_close();
  std::string server_name() const;  // SNI; "" for none
  bool has_client_certificate() const;

 private:
  bool fill();

  int fd_;
  SSL* ssl_;
  std::string buffer_;
};

class LoopbackServer {
 public:
  using Handler = std::function<void(Peer&)>;

  explicit LoopbackServer(Handler handler);                  // plain
  LoopbackServer(const Identity& identity, Handler handler,  // TLS
                 const std::string& client_ca_pem = "");     // asks for a client's certificate
  ~LoopbackServer();                                         // ends all connections
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const;
  int accepted() const { return accepted_; }

 private:
  void listen();
  void accept_all();
  void serve(int fd);

  const Handler handler_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, SSL_CTX_free};
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  bool ending_ = false;
  std::vector<int> open_;
  std::vector<std::thread> peers_;
  std::thread acceptor_;
};

// Lets threads of a test wait for each other without sleeping.
class Gate {
 public:
  void open() {
    const std::lock_guard<std::mutex> guard(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace keyturn::http
