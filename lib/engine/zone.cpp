#include "lib/engine/zone.h"

#include <date/tz.h>

#include <exception>
#include <string>

#include "lib/base/text.h"

namespace keyturn::engine {
namespace {

using std::chrono::seconds;

date::local_seconds foreign(LocalTime t) { return date::local_seconds(t.time_since_epoch()); }

}  // namespace

Result<Zone> Zone::find(std::string_view name) {
  if (name.empty()) return Zone();
  try {
    const date::time_zone* zone = date::locate_zone(std::string(name));
    (void)zone->get_info(
        date::sys_seconds{});  // loads the file now, where its exceptions are caught
    return Zone(zone);
  } catch (const std::exception&) {
    return invalid(
        "UnknownTimeZone",
        "time zone \"" + printable(name) +
            "\" is not in this system's database; use an IANA name such as Europe/Berlin, as it is "
            "spelt there (and see that tzdata is installed)");
  }
}

LocalTime Zone::to_local(WallTime t) const {
  const auto utc = std::chrono::floor<seconds>(t);
  if (zone_ == nullptr) return LocalTime(utc.time_since_epoch());
  return LocalTime(utc.time_since_epoch() +
                   zone_->get_info(date::sys_seconds(utc.time_since_epoch())).offset);
}

WallTime Zone::to_wall(LocalTime t) const {
  if (zone_ == nullptr) return WallTime(t.time_since_epoch());
  const date::local_info info = zone_->get_info(foreign(t));
  if (info.result == date::local_info::nonexistent)
    return WallTime(info.first.end.time_since_epoch());
  return WallTime(t.time_since_epoch() - info.first.offset);  // unique, or the first of two
}

}  // namespace keyturn::engine
