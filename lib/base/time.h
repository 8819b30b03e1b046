// Reading and writing times and durations as people and APIs write them.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn {

// RFC 3339, UTC, whole seconds (cut off): "2026-11-22T06:14:46Z" (metav1.Time). Times outside the
// years 0 to 9999, which the grammar cannot say, are written as its nearest bound.
std::string format_rfc3339(WallTime t);
// With microseconds, as metav1.MicroTime (leases, events): "2026-11-22T06:14:46.000000Z".
std::string format_rfc3339_micro(WallTime t);
// Accepts fractions (cut to milliseconds) and offsets, as Go does; no leap second. Anything else:
// Invalid.
Result<WallTime> parse_rfc3339(std::string_view text);

// Go-style duration as Kubernetes users write it: "90s", "1h30m", "2h", "15m", "500ms", "0s"; a "d"
// (24 h) is accepted too. Fractions are cut to milliseconds. Negative, empty, unitless or longer
// than Go's own limit (292 years): Invalid.
Result<Duration> parse_duration(std::string_view text);
// The shortest such text that Go reads too (no "d"): "2h", "1h30m", "12.4s", "500ms", "0s".
std::string format_duration(Duration d);
// For people, at most the two largest units: "27d20h", "3h12m", "14m", "12s". Seconds are left out
// from ten minutes on, as in kubectl's ages. Negative (a clock that went back): "0s".
std::string format_age(Duration d);

// Whole seconds since the epoch, the fraction cut off (times are compared by whole seconds).
inline std::int64_t epoch_seconds(WallTime t) {
  return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}
// Seconds as AWS's JSON has them (a number with a fraction), rounded to the millisecond. What is no
// sane time (NaN, beyond the years 0 to 9999) is moved to the nearest bound; NaN becomes the epoch.
WallTime from_epoch_seconds(double seconds);

}  // namespace keyturn
