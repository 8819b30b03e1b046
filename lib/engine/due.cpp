#include "lib/engine/due.h"

#include <algorithm>
#include <array>

#include "lib/base/time.h"

namespace keyturn::engine {
namespace {

constexpr int kMostFloors = 24;

struct Wish {
  Trigger trigger = Trigger::None;
  WallTime at{};
};

std::optional<Wish> requested(const DueInput& in) {
  if (!in.rotate_requested ||
      !request_counts(*in.rotate_requested, in.current_created, in.latest_created))
    return std::nullopt;
  return Wish{Trigger::Request, *in.rotate_requested};
}

std::optional<Wish> scheduled(const DueInput& in) {
  if (in.schedule == nullptr) return std::nullopt;
  if (!in.current_created)
    return Wish{Trigger::Schedule, in.now};  // no reader can be hurt: no need to spread
  const WallTime base =
      std::max(*in.current_created, in.latest_created.value_or(*in.current_created));
  const WallTime opens = in.schedule->next(base);
  if (opens == WallTime::max()) return std::nullopt;
  const WallTime regular = in.schedule->spread(opens, in.identity);
  if (regular >= in.first_seen) return Wish{Trigger::Schedule, regular};
  // Overdue when first seen. A promise later than the regular time was made by an earlier process
  // for the same reason.
  WallTime at = in.schedule->spread_overdue(in.first_seen, in.identity);
  if (in.promised && epoch_seconds(*in.promised) > epoch_seconds(regular))
    at = std::min(at, *in.promised);
  return Wish{Trigger::Schedule, at};
}

// The earlier wish; a person's goes before the schedule's when both are due.
std::optional<Wish> first_wish(const DueInput& in) {
  const auto request = requested(in);
  const auto schedule = scheduled(in);
  if (!request || !schedule) return request ? request : schedule;
  if (request->at <= in.now) return request;
  return schedule->at < request->at ? schedule : request;
}

// A reason to wait although the time has come.
struct Hold {
  std::optional<WallTime> until;  // absent: until something changes
  std::string reason, message;
};

std::optional<Hold> held_by_suspension(const DueInput& in, const Wish&) {
  if (!in.suspended) return std::nullopt;
  return Hold{std::nullopt, "Suspended",
              "spec.suspend is true: no rotation starts until it is false"};
}

std::optional<Hold> held_by_floor(const DueInput& in, const Wish& wish) {
  if (!in.last_start) return std::nullopt;
  const WallTime until = *in.last_start + in.floor;
  if (std::max(wish.at, in.now) >= until) return std::nullopt;
  return Hold{until, "MinRotationInterval",
              "the last rotation started at " + format_rfc3339(*in.last_start) +
                  ", and two do not start within " + format_duration(in.floor) +
                  " (minRotationInterval of the operator)"};
}

std::optional<Hold> held_by_back_off(const DueInput& in, const Wish& wish) {
  if (!in.abandoned || in.failures < 1) return std::nullopt;
  const bool asked_again =
      wish.trigger == Trigger::Request && epoch_seconds(wish.at) > epoch_seconds(*in.abandoned);
  const WallTime until = *in.abandoned + back_off(in.floor, in.failures);
  if (asked_again || std::max(wish.at, in.now) >= until) return std::nullopt;
  return Hold{until, "BackingOff",
              (in.failures == 1 ? std::string("the last attempt was")
                                : "the last " + std::to_string(in.failures) + " attempts were") +
                  " given up; a new rotate request tries again at once"};
}

using Check = std::optional<Hold> (*)(const DueInput&, const Wish&);
// In the order in which a person should hear of them.
constexpr std::array<Check, 3> kChecks = {held_by_suspension, held_by_back_off, held_by_floor};

std::string name_of(Trigger trigger) {
  return trigger == Trigger::Request ? "the requested rotation" : "the scheduled rotation";
}

// The latest hold decides the time: what passes one check may still be held by the next.
Due held(const Wish& wish, const DueInput& in, const Hold& first) {
  Due out;
  out.trigger = wish.trigger;
  out.deferred = wish.at <= in.now;
  out.reason = first.reason;
  WallTime next = std::max(wish.at, in.now);
  bool known = true;
  for (Check check : kChecks) {
    const auto hold = check(in, wish);
    if (!hold) continue;
    known = known && hold->until.has_value();
    if (hold->until) next = std::max(next, *hold->until);
  }
  if (known) out.next = next;
  const std::string when = known ? " until " + format_rfc3339(next) : "";
  out.message = out.deferred ? name_of(wish.trigger) + " is deferred" + when + ": " + first.message
                             : name_of(wish.trigger) + " of " + format_rfc3339(wish.at) +
                                   " will wait" + when + ": " + first.message;
  return out;
}

}  // namespace

std::string_view to_string(Trigger trigger) {
  switch (trigger) {
    case Trigger::None:
      return "";
    case Trigger::Schedule:
      return "schedule";
    case Trigger::Request:
      return "request";
  }
  return "";
}

Duration back_off(Duration floor, int failures) {
  const Duration most = floor * kMostFloors;
  Duration wait = floor;
  for (int i = 1; i < failures && wait < most; ++i) wait *= 2;
  return std::min(wait, most);
}

bool request_counts(WallTime requested, std::optional<WallTime> current_created,
                    std::optional<WallTime> latest_created) {
  const auto newer = [&](const std::optional<WallTime>& version) {
    return !version || epoch_seconds(requested) > epoch_seconds(*version);
  };
  return !current_created || (newer(current_created) && newer(latest_created));
}

Due is_due(const DueInput& in) {
  const auto wish = first_wish(in);
  if (!wish) {
    Due out;
    out.reason = "NoSchedule";
    out.message = in.schedule ? "the schedule names no time before the year 9000"
                              : "no schedule: rotates only on request";
    return out;
  }
  for (Check check : kChecks) {
    if (const auto hold = check(in, *wish)) return held(*wish, in, *hold);
  }
  Due out;
  out.trigger = wish->trigger;
  out.next = wish->at;
  out.due = wish->at <= in.now;
  if (out.due) {
    out.reason = "Due";
    out.message = name_of(wish->trigger) + " is due since " + format_rfc3339(wish->at);
  } else {
    out.reason = wish->trigger == Trigger::Request ? "Requested" : "Scheduled";
    out.message = name_of(wish->trigger) + " is due at " + format_rfc3339(wish->at);
  }
  return out;
}

}  // namespace keyturn::engine
