#include "tests/sandbox/http_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "lib/base/text.h"

namespace keyturn::sandbox {
namespace {

constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kMaxBody = 8 * 1024 * 1024;

std::string name_entry(X509_NAME* name, int nid, int& position) {
  position = X509_NAME_get_index_by_NID(name, nid, position);
  if (position < 0) return "";
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position)));
  if (size < 0) return "";
  std::string out(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return out;
}

}  // namespace

HttpConnection::HttpConnection(int fd, ssl_ctx_st* tls, const std::atomic<bool>& stopping)
    : fd_(fd), stopping_(stopping) {
  if (tls) {
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd_);
  }
}

HttpConnection::~HttpConnection() {
  if (ssl_) {
    if (!broken_) SSL_shutdown(ssl_);
    SSL_free(ssl_);
  }
  ::close(fd_);
}

bool HttpConnection::handshake() {
  if (!ssl_) return true;
  ERR_clear_error();
  if (SSL_accept(ssl_) != 1) {
    broken_ = true;
    return false;
  }
  read_client_certificate();
  return true;
}

void HttpConnection::read_client_certificate() {
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  if (!certificate) return;
  X509_NAME* subject = X509_get_subject_name(certificate);
  int position = -1;
  client_cn_ = name_entry(subject, NID_commonName, position);
  for (position = -1;;) {
    std::string group = name_entry(subject, NID_organizationName, position);
    if (position < 0) break;
    client_groups_.push_back(std::move(group));
  }
  X509_free(certificate);
}

bool HttpConnection::fill() {
  if (used_ > 0) {
    buffer_.erase(0, used_);
    used_ = 0;
  }
  char chunk[16384];
  for (;;) {
    long got = 0;
    if (ssl_) {
      ERR_clear_error();
      got = SSL_read(ssl_, chunk, sizeof chunk);
    } else {
      got = ::recv(fd_, chunk, sizeof chunk, 0);
      if (got < 0 && errno == EINTR) continue;
    }
    if (got <= 0) {
      broken_ = true;
      return false;
    }
    buffer_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }
}

bool HttpConnection::read_line(std::string& line) {
  for (std::size_t from = used_;;) {
    const std::size_t end = buffer_.find('\n', from);
    if (end != std::string::npos) {
      line.assign(buffer_, used_, end - used_);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      used_ = end + 1;
      return true;
    }
    if (buffer_.size() - used_ > kMaxLine) return bad_request("line too long");
    const std::size_t seen = buffer_.size() - used_;
    if (!fill()) return false;
    from = used_ + seen;
  }
}

bool HttpConnection::read_exact(std::size_t count, std::string& out) {
  while (buffer_.size() - used_ < count) {
    if (!fill()) return false;
  }
  out.append(buffer_, used_, count);
  used_ += count;
  return true;
}

bool HttpConnection::read_chunked(std::string& out) {
  std::string line;
  for (;;) {
    if (!read_line(line)) return false;
    std::size_t size = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), size, 16);
    if (parsed.ec != std::errc() || out.size() + size > kMaxBody) return bad_request("bad chunk");
    if (size == 0) break;
    if (!read_exact(size, out) || !read_line(line)) return false;
  }
  while (read_line(line)) {
    if (line.empty()) return true;  // trailers are read past
  }
  return false;
}

bool HttpConnection::read_body(HttpRequest& out) {
  const std::string expect = out.header("expect");
  if (iequals_ascii(expect, "100-continue")) write_all("HTTP/1.1 100 Continue\r\n\r\n");
  if (iequals_ascii(out.header("transfer-encoding"), "chunked")) return read_chunked(out.body);
  const std::string length = out.header("content-length");
  if (length.empty()) return true;
  std::size_t size = 0;
  const auto parsed = std::from_chars(length.data(), length.data() + length.size(), size);
  if (parsed.ec != std::errc() || parsed.ptr != length.data() + length.size()) {
    return bad_request("bad content-length");
  }
  if (size > kMaxBody) return bad_request("body too large");
  return read_exact(size, out.body);
}

bool HttpConnection::bad_request(std::string_view why) {
  const std::string body(why);
  write_all(
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: "
      "text/plain\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  close_ = true;
  return false;
}

bool HttpConnection::read_request(HttpRequest& out) {
  std::string line;
  if (!read_line(line)) return false;
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string::npos || last == first) return bad_request("bad request line");
  const std::string version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return bad_request("HTTP version");
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  const std::size_t question = out.target.find('?');
  out.raw_path = out.target.substr(0, question);
  out.path = percent_decode(out.raw_path, false);
  if (question != std::string::npos) {
    out.raw_query = out.target.substr(question + 1);
    out.query = parse_query(out.raw_query);
  }
  while (read_line(line)) {
    if (line.empty()) {
      out.client_cn = client_cn_;
      out.client_groups = client_groups_;
      if (!read_body(out)) return false;
      close_ = version == "HTTP/1.0" || iequals_ascii(out.header("connection"), "close");
      return true;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0) return bad_request("bad header");
    out.headers.emplace_back(lower_ascii(line.substr(0, colon)),
                             std::string(trim(std::string_view(line).substr(colon + 1))));
  }
  return false;
}

bool HttpConnection::write_all(std::string_view bytes) {
  while (!bytes.empty() && !broken_) {
    long sent = 0;
    if (ssl_) {
      ERR_clear_error();
      sent = SSL_write(ssl_, bytes.data(),
                       static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30)));
    } else {
      sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
    }
    if (sent <= 0) {
      broken_ = true;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return !broken_;
}

void HttpConnection::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  broken_ = true;  // the destructor's close now sends RST
}

bool HttpConnection::wait(int wake_fd, int timeout_ms) {
  pollfd fds[2] = {{fd_, POLLRDHUP, 0}, {wake_fd, POLLIN, 0}};
  const int ready = ::poll(fds, wake_fd >= 0 ? 2 : 1, timeout_ms);
  if (stopping_) return false;
  if (ready > 0 && (fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
    broken_ = true;
    return false;
  }
  return true;
}

}  // namespace keyturn::sandbox
