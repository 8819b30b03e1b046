#include "lib/http/curl_set_up.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>

namespace keyturn::http {

namespace {

using namespace std::chrono_literals;

// Sockets are made here, so that a process forked for an exec plugin never inherits one, not even
// between socket() and fcntl(), and dead peers are noticed: a probe after 15 s of silence, given up
// after 30 s without an acknowledgement.
curl_socket_t open_socket(void*, curlsocktype, struct curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  const auto set = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value,
                 sizeof(value));  // best effort: AF_UNIX has none of them
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
  return fd;
}

long millis(Duration d) {
  // 0 would mean "never" (or libcurl's own default) to libcurl; 24 days are as good as never.
  return static_cast<long>(std::clamp<Duration>(d, 1ms, 2'000'000'000ms).count());
}

curl_blob blob_of(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};  // libcurl only reads it
}

// OpenSSL's own paths (SSL_CERT_FILE and SSL_CERT_DIR count, as in Go): a folder by hash, of which
// only the certificate that is asked for gets read.
CURLcode trust_system(CURL*, void* context, void*) {
  const int done = SSL_CTX_set_default_verify_paths(static_cast<SSL_CTX*>(context));
  return done == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

}  // namespace

void set_up_connection(CURL* easy, const Request& request, const std::string& proxy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Else a deadline that passes while a name is being resolved waits for the resolver's own
  // time-out: libcurl joins its resolver thread. With this it lets the thread go, which then frees
  // its own state.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, millis(request.connect_timeout));
  if (request.timeout != Duration::max())
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, millis(request.timeout));
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy.c_str());
  // libcurl shall not read the environment: the choice is made
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

void set_up_tls(CURL* easy, const TlsConfig* tls) {
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // Not Debian's defaults: libcurl would parse all of the system's certificates for each handle,
  // and trust them beside a given CA.
  curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  if (tls == nullptr || tls->ca_pem.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &trust_system);
  } else {
    curl_blob ca = blob_of(tls->ca_pem);
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
  }
  if (tls == nullptr) return;
  if (!tls->client_cert_pem.empty()) {
    curl_blob cert = blob_of(tls->client_cert_pem);
    curl_blob key = blob_of(tls->client_key_pem);
    curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
    curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
  }
  if (tls->insecure_skip_verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

}  // namespace keyturn::http
