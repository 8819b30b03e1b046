// One HTTP exchange on one libcurl handle. Internal to lib/http.
// Thread rule: a CurlHandle belongs to one thread at a time.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/http/transport.h"
#include "lib/http/url.h"

namespace keyturn::http {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// The multi handle owns the kept-alive connections and can be woken from another thread; the easy
// handle is the request. Members are destroyed in reverse order, as libcurl wants it.
struct CurlHandle {
  std::string origin;  // of the last exchange: where its live connections most likely lead
  std::unique_ptr<CURLM, MultiDeleter> multi;
  std::unique_ptr<CURL, EasyDeleter> easy;
};

struct ExchangeOptions {
  const Request& request;
  const Url& url;            // request.url, parsed
  const std::string& proxy;  // "" for none
  const std::string& user_agent;
  // Null: send(); else takes the body of a 2xx reply.
  const std::function<bool(std::string_view)>* on_data = nullptr;
};

// Runs it to its end. Afterwards nothing in `handle` refers to the request.
Result<Response> run_exchange(CurlHandle& handle, const ExchangeOptions& options);

}  // namespace keyturn::http
