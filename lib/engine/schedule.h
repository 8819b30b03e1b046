// When a rotation is due. Grammar: AWS `rate(N minutes|hours|days)`, AWS `cron(min hour dom month dow year)` in UTC, or a 5-field cron
// in a time zone. A window spreads starts by a stable hash, so a fleet never rotates at one instant and a restart changes nothing.
//
// Thread rule: immutable values, pure functions. Wall time only.
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
  // `time_zone` (IANA) only with a 5-field cron; empty means UTC. `window`: absent = a tenth of the period, at most 24 h.
  // Invalid: bad grammar, a time that never comes ("impossible cron"), a window longer than the period, an unknown zone.
  static Result<Schedule> parse(std::string_view expression, std::string_view time_zone,
                                std::optional<Duration> window);

  // The start of the first window strictly after `after`; for rate(): after + period.
  WallTime next(WallTime after) const;
  Duration window() const { return window_; }
  Duration period() const { return period_; }  // shortest distance of two windows

  // The instant inside the window that opens at `opens`, for this secret: opens + hash(identity, opens) mod window.
  WallTime spread(WallTime opens, std::string_view identity) const;

  struct Impl;

 private:
  std::shared_ptr<const Impl> impl_;
  Duration window_{0};
  Duration period_{0};
};

}  // namespace keyturn::engine
