// What a server's headers and a machine's environment say of HTTP: Date and Retry-After, a URL, a
// proxy and NO_PROXY, one a line. Any bytes give an answer within its bounds.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/http/proxy.h"
#include "lib/http/transport.h"
#include "lib/http/url.h"

namespace {

using namespace keyturn;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_times(const std::string& text) {
  const auto date = http::parse_http_date(text);
  const auto wait = http::retry_after({{"retry-after", text}}, date.value_or(WallTime{}));
  if (date) require(wait == Duration(0));  // what is now needs no wait
  if (wait) require(*wait >= Duration(0) && *wait <= std::chrono::hours(24));
}

void check_proxy(const http::Url& url, const std::string& proxy, const std::string& no_proxy) {
  http::ProxySettings settings{proxy, proxy, no_proxy};
  const auto chosen = http::choose_proxy(settings, url);
  if (chosen && !chosen->empty()) require(chosen->find("://") != std::string::npos);
  settings.no_proxy = no_proxy + ",*";
  const auto none = http::choose_proxy(settings, url);
  require(none && none->empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 4> lines;  // a date or a delay, a URL, a proxy, NO_PROXY
  for (auto& line : lines) {
    const std::size_t end = rest.find('\n');
    line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  check_times(lines[0]);
  auto url = http::parse_url(lines[1]);
  if (url) {
    require(url->scheme == "http" || url->scheme == "https");
    require(!url->host.empty() && url->path.starts_with('/'));
    require(url->port >= 0 && url->port <= 65535);
  }
  // Addresses reach the rules of NO_PROXY only in a URL that holds one.
  check_proxy(url ? *url : http::Url{"https", "10.1.2.3", 443, "/"}, lines[2], lines[3]);
  return 0;
}
