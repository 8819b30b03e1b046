// libcurl's result codes as the errors that transport.h promises. Internal to lib/http.
// Thread rule: pure functions of their arguments.
#pragma once

#include <curl/curl.h>

#include <string>

#include "lib/base/result.h"
#include "lib/http/url.h"

namespace keyturn::http {

// "GET https://host/path", without the query, which may hold a secret.
std::string describe_request(const std::string& method, const Url& url);

// `detail`: libcurl's error buffer, may be empty. `easy` still knows the failed transfer.
Error map_curl_error(CURL* easy, CURLcode code, const char* detail, const std::string& request);

}  // namespace keyturn::http
