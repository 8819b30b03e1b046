// Schedules: expression, newline, time zone, newline, a time in milliseconds.
//
// Whatever the bytes: starts move forward, nothing starts between a time and the next start, and a
// spread start stays in its window.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/engine/schedule.h"

using keyturn::Duration;
using keyturn::WallTime;
using keyturn::engine::Schedule;

namespace {

std::string_view cut_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string_view expression = cut_line(rest), zone = cut_line(rest);
  const auto schedule = Schedule::parse(expression, zone, std::nullopt);
  if (!schedule) {
    require(!schedule.error().message.empty());
    return 0;
  }
  require(schedule->period() > Duration(0) && schedule->window() <= schedule->period());
  require(!Schedule::parse(expression, zone, schedule->period() + Duration(1)).ok());

  std::int64_t ms = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), ms);
  constexpr std::int64_t kFarthest = 300ll * 365 * 86'400'000;
  WallTime t(Duration(std::clamp<std::int64_t>(ms, 0, kFarthest)));
  for (int i = 0; i < 4; ++i) {
    const WallTime next = schedule->next(t);
    require(next > t);
    require(schedule->next(next - Duration(1)) == next ||
            expression.find("rate") != std::string_view::npos);
    const WallTime start = schedule->spread(next, "arn");
    require(start >= next && start <= next + schedule->window());
    require(start == schedule->spread(next, "arn"));
    t = next;
  }
  return 0;
}
