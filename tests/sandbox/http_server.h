// A small HTTP/1.1 server whose connections can be made to misbehave on purpose.
//
// Why not a library's: the sandbox has to reset a connection before or after the work was done,
// stall in the middle of a line, swallow a request, refuse connections and come back on the same
// port; and it has to cost nothing while idle (it runs beside the controller in benches). A ready
// server keeps the socket to itself. One thread per connection, blocking, TLS optional.
//
// Thread rule: the handler is called from many threads at once; HttpExchange belongs to one
// request.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

struct ssl_ctx_st;

namespace keyturn::sandbox {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;                                      // as sent: path?query
  std::string path;                                        // percent-decoded
  std::string raw_path;                                    // as sent
  std::string raw_query;                                   // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  HeaderList headers;
  std::string body;
  std::string client_cn;                   // subject of a verified client certificate, or empty
  std::vector<std::string> client_groups;  // its organisations

  std::string header(std::string_view name) const;  // "" when absent; names compare without case
  std::optional<std::string> param(std::string_view name) const;
  bool flag(std::string_view name) const;  // present and "true" or "1"
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HeaderList headers;
};

class HttpConnection;

// What a handler may do with the request it was given: reply once, or stream, or break the
// connection.
class HttpExchange {
 public:
  explicit HttpExchange(HttpConnection& connection) : connection_(connection) {}

  bool reply(const HttpResponse& response);

  // A chunked reply. write() returns false when the peer is gone.
  bool begin_stream(int status, std::string_view content_type);
  bool write(std::string_view chunk);
  bool end_stream();

  // Sends RST instead of an answer.
  void reset();
  // Keeps the connection open without an answer until the peer or the server closes it.
  void black_hole();
  // Blocks until `wake_fd` is readable, the peer closed, or the time is over. False: the peer is
  // gone.
  bool wait(int wake_fd, int timeout_ms);

  bool answered() const { return answered_; }

 private:
  HttpConnection& connection_;
  bool answered_ = false;
};

class HttpServer {
 public:
  using Handler = std::function<void(const HttpRequest&, HttpExchange&)>;

  // `tls` may be null (plain HTTP); it must outlive the server.
  HttpServer(std::string name, ssl_ctx_st* tls, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens on 127.0.0.1. Port 0 picks one, kept for later starts. Throws std::runtime_error.
  void start(int port = 0);
  // Refuses connections from now on, breaks the open ones and waits for their handlers.
  void stop();
  // Breaks every open connection but goes on listening.
  void drop_connections();

  int port() const { return port_; }
  std::size_t connections() const;

 private:
  // What outlives a stop by an instant: the last thing a connection's thread touches.
  struct Connections {
    std::mutex mutex;
    std::condition_variable idle;
    std::set<int> open;       // guarded by mutex
    std::size_t threads = 0;  // guarded by mutex
  };
  void accept_loop(int listener);
  void serve(int fd, Connections& connections);

  std::string name_;
  ssl_ctx_st* tls_;
  Handler handler_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  int listener_ = -1;
  std::thread acceptor_;
  std::shared_ptr<Connections> connections_ = std::make_shared<Connections>();
};

// Percent-decoding; '+' is a blank only in queries.
std::string percent_decode(std::string_view text, bool plus_is_blank);
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view raw);

}  // namespace keyturn::sandbox
