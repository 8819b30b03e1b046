#include "lib/engine/cron.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::engine {
namespace {

using std::chrono::year_month;

constexpr std::array<std::string_view, 12> kMonthNames = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kDayNames = {"SUN", "MON", "TUE", "WED",
                                                       "THU", "FRI", "SAT"};

struct Field {
  const char* name;
  unsigned min, max;
  std::span<const std::string_view> names{};  // names[0] stands for min
};
constexpr Field kMinute{"minutes", 0, 59};
constexpr Field kHour{"hours", 0, 23};
constexpr Field kMonthDay{"day-of-month", 1, 31};
constexpr Field kMonth{"month", 1, 12, kMonthNames};
constexpr Field kAwsWeekDay{"day-of-week", 1, 7, kDayNames};
constexpr Field kClassicWeekDay{"day-of-week", 0, 7, kDayNames};

Error bad(const Field& field, std::string_view text, const std::string& what) {
  return invalid("BadSchedule",
                 std::string(field.name) + " \"" + printable(text, 40) + "\": " + what);
}

std::string range_of(const Field& field) {
  std::string out = "must be " + std::to_string(field.min) + "-" + std::to_string(field.max);
  if (!field.names.empty())
    out += " or " + std::string(field.names.front()) + "-" + std::string(field.names.back());
  return out;
}

std::optional<unsigned> number(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

Result<unsigned> value_of(const Field& field, std::string_view text) {
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (iequals_ascii(text, field.names[i])) return field.min + static_cast<unsigned>(i);
  }
  const auto value = number(text);
  if (!value || *value < field.min || *value > field.max) return bad(field, text, range_of(field));
  return *value;
}

struct Range {
  unsigned low, high;
};

// `*`, `a`, `a-b`; "" as AWS writes it before a step.
Result<Range> range(const Field& field, std::string_view text, bool stepped) {
  if (text == "*" || (text.empty() && stepped)) return Range{field.min, field.max};
  const std::size_t dash = text.find('-');
  auto low = value_of(field, text.substr(0, dash));
  if (!low) return std::move(low).error();
  if (dash == std::string_view::npos) return Range{*low, stepped ? field.max : *low};
  auto high = value_of(field, text.substr(dash + 1));
  if (!high) return std::move(high).error();
  if (*high < *low)
    return bad(field, text, "the range runs backwards; write it as two ranges with a comma");
  return Range{*low, *high};
}

// One item of a list, as bits.
Result<std::uint64_t> item(const Field& field, std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool stepped = slash != std::string_view::npos;
  auto span = range(field, text.substr(0, slash), stepped);
  if (!span) return std::move(span).error();
  unsigned step = 1;
  if (stepped) {
    const auto given = number(text.substr(slash + 1));
    if (!given || *given == 0 || *given > field.max) {
      return bad(field, text, "the step behind / must be 1-" + std::to_string(field.max));
    }
    step = *given;
  }
  std::uint64_t bits = 0;
  for (unsigned value = span->low; value <= span->high; value += step)
    bits |= std::uint64_t{1} << value;
  return bits;
}

Result<std::uint64_t> list(const Field& field, std::string_view text) {
  std::uint64_t bits = 0;
  for (const std::string& part : split(text, ',')) {
    auto more = item(field, part);
    if (!more) return std::move(more).error();
    bits |= *more;
  }
  return bits;
}

Result<Cron::MonthDays> aws_month_days(std::string_view text) {
  Cron::MonthDays out;
  out.any = text == "?";
  if (out.any) return out;
  for (const std::string& part : split(text, ',')) {
    if (part == "L") {
      out.last = true;
      continue;
    }
    auto bits = item(kMonthDay, part);
    if (!bits) return std::move(bits).error();
    out.days |= *bits;
  }
  return out;
}

Result<Cron::WeekDays> aws_week_days(std::string_view text) {
  Cron::WeekDays out;
  out.any = text == "?";
  if (out.any) return out;
  for (const std::string& part : split(text, ',')) {
    const std::string_view view = part;
    const std::size_t hash = view.find('#');
    if (view == "L") {
      out.days |= 1u << 6;
    } else if (hash != std::string_view::npos) {
      auto day = value_of(kAwsWeekDay, view.substr(0, hash));
      if (!day) return std::move(day).error();
      const auto nth = number(view.substr(hash + 1));
      if (!nth || *nth < 1 || *nth > 5)
        return bad(kAwsWeekDay, part, "the number behind # must be 1-5");
      out.nth[*nth - 1] |= 1u << (*day - 1);
    } else if (view.size() > 1 && view.back() == 'L') {
      auto day = value_of(kAwsWeekDay, view.substr(0, view.size() - 1));
      if (!day) return std::move(day).error();
      out.last |= 1u << (*day - 1);
    } else {
      auto bits = item(kAwsWeekDay, part);
      if (!bits) return std::move(bits).error();
      out.days |= *bits >> 1;
    }
  }
  return out;
}

std::vector<std::chrono::minutes> times_of(std::uint64_t hours, std::uint64_t minutes) {
  std::vector<std::chrono::minutes> out;
  for (unsigned hour = 0; hour < 24; ++hour) {
    for (unsigned minute = 0; minute < 60; ++minute) {
      if ((hours >> hour & 1) != 0 && (minutes >> minute & 1) != 0)
        out.emplace_back(hour * 60 + minute);
    }
  }
  return out;
}

// Fields are separated by any white space.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (char c : text) {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

// Bits 1..31 of the days of a month that fall on the week days in `wanted`.
std::uint32_t on_week_days(std::uint64_t wanted, unsigned first_week_day, unsigned from,
                           unsigned to) {
  std::uint32_t out = 0;
  for (unsigned day = from; day <= to; ++day) {
    if ((wanted >> ((first_week_day + day - 1) % 7) & 1) != 0) out |= 1u << day;
  }
  return out;
}

}  // namespace

Result<Cron> Cron::parse_aws(std::string_view fields) {
  const auto field = words(fields);
  if (field.size() != 6) {
    return invalid(
        "BadSchedule",
        "cron() takes six fields (minutes hours day-of-month month day-of-week year), not " +
            std::to_string(field.size()));
  }
  if (field[0] != "0") {
    return bad(kMinute, field[0],
               "must be 0 in cron(), as in AWS; for another minute write the classic form, `minute "
               "hour day-of-month month "
               "day-of-week`, without cron()");
  }
  if (field[5] != "*") {
    return invalid("BadSchedule",
                   "year \"" + printable(field[5], 40) + "\": must be * in cron(), as in AWS");
  }
  if ((field[2] == "?") == (field[4] == "?")) {
    return invalid(
        "BadSchedule",
        "exactly one of day-of-month and day-of-week must be ?, the other says the days");
  }
  auto hours = list(kHour, field[1]);
  if (!hours) return std::move(hours).error();
  auto month_days = aws_month_days(field[2]);
  if (!month_days) return std::move(month_days).error();
  auto months = list(kMonth, field[3]);
  if (!months) return std::move(months).error();
  auto week_days = aws_week_days(field[4]);
  if (!week_days) return std::move(week_days).error();
  return Cron{times_of(*hours, 1), *months, *month_days, *week_days};
}

Result<Cron> Cron::parse_classic(std::string_view fields) {
  const auto field = words(fields);
  if (field.size() != 5) {
    return invalid("BadSchedule",
                   "write rate(30 days), cron(0 3 ? * MON *), or five fields `minute hour "
                   "day-of-month month day-of-week`");
  }
  auto minutes = list(kMinute, field[0]);
  if (!minutes) return std::move(minutes).error();
  auto hours = list(kHour, field[1]);
  if (!hours) return std::move(hours).error();
  auto month_days = list(kMonthDay, field[2]);
  if (!month_days) return std::move(month_days).error();
  auto months = list(kMonth, field[3]);
  if (!months) return std::move(months).error();
  auto week_days = list(kClassicWeekDay, field[4]);
  if (!week_days) return std::move(week_days).error();
  const auto any = [](const std::string& text) { return text == "*" || text == "*/1"; };
  Cron cron{times_of(*hours, *minutes), *months, {}, {}};
  cron.month_days = {any(field[2]), *month_days, false};
  cron.week_days.any = any(field[4]);
  cron.week_days.days = (*week_days | *week_days >> 7) & 0x7F;  // 7 is Sunday too
  return cron;
}

std::uint32_t Cron::days(year_month month) const {
  using namespace std::chrono;
  if ((months >> static_cast<unsigned>(month.month()) & 1) == 0) return 0;
  const unsigned length = static_cast<unsigned>((month / last).day());
  const unsigned first = weekday(sys_days(month / day(1))).c_encoding();
  const auto all =
      static_cast<std::uint32_t>(((std::uint64_t{1} << (length + 1)) - 1) & ~std::uint64_t{1});
  if (month_days.any && week_days.any) return all;

  std::uint32_t by_month = 0;
  if (!month_days.any) {
    by_month = static_cast<std::uint32_t>(month_days.days) & all;
    if (month_days.last) by_month |= 1u << length;
  }
  std::uint32_t by_week = 0;
  if (!week_days.any) {
    by_week = on_week_days(week_days.days, first, 1, length) |
              on_week_days(week_days.last, first, length - 6, length);
    for (unsigned nth = 0; nth < 5; ++nth) {
      by_week |=
          on_week_days(week_days.nth[nth], first, nth * 7 + 1, std::min(nth * 7 + 7, length));
    }
  }
  return by_month | by_week;
}

}  // namespace keyturn::engine
