// Transport over libcurl: a pool of handles, each keeping its connections alive; an exchange
// prefers the handle that last spoke to the same origin. As many exchanges as callers; only idle
// handles are bounded. Facts: TLS 1.2 at least; TCP keep-alive and TCP_USER_TIMEOUT 30 s by socket
// callback; no signals; DNS cached 60 s; a kept-alive connection is used again for up to 118 s.
// Thread rule: any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "lib/http/proxy.h"
#include "lib/http/transport.h"

namespace keyturn::http {

struct CurlOptions {
  std::size_t max_idle_handles = 16;                 // beyond it, finished handles are closed
  std::string user_agent;                            // "keyturn/<version>"
  ProxySettings proxies = process_proxy_settings();  // read once, here
};

std::unique_ptr<Transport> make_curl_transport(CurlOptions options);

}  // namespace keyturn::http
