// Reading and writing times and durations as people and APIs write them.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn {

// RFC 3339, UTC, whole seconds: "2026-11-22T06:14:46Z" (metav1.Time).
std::string format_rfc3339(WallTime t);
// With microseconds, as metav1.MicroTime (leases, events): "2026-11-22T06:14:46.000000Z".
std::string format_rfc3339_micro(WallTime t);
// Accepts fractions and offsets. Anything else: Invalid.
Result<WallTime> parse_rfc3339(std::string_view text);

// Go-style duration as Kubernetes users write it: "90s", "1h30m", "2h", "15m", "500ms", "0s"; a "d" (24 h)
// is accepted too. Negative, empty, unitless or overflowing: Invalid.
Result<Duration> parse_duration(std::string_view text);
// The shortest such text: "2h", "1h30m", "12.4s", "0s".
std::string format_duration(Duration d);
// For people, two largest units, as kubectl prints ages: "14m", "27d20h", "12s".
std::string format_age(Duration d);

// Whole seconds since the epoch, the fraction cut off (times are compared by whole seconds).
inline std::int64_t epoch_seconds(WallTime t) {
  return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}
inline WallTime from_epoch_seconds(double seconds) {
  return WallTime(Duration(static_cast<std::int64_t>(seconds * 1000.0)));
}

}  // namespace keyturn
