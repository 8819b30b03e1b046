// When a rotation is due. Grammar: AWS `rate(N minutes|hours|days)`, AWS `cron(min hour dom month
// dow year)` in UTC, or a 5-field cron in a time zone (cron.h says exactly which). A window spreads
// starts by a stable hash, so a fleet never rotates at one instant and a restart changes nothing.
//
// Around a change of clocks (5-field cron): a skipped local time runs when the clocks go forward,
// once; a repeated one runs the first time only.
//
// Thread rule: immutable values, pure functions. Wall time only; spreading is in milliseconds.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn::engine {

class Schedule {
 public:
  // `time_zone` (IANA) only with a 5-field cron; empty means UTC. `window`: absent = a tenth of the
  // period, at most 24 h. Invalid: "BadSchedule" (grammar), "ImpossibleSchedule" (a time that never
  // comes), "WindowTooLong" (longer than the period), "UnknownTimeZone". rate() takes 1 minute to
  // 999 days.
  static Result<Schedule> parse(std::string_view expression, std::string_view time_zone,
                                std::optional<Duration> window);

  // The start of the first window strictly after `after`; for rate(): after + period.
  // WallTime::max() beyond the year 9000.
  WallTime next(WallTime after) const;
  Duration window() const { return window_; }
  Duration period() const {
    return period_;
  }  // shortest distance of two windows, changes of clocks aside

  // The instant inside the window that opens at `opens`, for this secret: opens + hash(identity,
  // opens) mod window.
  WallTime spread(WallTime opens, std::string_view identity) const;
  // What was overdue when the caller first saw it: first_seen + hash(identity) mod window. Without
  // state this is as stable as the caller's `first_seen`: a restart sees it anew. due.h keeps the
  // promise over restarts by means of status.nextRotationTime.
  WallTime spread_overdue(WallTime first_seen, std::string_view identity) const;

  struct Impl;

 private:
  Schedule() = default;
  std::shared_ptr<const Impl> impl_;
  Duration window_{0};
  Duration period_{0};
};

}  // namespace keyturn::engine
