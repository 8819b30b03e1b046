#include "lib/base/time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "lib/base/text.h"

namespace keyturn {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime kFirst{std::chrono::sys_days(std::chrono::year(0) / 1 / 1)};
constexpr WallTime kLast{std::chrono::sys_days(std::chrono::year(9999) / 12 / 31) + hours(24) -
                         Duration(1)};
// time.Duration of Go counts nanoseconds in 64 bits.
constexpr Duration kLongest{9'223'372'036'854};

std::string format_wall(WallTime t, bool micro) {
  t = std::clamp(t, kFirst, kLast);
  const auto day = std::chrono::floor<days>(t);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<Duration> clock(t - day);
  std::array<char, 64> text;
  int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  std::string out(text.data(), static_cast<std::size_t>(length));
  if (micro) {
    length = std::snprintf(text.data(), text.size(), ".%03d000",
                           static_cast<int>(clock.subseconds().count()));
    out.append(text.data(), static_cast<std::size_t>(length));
  }
  return out + "Z";
}

// Takes what it reads off the front of a text; says so when something else is there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool literal(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `digits` digits, at most `max`.
  std::optional<int> number(std::size_t digits, int max) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const std::optional<int> d = digit();
      if (!d) return std::nullopt;
      value = value * 10 + *d;
    }
    if (value > max) return std::nullopt;
    return value;
  }
  std::optional<int> digit() {
    if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') return std::nullopt;
    const int value = rest_[0] - '0';
    rest_.remove_prefix(1);
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<Duration> scan_fraction(Scanner& in) {
  if (!in.literal('.')) return Duration(0);
  int millis = 0;
  int scale = 100;
  std::optional<int> d = in.digit();
  if (!d) return std::nullopt;
  for (; d; d = in.digit()) {
    millis += *d * scale;
    scale /= 10;
  }
  return Duration(millis);
}

std::optional<minutes> scan_offset(Scanner& in) {
  if (in.literal('Z') || in.literal('z')) return minutes(0);
  const bool east = in.literal('+');
  if (!east && !in.literal('-')) return std::nullopt;
  const auto hour = in.number(2, 23);
  if (!hour || !in.literal(':')) return std::nullopt;
  const auto minute = in.number(2, 59);
  if (!minute) return std::nullopt;
  const minutes offset = hours(*hour) + minutes(*minute);
  return east ? offset : -offset;
}

std::optional<WallTime> scan_rfc3339(std::string_view text) {
  Scanner in(text);
  const auto year = in.number(4, 9999);
  if (!year || !in.literal('-')) return std::nullopt;
  const auto month = in.number(2, 12);
  if (!month || !in.literal('-')) return std::nullopt;
  const auto day = in.number(2, 31);
  if (!day || !(in.literal('T') || in.literal('t'))) return std::nullopt;
  const auto hour = in.number(2, 23);
  if (!hour || !in.literal(':')) return std::nullopt;
  const auto minute = in.number(2, 59);
  if (!minute || !in.literal(':')) return std::nullopt;
  const auto second = in.number(2, 59);
  if (!second) return std::nullopt;
  const auto fraction = scan_fraction(in);
  if (!fraction) return std::nullopt;
  const auto offset = scan_offset(in);
  if (!offset || !in.at_end()) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + hours(*hour) + minutes(*minute) +
         seconds(*second) + *fraction - *offset;
}

struct Unit {
  std::string_view name;
  std::int64_t millis;
};
constexpr std::array<Unit, 5> kUnits{{{"d", 86'400'000},
                                      {"h", 3'600'000},
                                      {"ms", 1},
                                      {"m", 60'000},
                                      {"s", 1000}}};  // "ms" before "m"

// One "<number><unit>" off the front of `text`.
std::optional<Duration> take_term(std::string_view& text) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  const std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const Unit& u) { return text.starts_with(u.name); });
  if (unit == kUnits.end()) return std::nullopt;
  text.remove_prefix(unit->name.size());

  const std::size_t dot = number.find('.');
  const std::string_view whole = number.substr(0, dot);
  const std::string_view fraction =
      dot == std::string_view::npos ? std::string_view() : number.substr(dot + 1);
  if (whole.empty() && fraction.empty()) return std::nullopt;
  if (fraction.find('.') != std::string_view::npos) return std::nullopt;
  std::int64_t total = 0;
  for (const char c : whole) {
    total = total * 10 + (c - '0');
    if (total > kLongest.count() / unit->millis) return std::nullopt;
  }
  total *= unit->millis;
  // Ten digits decide every millisecond of a day, and the product stays below 2^63.
  std::int64_t above = 0;
  std::int64_t below = 1;
  for (const char c : fraction.substr(0, 10)) {
    above = above * 10 + (c - '0');
    below *= 10;
  }
  return Duration(total + above * unit->millis / below);
}

}  // namespace

std::string format_rfc3339(WallTime t) { return format_wall(t, false); }
std::string format_rfc3339_micro(WallTime t) { return format_wall(t, true); }

Result<WallTime> parse_rfc3339(std::string_view text) {
  if (const auto t = scan_rfc3339(text)) return *t;
  return invalid("BadTime", "\"" + printable(text, 60) +
                                "\" is not an RFC 3339 time such as 2026-11-22T06:14:46Z");
}

WallTime from_epoch_seconds(double seconds_since) {
  if (std::isnan(seconds_since)) return WallTime();
  const double millis = std::round(seconds_since * 1000.0);
  const auto count = [](WallTime t) { return static_cast<double>(t.time_since_epoch().count()); };
  if (millis <= count(kFirst)) return kFirst;
  if (millis >= count(kLast)) return kLast;
  return WallTime(Duration(static_cast<std::int64_t>(millis)));
}

Result<Duration> parse_duration(std::string_view text) {
  const Error bad =
      invalid("BadDuration",
              "\"" + printable(text, 60) + "\" is not a duration such as 90s, 15m, 1h30m or 2d");
  if (text.empty()) return bad;
  Duration total(0);
  while (!text.empty()) {
    const auto term = take_term(text);
    if (!term || *term > kLongest - total) return bad;
    total += *term;
  }
  return total;
}

std::string format_duration(Duration d) {
  if (d == Duration(0)) return "0s";
  // Unsigned, so that the most negative value has a size too.
  std::uint64_t left = static_cast<std::uint64_t>(d.count());
  std::string out;
  if (d < Duration(0)) {
    out = "-";
    left = 0 - left;
  }
  if (left < 1000) return out + std::to_string(left) + "ms";
  if (left >= 3'600'000) out += std::to_string(left / 3'600'000) + "h";
  left %= 3'600'000;
  if (left >= 60'000) out += std::to_string(left / 60'000) + "m";
  left %= 60'000;
  if (left == 0) return out;
  out += std::to_string(left / 1000);
  if (left % 1000 != 0) {
    std::string fraction = std::to_string(1000 + left % 1000).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    out += "." + fraction;
  }
  return out + "s";
}

std::string format_age(Duration d) {
  const std::int64_t all = std::max<std::int64_t>(0, std::chrono::floor<seconds>(d).count());
  const auto two = [](std::int64_t large, const char* a, std::int64_t small, const char* b) {
    std::string out = std::to_string(large) + a;
    if (small != 0) out += std::to_string(small) + b;
    return out;
  };
  if (all < 60) return std::to_string(all) + "s";
  if (all < 600) return two(all / 60, "m", all % 60, "s");
  if (all < 3600) return std::to_string(all / 60) + "m";
  if (all < 86400) return two(all / 3600, "h", all / 60 % 60, "m");
  return two(all / 86400, "d", all / 3600 % 24, "h");
}

}  // namespace keyturn
