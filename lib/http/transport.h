// One HTTP exchange, blocking, with a deadline. The only way out of the process for AWS,
// backends and the Kubernetes API; tests put a fake here.
//
// HTTP/1.1 keep-alive only: libcurl 7.88.1 (Debian 12) cannot watch the health of an HTTP/2
// connection. Redirects are never followed: a redirect would carry credentials to a host nobody
// allowed.
//
// Thread rule: a Transport may be used from any thread; each call blocks its caller.
// Errors: any HTTP status is a success here. Else by class and code:
//   Transient    "Resolve", "Connect", "Tls": no connection in time, so nothing of the request was sent;
//                "Timeout", "Reset", "BadReply": it may have been sent, its outcome is unknown
//   Invalid      "BadUrl", "BadHeader", "BadProxy", "BadTlsConfig": can never be sent; "TooLarge": the reply
//   Unavailable  "Cancelled": stopped by its caller (may have been sent); "DeadlineOver": timeout <= 0, not sent
// A request that a server may already have read is sent again (on a fresh connection, when a
// kept-alive one turns out dead) only if its method is idempotent (RFC 9110 §9.2.2), as Go does: a
// POST may have minted something.
#pragma once

#include <cstddef>
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
// An HTTP date, as in Date and Retry-After: IMF-fixdate only (RFC 9110 §5.6.7).
std::optional<WallTime> parse_http_date(std::string_view text);
// Retry-After in seconds or as an HTTP date (RFC 9110 §10.2.3), relative to `now`; at most a day.
std::optional<Duration> retry_after(const Headers& headers, WallTime now);

inline constexpr std::string_view kNoProxy = "none";

// Shared and immutable: a changed CA or certificate is a new object.
struct TlsConfig {
  std::string ca_pem;           // empty: the system's trust store
  std::string client_cert_pem;  // with client_key_pem; empty: none
  std::string client_key_pem;
  std::string server_name;  // SNI and verification name, when it differs from the URL's host
  bool insecure_skip_verify = false;
};

struct Request {
  std::string method = "GET";
  std::string url;  // http or https, without user information
  Headers headers;  // names and values without CR, LF, NUL
  std::string body;
  Duration connect_timeout{3000};
  // The whole exchange; for stream(): until the end of the stream. Duration::max(): no deadline.
  Duration timeout{15000};
  std::shared_ptr<const TlsConfig> tls;  // null: system trust
  // "": from the environment (HTTPS_PROXY, NO_PROXY…), as Go does; kNoProxy: none; else a proxy's
  // URL, used for every host.
  std::string proxy;
  // Bodies and headers of this request may hold secrets: wiped from our buffers after use.
  bool sensitive = false;
  // Over a connection of its own, whatever is kept alive: a proof that owes nothing to an earlier
  // one.
  bool fresh_connection = false;
  // No HTTP, for stream() alone: over a TLS connection of its own to the host of the https URL the
  // body is sent as it is, and what comes back is handed on until on_data returns false. The status
  // is 200 then; method, path and headers count for nothing. Its end before that is Transient
  // "Reset".
  bool raw = false;
  // It takes back what an earlier request did: sent even where a breaker would refuse (breaker.h).
  bool takes_back = false;
  std::stop_token stop;  // a stop aborts the exchange soon (Unavailable "Cancelled")
  // Refuse larger replies (Invalid "TooLarge"); what stream() hands on does not count. 0: no limit.
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

  // As send(), but hands the body of a 2xx reply to `on_data` as it arrives (any chunking) and
  // returns it empty; other statuses keep their body. on_data returning false ends the stream:
  // success.
  virtual Result<Response> stream(const Request& request,
                                  const std::function<bool(std::string_view)>& on_data) = 0;
};

}  // namespace keyturn::http
