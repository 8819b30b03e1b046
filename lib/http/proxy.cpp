#include "lib/http/proxy.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lib/base/text.h"

namespace keyturn::http {

namespace {

// An address in network order; IPv4 as ::ffff:a.b.c.d, so that both kinds compare in one way.
using Address = std::array<unsigned char, 16>;

std::optional<Address> parse_address(const std::string& text) {
  Address address{};
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  address[10] = address[11] = 0xff;
  if (inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

bool same_prefix(const Address& a, const Address& b, std::size_t bits) {
  const std::size_t whole = bits / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const unsigned mask = 0xff00u >> (bits % 8) & 0xffu;
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

// "10.0.0.0/8" contains `address`; false for what is no such block.
bool block_contains(const std::string& block, const Address& address) {
  const std::size_t slash = block.find('/');
  if (slash == std::string::npos) return false;
  const std::string base = block.substr(0, slash);
  const auto network = parse_address(base);
  std::size_t bits = 0;
  const char* end = block.data() + block.size();
  const auto parsed = std::from_chars(block.data() + slash + 1, end, bits);
  if (!network || parsed.ec != std::errc() || parsed.ptr != end) return false;
  if (base.find(':') == std::string::npos) bits += 96;
  return bits <= 128 && same_prefix(*network, address, bits);
}

bool is_loopback(const Address& address) {
  return block_contains("127.0.0.0/8", address) || block_contains("::1/128", address);
}

// "host:port", "[v6]:port", "[v6]", "v6" or "host" into its parts.
void split_port(const std::string& entry, std::string& host, std::string& port) {
  host = entry;
  port.clear();
  const std::size_t colon = entry.rfind(':');
  const bool bare_v6 = entry.find(':') != colon && !entry.starts_with('[');
  const bool port_follows = colon != std::string::npos && !bare_v6 &&
                            (entry.starts_with('[') ? entry[colon - 1] == ']' : true);
  if (port_follows) {
    host = entry.substr(0, colon);
    port = entry.substr(colon + 1);
  }
  if (host.size() >= 2 && host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
}

// One entry of NO_PROXY.
bool entry_matches(const std::string& entry, const Url& target,
                   const std::optional<Address>& address) {
  if (entry == "*") return true;
  if (address && block_contains(entry, *address)) return true;
  std::string host;
  std::string port;
  split_port(entry, host, port);
  if (host.empty()) return false;
  if (!port.empty() && port != std::to_string(target.port)) return false;
  if (const auto literal = parse_address(host)) return address && *literal == *address;
  if (host.starts_with("*.")) host.erase(0, 1);
  if (host.starts_with('.')) return target.host.ends_with(host);
  return target.host == host || target.host.ends_with("." + host);
}

bool goes_direct(const std::string& no_proxy, const Url& target) {
  const auto address = parse_address(target.host);
  if (target.host == "localhost" || (address && is_loopback(*address))) return true;
  for (const std::string& entry : split(no_proxy, ',')) {
    const std::string text = lower_ascii(trim(entry));
    if (!text.empty() && entry_matches(text, target, address)) return true;
  }
  return false;
}

}  // namespace

ProxySettings proxy_settings(const Environment& env) {
  const auto first_of = [&](const std::string& upper) {
    const std::string value = env(upper).value_or("");
    return value.empty() ? env(lower_ascii(upper)).value_or("") : value;
  };
  ProxySettings settings{first_of("HTTP_PROXY"), first_of("HTTPS_PROXY"), first_of("NO_PROXY")};
  if (env("REQUEST_METHOD").has_value()) settings.http_proxy.clear();
  return settings;
}

ProxySettings process_proxy_settings() {
  return proxy_settings([](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

Result<std::string> normal_proxy(std::string_view proxy) {
  std::string text(trim(proxy));
  if (text.find("://") == std::string::npos) text.insert(0, "http://");
  const std::string scheme = lower_ascii(std::string_view(text).substr(0, text.find("://")));
  const std::string rest = text.substr(scheme.size() + 3);
  if (rest.empty() || rest.find_first_of(" \t\r\n") != std::string::npos) {
    return invalid("BadProxy", "the proxy's URL names no host; check HTTPS_PROXY or proxy-url");
  }
  if (scheme == "socks5" || scheme == "socks5h") return "socks5h://" + rest;
  if (scheme == "http" || scheme == "https") return scheme + "://" + rest;
  return invalid("BadProxy", "proxy scheme \"" + printable(scheme, 20) +
                                 "\" is not known; use http, https or socks5");
}

Result<std::string> choose_proxy(const ProxySettings& settings, const Url& target) {
  const std::string& proxy = target.scheme == "https" ? settings.https_proxy : settings.http_proxy;
  if (trim(proxy).empty() || goes_direct(settings.no_proxy, target)) return std::string();
  return normal_proxy(proxy);
}

}  // namespace keyturn::http
