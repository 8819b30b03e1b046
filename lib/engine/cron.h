// Cron expressions: which local minutes they name.
//
// Two grammars. AWS's (Secrets Manager, "Schedule expressions"): `minutes hours day-of-month month
// day-of-week year`; minutes 0, year `*`, exactly one of the two day fields is `?`; lists, ranges,
// `*`, steps (`/8` and `4/12` count on to the end of the field); months and week days also by name;
// week days 1 (Sunday) to 7; `L` in day-of-month is the month's last day, in day-of-week Saturday;
// `SUNL` the last Sunday of the month, `TUE#3` its third Tuesday. The classic one: `minute hour
// day-of-month month day-of-week`; week days 0 or 7 (Sunday) to 6; where both day fields restrict,
// either is enough. As for a Kubernetes CronJob, a field restricts unless it is `*` (or `*/1`).
//
// Thread rule: plain values, pure functions. Errors: Invalid "BadSchedule", naming the field.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::engine {

struct Cron {
  // The six fields between the parentheses, or the five.
  static Result<Cron> parse_aws(std::string_view fields);
  static Result<Cron> parse_classic(std::string_view fields);

  // The days of that month as bits 1..31; 0: none.
  std::uint32_t days(std::chrono::year_month month) const;

  struct MonthDays {
    bool any = false;  // `*` or `?`: does not restrict
    std::uint64_t days = 0;
    bool last = false;
  };
  struct WeekDays {  // bit 0 is Sunday
    bool any = false;
    std::uint64_t days = 0;
    std::uint64_t last = 0;              // SUNL
    std::array<std::uint64_t, 5> nth{};  // TUE#3 is in nth[2]
  };

  std::vector<std::chrono::minutes> times;  // of the day, ascending
  std::uint64_t months = 0;                 // bits 1..12
  MonthDays month_days;
  WeekDays week_days;
};

}  // namespace keyturn::engine
