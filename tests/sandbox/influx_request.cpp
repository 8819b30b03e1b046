#include "tests/sandbox/influx_request.h"

#include <charconv>

#include "lib/base/text.h"
#include "tests/sandbox/influx_error.h"
#include "tests/sandbox/influx_permission.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kJson = "application/json; charset=utf-8";

// What follows the scheme ("token ", in any case) of the Authorization header.
std::optional<std::string> after_scheme(const HttpRequest& request, std::string_view scheme) {
  const std::string header = request.header("authorization");
  if (!iequals_ascii(std::string_view(header).substr(0, scheme.size()), scheme))
    return std::nullopt;
  return header.substr(scheme.size());
}

std::size_t number(const HttpRequest& request, const char* name, std::size_t fallback) {
  const std::string text = influx_param(request, name);
  if (text.empty()) return fallback;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw InfluxError("invalid", std::string(name) + " is invalid");
  return value;
}

}  // namespace

std::optional<std::string> influx_token(const HttpRequest& request) {
  const auto token = after_scheme(request, "token ");
  return token ? token : after_scheme(request, "bearer ");
}

std::optional<std::string> influx_session(const HttpRequest& request) {
  const std::string prefix = std::string(kInfluxCookie) + "=";
  for (const std::string& part : split(request.header("cookie"), ';')) {
    const std::string_view cookie = trim(part);
    if (cookie.starts_with(prefix)) return std::string(cookie.substr(prefix.size()));
  }
  return std::nullopt;
}

std::optional<InfluxBasic> influx_basic(const HttpRequest& request) {
  const auto encoded = after_scheme(request, "basic ");
  if (!encoded) return std::nullopt;
  const Result<std::string> text = base64_decode(*encoded);
  if (!text.ok()) return std::nullopt;
  const std::size_t colon = text.value().find(':');
  if (colon == std::string::npos) return std::nullopt;
  return InfluxBasic{text.value().substr(0, colon), text.value().substr(colon + 1)};
}

InfluxPage influx_page(const HttpRequest& request) {
  InfluxPage out;
  out.offset = number(request, "offset", 0);
  out.limit = number(request, "limit", out.limit);
  if (out.limit < 1 || out.limit > 100)
    throw InfluxError("invalid", "limit must be between 1 and 100");
  return out;
}

std::string influx_param(const HttpRequest& request, const char* name) {
  return request.param(name).value_or("");
}

std::string influx_id_param(const HttpRequest& request, const char* name) {
  const std::string text = influx_param(request, name);
  return text.empty() ? text : influx_id(text);
}

HttpResponse influx_answer(int status, const Json& body) {
  return {status, kJson, body.dump(), {}};
}

HttpResponse influx_no_content() { return {204, kJson, "", {}}; }

}  // namespace keyturn::sandbox
