// The parts of a URL that decide where a request goes. Parsed by libcurl, as the request will be,
// so that what is checked (access rules, proxies) is what is connected to. Thread rule: pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::http {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address without brackets
  int port = 0;        // the scheme's when the URL names none
  std::string path;    // begins with '/'; no query

  // "host:port", IPv6 in brackets.
  std::string authority() const;
  // "https://host[:port]": the port only where it is not the scheme's.
  std::string origin() const;
};

// Invalid "BadUrl" for anything but http and https, for user information, for odd characters. The
// message does not repeat the URL: it may hold a secret.
Result<Url> parse_url(const std::string& url);

}  // namespace keyturn::http
