// Local time of an IANA time zone, from the system's time zone database (Debian: tzdata, which the
// container needs too).
//
// The two awkward cases are settled here, once: a local time that is skipped when clocks go forward
// means the instant at which they do; one that comes twice when they go back means the first. Known
// limit: Debian's date library reads the transitions listed in the database, which end in 2037;
// after that a zone keeps its last offset. Thread rule: immutable, any thread.
#pragma once

#include <chrono>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace date {
class time_zone;
}

namespace keyturn::engine {

using LocalTime = std::chrono::local_time<std::chrono::seconds>;

class Zone {
 public:
  Zone() = default;  // UTC
  // "" is UTC. Invalid "UnknownTimeZone": no such name, or the machine has no time zone database.
  static Result<Zone> find(std::string_view name);

  LocalTime to_local(WallTime t) const;
  // Never decreases as `t` grows.
  WallTime to_wall(LocalTime t) const;

 private:
  explicit Zone(const date::time_zone* zone) : zone_(zone) {}
  const date::time_zone* zone_ = nullptr;  // null: UTC
};

}  // namespace keyturn::engine
