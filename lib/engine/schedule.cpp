#include "lib/engine/schedule.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/cron.h"
#include "lib/engine/zone.h"

namespace keyturn::engine {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::year_month;

struct Schedule::Impl {
  std::optional<Cron> cron;  // absent: rate, every period_
  Zone zone;
};

namespace {

constexpr Duration kLongestRate = days(999);
constexpr Duration kLongestDefaultWindow = hours(24);
// The Gregorian calendar repeats after 400 years: what does not come within them never comes.
constexpr int kCalendarYears = 400;
constexpr int kCalendarDays = 146097;
// Years whose week days and leap days repeat, as long as no century is passed.
constexpr int kWeekDayYears = 28;
constexpr std::chrono::year kFirstYear{2001};
constexpr std::chrono::year kLastYear{9000};

struct Unit {
  std::string_view one, many;
  Duration length;
};
constexpr Unit kUnits[] = {
    {"minute", "minutes", minutes(1)}, {"hour", "hours", hours(1)}, {"day", "days", days(1)}};

// "30 days"
Result<Duration> parse_rate(std::string_view text) {
  constexpr const char* kForm =
      "rate() takes a whole number and minutes, hours or days, as in rate(30 days)";
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return invalid("BadSchedule", kForm);
  const std::string_view count = text.substr(0, space);
  const std::string_view name = trim(text.substr(space));
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const Unit& u) { return name == u.one || name == u.many; });
  if (unit == std::end(kUnits) || count.empty() || count.size() > 9)
    return invalid("BadSchedule", kForm);
  std::int64_t n = 0;
  for (char c : count) {
    if (c < '0' || c > '9') return invalid("BadSchedule", kForm);
    n = n * 10 + (c - '0');
  }
  if (n < 1 || n * unit->length > kLongestRate) {
    return invalid("BadSchedule", "a rate must be between 1 minute and 999 days");
  }
  return n * unit->length;
}

// The shortest distance between two of the days that a cron names; nullopt: it names none.
std::optional<days> shortest_day_gap(const Cron& cron) {
  std::optional<std::chrono::sys_days> last;
  std::optional<days> shortest;
  for (year_month month{kFirstYear, std::chrono::January};
       month.year() < kFirstYear + std::chrono::years(kCalendarYears);
       month += std::chrono::months(1)) {
    if (shortest && month.year() >= kFirstYear + std::chrono::years(kWeekDayYears)) break;
    const std::uint32_t bits = cron.days(month);
    for (unsigned day = 1; day <= 31; ++day) {
      if ((bits >> day & 1) == 0) continue;
      const std::chrono::sys_days date = month / std::chrono::day(day);
      if (last && (!shortest || date - *last < *shortest)) shortest = date - *last;
      last = date;
    }
    if (shortest == days(1)) break;
  }
  return last ? std::optional(shortest.value_or(days(kCalendarDays))) : std::nullopt;
}

std::optional<Duration> shortest_period(const Cron& cron) {
  const auto gap = shortest_day_gap(cron);
  if (!gap) return std::nullopt;
  minutes shortest = *gap - (cron.times.back() - cron.times.front());
  for (std::size_t i = 1; i < cron.times.size(); ++i)
    shortest = std::min(shortest, cron.times[i] - cron.times[i - 1]);
  return shortest;
}

std::uint64_t hash(std::string_view identity, std::optional<WallTime> opens) {
  std::string text(identity);
  text += '\0';
  if (opens) text += std::to_string(epoch_seconds(*opens));
  const Sha256 digest = sha256(text);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value = value << 8 | std::to_integer<std::uint64_t>(digest[i]);
  return value;
}

Duration share(Duration window, std::uint64_t hash) {
  if (window <= 0ms) return 0ms;
  return Duration(static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(window.count())));
}

// What stands between `name(` and `)`; nullopt: it does not start so. A missing `)` gives an empty
// text, which no grammar takes.
std::optional<std::string_view> call(std::string_view text, std::string_view name) {
  if (!text.starts_with(name) || text.substr(name.size(), 1) != "(") return std::nullopt;
  if (text.back() != ')') return std::string_view();
  text.remove_prefix(name.size() + 1);
  text.remove_suffix(1);
  return text;
}

Result<Cron> parse_cron(std::string_view text, std::string_view time_zone) {
  const auto inner = call(text, "cron");
  if (!inner) return Cron::parse_classic(text);
  if (!time_zone.empty()) {
    return invalid("BadSchedule", "timeZone goes only with a 5-field cron; cron() is in UTC");
  }
  return Cron::parse_aws(*inner);
}

}  // namespace

Result<Schedule> Schedule::parse(std::string_view expression, std::string_view time_zone,
                                 std::optional<Duration> window) {
  const std::string_view text = trim(expression);
  const std::string context = "schedule \"" + printable(text, 80) + "\"";
  auto impl = std::make_shared<Impl>();
  Schedule schedule;
  if (const auto rate = call(text, "rate")) {
    if (!time_zone.empty()) {
      return invalid("BadSchedule",
                     context + ": timeZone goes only with a 5-field cron; rate() has none");
    }
    auto period = parse_rate(trim(*rate));
    if (!period) return std::move(period).error().with_context(context);
    schedule.period_ = *period;
  } else {
    auto cron = parse_cron(text, time_zone);
    if (!cron) return std::move(cron).error().with_context(context);
    auto zone = Zone::find(time_zone);
    if (!zone) return std::move(zone).error().with_context(context);
    const auto period = shortest_period(*cron);
    if (!period) {
      return invalid(
          "ImpossibleSchedule",
          context + ": no such day ever comes; correct day-of-month, month or day-of-week");
    }
    schedule.period_ = *period;
    impl->cron = std::move(*cron);
    impl->zone = *zone;
  }
  schedule.window_ = window.value_or(std::min(schedule.period_ / 10, kLongestDefaultWindow));
  if (schedule.window_ < 0ms)
    return invalid("BadSchedule", context + ": the window must not be negative");
  if (schedule.window_ > schedule.period_) {
    return invalid("WindowTooLong", context + ": the window (" + format_duration(schedule.window_) +
                                        ") is longer than the time between two rotations (" +
                                        format_duration(schedule.period_) +
                                        "); shorten the window");
  }
  schedule.impl_ = std::move(impl);
  return schedule;
}

WallTime Schedule::next(WallTime after) const {
  if (after >= WallTime(std::chrono::sys_days(kLastYear / 1 / 1).time_since_epoch()))
    return WallTime::max();
  if (!impl_->cron) return after + period_;
  const Cron& cron = *impl_->cron;
  // Instants never decrease as local times grow (zone.h), so local times up to that of `after` need
  // no look.
  const LocalTime start = impl_->zone.to_local(after);
  const auto today = std::chrono::floor<days>(start);
  const std::chrono::year_month_day from{today};
  const year_month end = year_month(from.year(), from.month()) + std::chrono::years(kCalendarYears);
  for (year_month month(from.year(), from.month()); month <= end; month += std::chrono::months(1)) {
    const std::uint32_t bits = cron.days(month);
    for (unsigned day = 1; day <= 31; ++day) {
      if ((bits >> day & 1) == 0) continue;
      const std::chrono::local_days date{month / std::chrono::day(day)};
      if (date < today) continue;
      for (const minutes time : cron.times) {
        const LocalTime local = date + time;
        if (local <= start) continue;
        const WallTime wall = impl_->zone.to_wall(local);
        if (wall > after) return wall;
      }
    }
  }
  return WallTime::max();
}

WallTime Schedule::spread(WallTime opens, std::string_view identity) const {
  return opens + share(window_, hash(identity, opens));
}

WallTime Schedule::spread_overdue(WallTime first_seen, std::string_view identity) const {
  return first_seen + share(window_, hash(identity, std::nullopt));
}

}  // namespace keyturn::engine
