#include "tests/sandbox/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "lib/base/text.h"
#include "tests/sandbox/http_connection.h"

namespace keyturn::sandbox {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string head_of(int status, std::string_view content_type) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head += reason_phrase(status);
  head += "\r\n";
  if (status == 204) return head;  // has no content, and so no type of it (RFC 9110 §8.6)
  head += "Content-Type: ";
  head += content_type;
  head += "\r\n";
  return head;
}

int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::runtime_error("socket: " + std::string(std::strerror(errno)));
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 512) != 0) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    throw std::runtime_error("cannot listen on 127.0.0.1:" + std::to_string(port) + ": " + why);
  }
  return fd;
}

}  // namespace

std::string percent_decode(std::string_view text, bool plus_is_blank) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view raw) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& part : split(raw, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    std::string value = equals == std::string::npos ? "" : part.substr(equals + 1);
    out.emplace_back(percent_decode(part.substr(0, equals), true), percent_decode(value, true));
  }
  return out;
}

std::string HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (iequals_ascii(key, name)) return value;
  }
  return "";
}

std::optional<std::string> HttpRequest::param(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool HttpRequest::flag(std::string_view name) const {
  const auto value = param(name);
  return value && (*value == "true" || *value == "1");
}

bool HttpExchange::reply(const HttpResponse& response) {
  if (answered_) return false;
  answered_ = true;
  std::string bytes = head_of(response.status, response.content_type);
  for (const auto& [name, value] : response.headers) bytes += name + ": " + value + "\r\n";
  if (response.status != 204)
    bytes += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  bytes += "\r\n";
  if (response.body.size() <= 64 * 1024) {
    bytes += response.body;  // one write, one packet where it fits
    return connection_.write_all(bytes);
  }
  return connection_.write_all(bytes) && connection_.write_all(response.body);
}

bool HttpExchange::begin_stream(int status, std::string_view content_type) {
  answered_ = true;
  return connection_.write_all(head_of(status, content_type) +
                               "Transfer-Encoding: chunked\r\n\r\n");
}

bool HttpExchange::write(std::string_view chunk) {
  if (chunk.empty()) return true;
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
  std::string bytes = size;
  bytes += chunk;
  bytes += "\r\n";
  return connection_.write_all(bytes);
}

bool HttpExchange::end_stream() { return connection_.write_all("0\r\n\r\n"); }

void HttpExchange::reset() {
  answered_ = true;
  connection_.reset();
}

void HttpExchange::black_hole() {
  answered_ = true;
  while (connection_.wait(-1, -1)) {
  }
  connection_.reset();
}

bool HttpExchange::wait(int wake_fd, int timeout_ms) {
  return connection_.wait(wake_fd, timeout_ms);
}

HttpServer::HttpServer(std::string name, ssl_ctx_st* tls, Handler handler)
    : name_(std::move(name)), tls_(tls), handler_(std::move(handler)) {}

HttpServer::~HttpServer() { stop(); }

void HttpServer::start(int port) {
  if (listener_ >= 0) return;
  const int fd = listen_on(port != 0 ? port : port_);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  stopping_ = false;
  listener_ = fd;
  acceptor_ = std::thread([this, fd] { accept_loop(fd); });
}

void HttpServer::stop() {
  if (listener_ < 0) return;
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  listener_ = -1;
  drop_connections();
  std::unique_lock lock(connections_->mutex);
  connections_->idle.wait(lock, [this] { return connections_->threads == 0; });
}

void HttpServer::drop_connections() {
  const std::lock_guard lock(connections_->mutex);
  for (const int fd : connections_->open) ::shutdown(fd, SHUT_RDWR);
}

std::size_t HttpServer::connections() const {
  const std::lock_guard lock(connections_->mutex);
  return connections_->open.size();
}

void HttpServer::accept_loop(int listener) {
  while (!stopping_) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (stopping_) return;
      ::poll(nullptr, 0, 10);  // out of descriptors: let some close
      continue;
    }
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    {
      const std::lock_guard lock(connections_->mutex);
      connections_->open.insert(fd);
      ++connections_->threads;
    }
    std::thread([this, fd, shared = connections_] {
      // A write to a closed socket is an error to handle, not a signal to die of.
      sigset_t pipe;
      ::sigemptyset(&pipe);
      ::sigaddset(&pipe, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      serve(fd, *shared);
      const std::lock_guard lock(shared->mutex);
      --shared->threads;
      shared->idle.notify_all();
    }).detach();
  }
}

void HttpServer::serve(int fd, Connections& connections) {
  HttpConnection connection(fd, tls_, stopping_);
  if (connection.handshake()) {
    while (!stopping_ && !connection.broken() && !connection.wants_close()) {
      HttpRequest request;
      if (!connection.read_request(request)) break;
      HttpExchange exchange(connection);
      try {
        handler_(request, exchange);
      } catch (const std::exception& error) {
        if (exchange.answered()) {
          connection.reset();
        } else {
          exchange.reply({500, "text/plain", name_ + ": " + error.what() + "\n", {}});
        }
      }
      if (!exchange.answered()) exchange.reply({500, "text/plain", name_ + ": no answer\n", {}});
    }
  }
  // Taken out before the descriptor is closed and may be given to another connection.
  const std::lock_guard lock(connections.mutex);
  connections.open.erase(fd);
}

}  // namespace keyturn::sandbox
