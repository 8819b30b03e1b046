// Transport over libcurl: a bounded pool of easy handles, each keeping its connections alive.
// Facts: TCP keep-alive and TCP_USER_TIMEOUT 30 s by socket callback; no signals; DNS cached 60 s.
// Thread rule: any thread.
#pragma once

#include <memory>

#include "lib/http/transport.h"

namespace keyturn::http {

struct CurlOptions {
  std::size_t max_idle_handles = 16;  // beyond it, finished handles are closed
  std::string user_agent;             // "keyturn/<version>"
};

std::unique_ptr<Transport> make_curl_transport(CurlOptions options);

}  // namespace keyturn::http
