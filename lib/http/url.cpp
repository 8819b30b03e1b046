#include "lib/http/url.h"

#include <curl/curl.h>

#include <cstdlib>
#include <memory>

#include "lib/base/text.h"
#include "lib/http/curl_global.h"

namespace keyturn::http {

namespace {

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

// Empty when the part is absent.
std::string part_of(CURLU* parsed, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(parsed, part, &text, flags) != CURLUE_OK) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

}  // namespace

std::string Url::authority() const { return bracketed(host) + ":" + std::to_string(port); }

std::string Url::origin() const {
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return scheme + "://" + (usual ? bracketed(host) : authority());
}

Result<Url> parse_url(const std::string& url) {
  init_curl();
  const auto bad = [](const std::string& why) { return invalid("BadUrl", "URL refused: " + why); };
  if (url.find('\0') != std::string::npos) return bad("it holds a NUL");
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) return bad(curl_url_strerror(code));
  if (!part_of(parsed.get(), CURLUPART_USER).empty() ||
      !part_of(parsed.get(), CURLUPART_PASSWORD).empty()) {
    return bad("it holds a user name or password; give credentials separately");
  }
  Url out;
  out.scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  if (out.scheme != "http" && out.scheme != "https") return bad("only http and https are known");
  out.host = lower_ascii(part_of(parsed.get(), CURLUPART_HOST));
  if (out.host.starts_with('[')) out.host = out.host.substr(1, out.host.size() - 2);
  if (out.host.empty()) return bad("it names no host");
  out.port = std::atoi(part_of(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str());
  out.path = part_of(parsed.get(), CURLUPART_PATH);
  return out;
}

}  // namespace keyturn::http
