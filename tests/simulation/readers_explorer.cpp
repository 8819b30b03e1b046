#include "tests/simulation/readers_explorer.h"

#include <algorithm>
#include <utility>

namespace keyturn::simulation::readers {

namespace {

constexpr int kMostTicks = 60;
constexpr Tick kPatience = 7;  // a person helps every so many ticks

Lane lane_of(std::size_t n) { return n < 2 ? Lane::Follower : Lane::Gate; }

const char* name_of(std::size_t n) { return n < 2 ? "a leader (follower) " : "a leader (gate) "; }

// The two leaders are alike, and so are pods: of worlds that differ only in who is who, one is
// enough.
World canonical(World w) {
  if (w.actor[0] < w.actor[1]) {
    std::swap(w.actor[0], w.actor[1]);
    w.stale = static_cast<std::uint8_t>((w.stale >> 1 & 1u) | (w.stale & 1u) << 1);
  }
  std::sort(w.pods.begin(), w.pods.end(),
            [](const Pod& a, const Pod& b) { return std::memcmp(&a, &b, sizeof(Pod)) > 0; });
  return w;
}

void end_pass(World& w, std::size_t n) {
  w.actor[n] = 0;
  if (n < 2) w.stale = static_cast<std::uint8_t>(w.stale & ~(1u << n));
}

}  // namespace

World Explorer::act(const World& before, std::size_t n) {
  const Lane lane = lane_of(n);
  const Request& request = tree_.next(before.actor[n], lane);
  World w = before;
  bool done = true;
  switch (request.kind) {
    case Request::Kind::WriteSecret:
      done = request.version == 100u + w.writes;
      if (!done) break;
      ++w.writes;
      if (w.secret != kNew) w.written = w.now;
      w.secret = kNew;
      break;
    case Request::Kind::Restart:
      done = request.version == workload_version(w);
      if (!done || w.marked != 0) break;
      w.marked = 1;
      ++w.generation;
      ++w.restarts;
      break;
    case Request::Kind::Look:
      if (n < 2) w.stale = static_cast<std::uint8_t>(w.stale & ~(1u << n));
      break;
    case Request::Kind::PublishStatus:
      if ((w.stale >> n & 1u) != 0) w.touched = 1;
      if (w.actor[1 - n] != 0) w.stale = static_cast<std::uint8_t>(w.stale | 1u << (1 - n));
      w.status = request.status;
      break;
    case Request::Kind::Revoke:
      w.revoked = 1;
      break;
    default:
      break;
  }
  Node node = tree_.child(before.actor[n], lane, done ? shown(w, request.kind) : "");
  // The gate reads the clock after it looked, and time may pass before; a follower's lane reads it
  // at once, since what it does is the safer the later it is done.
  while (lane == Lane::Follower && tree_.next(node, lane).kind == Request::Kind::Clock)
    node = tree_.child(node, lane, shown(w, Request::Kind::Clock));
  w.actor[n] = node;
  if (tree_.next(node, lane).kind == Request::Kind::End) end_pass(w, n);
  return w;
}

void Explorer::successors(const World& w, const Emit& tell) {
  const Emit emit = [&](const std::string& name, const World& next) {
    tell(name, canonical(next));
  };
  for (std::size_t n = 0; n < w.actor.size(); ++n) {
    if (n == 2 && w.revoked != 0) continue;  // nothing more to ask for
    if (n == 1 && budgets_.leaders < 2) continue;
    const bool twin = n == 1 && w.actor[1] == w.actor[0];
    if (!twin)
      emit(std::string(name_of(n)) + to_string(tree_.next(w.actor[n], lane_of(n)).kind), act(w, n));
    if (w.crashes == 0 || w.actor[n] == 0 || twin) continue;
    World dead = w;
    --dead.crashes;
    end_pass(dead, n);
    emit(std::string(name_of(n)) + "dies", dead);
  }
  nature(w, emit);
  mishaps(w, emit);
}

// No more mishaps: one leader, the controllers and time bring everything to its end, with a
// person's help only where a person or a node had done something.
std::string Explorer::settle(World w) {
  w.crashes = w.people = w.nodes = 0;
  w.ticks = 0;
  std::vector<std::uint64_t> path;
  for (int tick = 0; tick < kMostTicks; ++tick) {
    const auto done = [](const Pod& pod) { return pod.there == 0 || pod.held == kNew; };
    const std::uint64_t hash = WorldHash()(w);
    path.push_back(hash);
    if (settled_.contains(hash) || (w.revoked != 0 && w.observed == w.generation &&
                                    std::all_of(w.pods.begin(), w.pods.end(), done))) {
      for (const std::uint64_t each : path) settled_.insert(each);
      return "";
    }
    for (const std::size_t n : {std::size_t{0}, std::size_t{2}}) {
      do {
        w = act(w, n);
        if (std::string wrong = check(w); !wrong.empty()) return wrong;
      } while (w.actor[n] != 0);
    }
    for (bool more = true; more;) {
      const World before = w;
      more = false;
      nature(before, [&](const std::string&, const World& next) {
        if (!std::exchange(more, true)) w = next;
      });
      if (std::string wrong = check(w); !wrong.empty()) return wrong;
    }
    ++w.now;
    const bool may_help = w.touched != 0 || !budgets_.restarts_pods;
    if (may_help && w.now % kPatience == 0) w = helped(w);
  }
  return "I3: does not come to its end";
}

void Explorer::intern(const World& w, std::uint32_t parent) {
  const std::uint64_t hash = WorldHash()(w);
  if (seen_.contains(hash)) return;
  seen_.insert(hash);
  worlds_.push_back(w);
  parents_.push_back(parent);
}

std::vector<std::string> Explorer::trace(std::size_t state) {
  std::vector<std::string> lines;
  for (; state != 0; state = parents_[state]) {
    std::string how = "?";
    const World child = worlds_[state];
    successors(worlds_[parents_[state]], [&](const std::string& name, const World& next) {
      if (next == child && how == "?") how = name;
    });
    lines.insert(lines.begin(), how);
  }
  return lines;
}

Outcome Explorer::explore() {
  Outcome out;
  intern(canonical(first_world(budgets_)), 0);
  for (std::size_t at = 0; at < worlds_.size(); ++at) {
    const World w = worlds_[at];
    if (w.revoked != 0) ++out.revoked;
    out.violation = check(w);
    const bool idle = w.actor == std::array<Node, 3>{};
    if (out.violation.empty() && idle && w.revoked == 0) out.violation = settle(w);
    if (!out.violation.empty()) {
      out.trace = trace(at);
      break;
    }
    successors(w, [&](const std::string&, const World& next) {
      intern(next, static_cast<std::uint32_t>(at));
    });
  }
  out.states = worlds_.size();
  out.local_states = tree_.size();
  return out;
}

}  // namespace keyturn::simulation::readers
