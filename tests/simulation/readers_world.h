// The world of the exhaustive exploration among readers: AWSCURRENT has just moved, the old
// credential waits to be revoked, and one follower with one workload (of one replica) reads it by
// env. A value type without padding, hashed and compared as bytes.
//
// Time is counted in ticks of 5.5 s, so that times of statuses are rounded and two ticks are just
// more than the propagation of 10 s and the second that rounding costs. Thread rule: one thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>

#include "controller/rotation/policy.h"
#include "lib/base/clock.h"

namespace keyturn::simulation::readers {

using Node = std::uint32_t;  // of the replay tree; 0: between two passes
using Tick = std::uint8_t;

inline constexpr Duration kTick{5'500};
inline constexpr Duration kPropagation{10'000};
inline constexpr Tick kLag = 2;     // ticks after which every node reads what was written
inline constexpr Tick kFirst = 10;  // what is old is of tick 0
enum Held : std::uint8_t { kNothing, kOld, kNew };

struct Pod {
  std::uint8_t there = 0;
  std::uint8_t revision = 0;  // of the workload
  Held held = kNothing;       // kNothing: its container has not started
  Tick bound = 0, started = 0;
  std::uint8_t told = 0;  // its node has reported a start, of tick `told_start`
  Tick told_start = 0;
  std::uint8_t going = 0;
};

struct World {
  std::array<Node, 3> actor{};  // two leaders' lanes for the follower, and one that asks the gate
  std::array<Pod, 3> pods{};
  std::uint16_t status = 0;  // the follower's, as the API server has it: a number of the registry
  Tick now = kFirst;
  Held secret = kOld;  // what the target Secret holds
  Tick written = 0;
  std::uint8_t writes = 0;         // its resourceVersion
  std::uint8_t restarts_pods = 1;  // spec.rollout.restart: Auto
  std::uint8_t marked = 0;         // our mark for the new version is on the pod template
  std::uint8_t generation = 1, observed = 1;
  std::uint8_t restarts = 0;  // ours, for the new version
  std::uint8_t unmarked = 0;  // by a person
  std::uint8_t revoked = 0;   // the old credential
  // Something happened after which a person may have to help in the end: a person's act, a node's,
  // a leader that wrote the status from an older view.
  std::uint8_t touched = 0;
  std::uint8_t crashes = 0, people = 0, nodes = 0;  // budgets: of leaders, people, containers
  Tick ticks = 0;
  std::uint8_t stale = 0;  // leaders, by bit, since whose last look the other one wrote the status
  std::array<std::uint8_t, 5> unused{};

  friend bool operator==(const World& a, const World& b) {
    return std::memcmp(&a, &b, sizeof(World)) == 0;
  }
  int running(bool of_revision) const;  // pods that are not going
  int ready() const;
  bool available() const;  // the one that shall be, of the newest template
};
static_assert(std::has_unique_object_representations_v<World>);

struct WorldHash {
  std::size_t operator()(const World& w) const;
};

struct Budgets {
  std::uint8_t leaders = 1;  // that sync and roll out for the follower
  std::uint8_t crashes = 0, people = 0, nodes = 0, ticks = 3;
  bool restarts_pods = true;
};
World first_world(const Budgets& budgets);

// The rules of which each can be taken away.
struct Rules {
  bool pods = true;                   // the gate looks at pods
  bool unreported = true;             // and at those that their node has not reported
  bool follower = true;               // and waits for followers in other namespaces
  bool spread = true;                 // the gate waits until what was written has spread
  bool spread_before_restart = true;  // and so do restarts
};

WallTime time_of(Tick tick);
extern const char* const kOldVersion;
extern const char* const kNewVersion;
extern const char* const kArn;

std::uint16_t status_number(rotation::PolicyStatus status);
const rotation::PolicyStatus& status_of(std::uint16_t number);

using Emit = std::function<void(const std::string& name, const World& next)>;
// What controllers, kubelets and time do by themselves.
void nature(const World& w, const Emit& emit);
// What needs a budget: people, containers that crash.
void mishaps(const World& w, const Emit& emit);
// A person restarts what is named as holding the old value for long.
World helped(World w);

std::string check(const World& w);  // "" or what is wrong

}  // namespace keyturn::simulation::readers
