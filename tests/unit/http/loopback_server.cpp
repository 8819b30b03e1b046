#include "tests/unit/http/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace keyturn::http {

namespace {

void must(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("test server: ") + what);
}

std::string pem_of(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  must(write(bio.get()) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

X509* read_certificate(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
}

std::size_t content_length(const std::string& head) {
  const std::size_t at = head.find("\r\nContent-Length: ");
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 18, nullptr, 10);
}

}  // namespace

Identity make_identity(const std::string& subject_alt_names) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* name = X509_get_subject_name(cert.get());
  const auto* text = reinterpret_cast<const unsigned char*>("keyturn test");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  const std::pair<int, std::string> extensions[] = {{NID_basic_constraints, "critical,CA:TRUE"},
                                                    {NID_subject_alt_name, subject_alt_names}};
  for (const auto& [nid, value] : extensions) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    must(extension != nullptr, "certificate extension");
    X509_add_ext(cert.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  must(X509_sign(cert.get(), key.get(), EVP_sha256()) > 0, "signing");
  Identity identity;
  identity.cert_pem = pem_of([&](BIO* out) { return PEM_write_bio_X509(out, cert.get()); });
  identity.key_pem = pem_of([&](BIO* out) {
    return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return identity;
}

bool Peer::fill() {
  std::array<char, 16384> data;
  const auto size = static_cast<int>(data.size());
  const int n = ssl_ != nullptr ? SSL_read(ssl_, data.data(), size)
                                : static_cast<int>(::recv(fd_, data.data(), data.size(), 0));
  if (n <= 0) return false;
  buffer_.append(data.data(), static_cast<std::size_t>(n));
  return true;
}

std::optional<std::string> Peer::read_request() {
  std::size_t head_end = 0;
  while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  const std::size_t total = head_end + 4 + content_length(buffer_.substr(0, head_end + 2));
  while (buffer_.size() < total) {
    if (!fill()) return std::nullopt;
  }
  std::string request = buffer_.substr(0, total);
  buffer_.erase(0, total);
  return request;
}

void Peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const int n = ssl_ != nullptr
                      ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                      : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (n <= 0) return;  // the client has gone: some tests want that
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void Peer::reply(int status, std::string_view body, std::string_view extra_headers) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Because\r\n";
  text.append(extra_headers);
  text.append("Content-Length: " + std::to_string(body.size()) + "\r\n\r\n").append(body);
  write(text);
}

void Peer::finish_writing() { ::shutdown(fd_, SHUT_WR); }

void Peer::await_close() {
  while (fill()) {
  }
}

std::string Peer::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

bool Peer::has_client_certificate() const {
  return ssl_ != nullptr && SSL_get0_peer_certificate(ssl_) != nullptr;
}

LoopbackServer::LoopbackServer(Handler handler) : handler_(std::move(handler)) { listen(); }

LoopbackServer::LoopbackServer(const Identity& identity, Handler handler,
                               const std::string& client_ca_pem)
    : handler_(std::move(handler)) {
  std::signal(SIGPIPE, SIG_IGN);  // SSL_write to a client that has gone
  tls_.reset(SSL_CTX_new(TLS_server_method()));
  const std::unique_ptr<X509, decltype(&X509_free)> cert(read_certificate(identity.cert_pem),
                                                         X509_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> key_bio(
      BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size())),
      BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  must(SSL_CTX_use_certificate(tls_.get(), cert.get()) == 1, "certificate");
  must(SSL_CTX_use_PrivateKey(tls_.get(), key.get()) == 1, "key");
  if (!client_ca_pem.empty()) {
    const std::unique_ptr<X509, decltype(&X509_free)> ca(read_certificate(client_ca_pem),
                                                         X509_free);
    must(X509_STORE_add_cert(SSL_CTX_get_cert_store(tls_.get()), ca.get()) == 1, "client CA");
    SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  listen();
}

void LoopbackServer::listen() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  must(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  must(::listen(listener_, 64) == 0, "listen");
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

LoopbackServer::~LoopbackServer() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    ending_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& peer : peers_) peer.join();
  ::close(listener_);
}

std::string LoopbackServer::url(std::string_view path) const {
  return (tls_ ? "https" : "http") + std::string("://127.0.0.1:") + std::to_string(port_) +
         std::string(path);
}

void LoopbackServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard<std::mutex> guard(mutex_);
    if (ending_) {
      ::close(fd);
      return;
    }
    ++accepted_;
    open_.push_back(fd);
    peers_.emplace_back([this, fd] { serve(fd); });
  }
}

void LoopbackServer::serve(int fd) {
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl(nullptr, SSL_free);
  bool ready = true;
  if (tls_) {
    ssl.reset(SSL_new(tls_.get()));
    SSL_set_fd(ssl.get(), fd);
    ready = SSL_accept(ssl.get()) == 1;
  }
  if (ready) {
    Peer peer(fd, ssl.get());
    handler_(peer);
    if (ssl) SSL_shutdown(ssl.get());
  }
  ssl.reset();
  const std::lock_guard<std::mutex> guard(mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), fd));
  ::close(fd);
}

}  // namespace keyturn::http
