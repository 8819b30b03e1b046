// One exchange without HTTP (Request::raw): libcurl makes the connection, with TLS and perhaps
// through a proxy, and carries bytes. Internal to lib/http.
// Thread rule: any thread; the connection lives for the call.
#pragma once

#include "lib/base/result.h"
#include "lib/http/curl_exchange.h"

namespace keyturn::http {

// Precondition: request.raw. Invalid "BadUrl" without TLS or without on_data.
Result<Response> run_raw_exchange(const ExchangeOptions& options);

}  // namespace keyturn::http
