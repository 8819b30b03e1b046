// One HTTP exchange, blocking, with a deadline. The only way out of the process for AWS,
// backends and the Kubernetes API; tests put a fake here.
//
// HTTP/1.1 keep-alive only: libcurl 7.88.1 (Debian 12) cannot watch the health of an HTTP/2 connection.
// Redirects are never followed: a redirect would carry credentials to a host nobody allowed.
//
// Thread rule: a Transport may be used from any thread; each call blocks its caller.
// Errors: Transient (connect, TLS, reset, time-out; code says which: "Connect", "Tls", "Timeout", "Reset",
// "Resolve"), Invalid (bad URL), Unavailable (cancelled). Any HTTP status is a success here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// First header of that name, ASCII case ignored; nullptr when absent.
const std::string* find_header(const Headers& headers, std::string_view name);
// Retry-After in seconds or as an HTTP date (RFC 9110 §10.2.3), relative to `now`.
std::optional<Duration> retry_after(const Headers& headers, WallTime now);

// Shared and immutable: a changed CA or certificate is a new object.
struct TlsConfig {
  std::string ca_pem;           // empty: the system's trust store
  std::string client_cert_pem;  // with client_key_pem; empty: none
  std::string client_key_pem;
  std::string server_name;      // SNI and verification name, when it differs from the URL's host
  bool insecure_skip_verify = false;
};

struct Request {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  Duration connect_timeout{3000};
  Duration timeout{15000};  // whole exchange; for stream(): until the end of the stream
  std::shared_ptr<const TlsConfig> tls;  // null: system trust
  std::string proxy;                     // "" = from the environment (HTTPS_PROXY, NO_PROXY), as Go does
  // Bodies and headers of this request may hold secrets: wiped from our buffers after use.
  bool sensitive = false;
  std::stop_token stop;  // a stop aborts the exchange soon (Unavailable "Cancelled")
  // Refuse larger replies (Invalid "TooLarge"). 0: no limit.
  std::size_t max_reply_bytes = 64u << 20;
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
};

class Transport {
 public:
  virtual ~Transport() = default;

  virtual Result<Response> send(const Request& request) = 0;

  // As send(), but hands the body of a 2xx reply to `on_data` as it arrives (any chunking) and returns
  // it empty; other statuses keep their body. on_data returning false ends the stream: success.
  virtual Result<Response> stream(const Request& request,
                                  const std::function<bool(std::string_view)>& on_data) = 0;
};

}  // namespace keyturn::http
