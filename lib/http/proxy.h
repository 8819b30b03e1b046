// Which proxy a request goes through, by the environment, with the rules of Go's net/http
// (httpproxy), which every other Kubernetes program follows; libcurl's own differ (no CIDR, no
// port, lower-case http_proxy only). Thread rule: pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/http/url.h"

namespace keyturn::http {

struct ProxySettings {
  std::string http_proxy;   // for http:// URLs
  std::string https_proxy;  // for https:// URLs
  std::string no_proxy;     // "a.example,.b.example,*.c.example,10.0.0.0/8,[::1]:443" or "*"
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// HTTP_PROXY, HTTPS_PROXY, NO_PROXY, else their lower-case forms. HTTP_PROXY counts for nothing in
// a CGI program (REQUEST_METHOD set), where a client's header would name it.
ProxySettings proxy_settings(const Environment& env);
ProxySettings process_proxy_settings();

// The proxy's URL for libcurl, "" for none. Loopback hosts and "localhost" never use one. A socks5
// proxy resolves the name itself, as in Go. Error: Invalid "BadProxy".
Result<std::string> choose_proxy(const ProxySettings& settings, const Url& target);
// A proxy that somebody named (kubeconfig's proxy-url) in the form that libcurl wants.
Result<std::string> normal_proxy(std::string_view proxy);

}  // namespace keyturn::http
