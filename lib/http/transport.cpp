#include "lib/http/transport.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "lib/base/text.h"

namespace keyturn::http {

// IMF-fixdate is the only form senders may write: "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::string_view kShape = "aaa, 00 aaa 0000 00:00:00 GMT";
  if (text.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool fits = kShape[i] == '0'   ? c >= '0' && c <= '9'
                      : kShape[i] == 'a' ? (c | 0x20) >= 'a' && (c | 0x20) <= 'z'
                                         : c == kShape[i];
    if (!fits) return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const std::chrono::year_month_day date(
      std::chrono::year(number(12, 4)),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin() + 1)),
      std::chrono::day(static_cast<unsigned>(number(5, 2))));
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(number(17, 2)) +
         std::chrono::minutes(number(20, 2)) + std::chrono::seconds(number(23, 2));
}

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (iequals_ascii(key, name)) return &value;
  }
  return nullptr;
}

std::optional<Duration> retry_after(const Headers& headers, WallTime now) {
  const std::string* value = find_header(headers, "Retry-After");
  if (value == nullptr) return std::nullopt;
  const std::string_view text = trim(*value);
  constexpr Duration kLongest = std::chrono::hours(24);  // more than that is a mistake or an attack
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    std::int64_t seconds = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (parsed.ec != std::errc() || seconds > 86400) return kLongest;
    return std::chrono::seconds(seconds);
  }
  const auto date = parse_http_date(text);
  if (!date) return std::nullopt;
  return std::clamp<Duration>(*date - now, Duration(0), kLongest);
}

}  // namespace keyturn::http
