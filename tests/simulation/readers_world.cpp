#include "tests/simulation/readers_world.h"

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <vector>

#include "tests/simulation/readers_actor.h"

namespace keyturn::simulation::readers {

const char* const kOldVersion = "00000000-0000-8000-8000-000000000001";
const char* const kNewVersion = "00000000-0000-8000-8000-000000000002";
const char* const kArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf";

WallTime time_of(Tick tick) { return WallTime(Duration(1'700'000'000'000)) + tick * kTick; }

namespace {

struct Registry {
  std::vector<rotation::PolicyStatus> statuses;
  std::unordered_map<std::string, std::uint16_t> numbers;
};
Registry& registry() {
  static Registry all;
  return all;
}

}  // namespace

// What it says to people makes no difference to anybody's decisions.
std::uint16_t status_number(rotation::PolicyStatus status) {
  for (rotation::Condition& condition : status.conditions) condition.message.clear();
  Registry& all = registry();
  const auto [at, fresh] = all.numbers.try_emplace(rotation::status_json(status).dump(),
                                                   static_cast<std::uint16_t>(all.statuses.size()));
  if (fresh) all.statuses.push_back(std::move(status));
  return at->second;
}

const rotation::PolicyStatus& status_of(std::uint16_t number) {
  return registry().statuses.at(number);
}

std::size_t WorldHash::operator()(const World& w) const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&w);
  std::uint64_t h = 0x9e3779b97f4a7c15u;
  for (std::size_t i = 0; i < sizeof(World); i += 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes + i, 4);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  return h;
}
static_assert(sizeof(World) % 4 == 0);

World first_world(const Budgets& budgets) {
  World w;
  w.crashes = budgets.crashes;
  w.people = budgets.people;
  w.nodes = budgets.nodes;
  w.ticks = budgets.ticks;
  w.restarts_pods = budgets.restarts_pods ? 1 : 0;
  w.pods[0] = {.there = 1, .revision = 1, .held = kOld, .told = 1};
  rotation::PolicyStatus status;
  status.secret_arn = kArn;
  status.current_version_id = kOldVersion;
  status.targets = {{.name = kTarget,
                     .version_id = kOldVersion,
                     .rolled_out_version_id = budgets.restarts_pods ? kOldVersion : "",
                     .synced_at = time_of(0)}};
  w.status = status_number(std::move(status));
  return w;
}

int World::ready() const {
  int count = 0;
  for (const Pod& pod : pods) {
    if (pod.there != 0 && pod.going == 0 && pod.told != 0) ++count;
  }
  return count;
}

int World::running(bool of_revision) const {
  int count = 0;
  for (const Pod& pod : pods) {
    if (pod.there != 0 && pod.going == 0 && (!of_revision || pod.revision == observed)) ++count;
  }
  return count;
}

// Its node reports a container's start and that it is ready together.
bool World::available() const {
  for (const Pod& pod : pods) {
    if (pod.there != 0 && pod.going == 0 && pod.revision == observed && pod.told != 0) return true;
  }
  return false;
}

std::string check(const World& w) {
  if (w.restarts > 1 && w.unmarked == 0) return "the workload is restarted twice for one version";
  if (w.revoked == 0) return "";
  if (w.secret == kOld) return "I1: the Secret's credential is dead";
  for (const Pod& pod : w.pods) {
    if (pod.there != 0 && pod.held == kOld) return "I1: a pod's credential is dead";
  }
  return "";
}

namespace {

// A container starts: it reads the Secret, as its node shows it.
void start(const World& w, std::size_t n, const char* what, const Emit& emit) {
  const auto with = [&](Held held, const char* how) {
    World next = w;
    next.pods[n].held = held;
    next.pods[n].started = w.now;
    emit(std::string(what) + how, next);
  };
  with(w.secret, w.secret == kNew ? " and reads the new value" : "");
  if (w.secret == kNew && w.now - w.written < kLag)
    with(kOld, " on a node that still shows the old value");
}

void change_template(World& w) {
  w.touched = 1;
  ++w.generation;
}

}  // namespace

void nature(const World& w, const Emit& emit) {
  if (w.observed != w.generation) {
    World next = w;
    next.observed = w.generation;
    emit("the controller looks at the workload", next);
  }
  for (std::size_t n = 0; n < w.pods.size(); ++n) {
    const Pod& pod = w.pods[n];
    World next = w;
    if (pod.there == 0) {
      const bool first_free = n == 0 || w.pods[n - 1].there != 0;
      if (w.running(true) != 0 || !first_free) continue;
      next.pods[n] = {.there = 1, .revision = w.observed, .bound = w.now};
      emit("a pod is made", next);
      continue;
    }
    if (pod.going != 0) {
      next.pods[n] = {};
      emit("a pod is gone", next);
    } else if (pod.revision != w.observed && (w.available() || pod.told == 0 || w.ready() > 1)) {
      next.pods[n].going = 1;
      emit("an old pod is being deleted", next);
    }
    if (pod.held == kNothing) {
      start(w, n, "a container starts", emit);
    } else if (pod.told == 0 || pod.told_start != pod.started) {
      next = w;
      next.pods[n].told = 1;
      next.pods[n].told_start = pod.started;
      emit("a node reports the container's start", next);
    }
  }
  if (w.ticks > 0) {
    World next = w;
    --next.ticks;
    ++next.now;
    emit("5.5 seconds pass", next);
  }
}

void mishaps(const World& w, const Emit& emit) {
  if (w.nodes > 0) {
    World next = w;
    --next.nodes;
    next.touched = 1;
    for (std::size_t n = 0; n < w.pods.size(); ++n) {
      if (w.pods[n].there != 0 && w.pods[n].held != kNothing)
        start(next, n, "a container crashes, starts again", emit);
    }
  }
  if (w.people == 0) return;
  World next = w;
  --next.people;
  const World spent = next;
  change_template(next);
  emit("a person restarts the workload", next);
  if (w.marked != 0) {
    next.marked = 0;
    next.unmarked = 1;
    emit("a person takes our mark off the workload", next);
  }
  next = spent;
  next.touched = 1;
  next.restarts_pods = w.restarts_pods == 0 ? 1 : 0;
  emit("a person edits spec.rollout.restart", next);
  for (std::size_t n = 0; n < w.pods.size(); ++n) {
    if (w.pods[n].there == 0 || w.pods[n].going != 0) continue;
    next = spent;
    next.touched = 1;
    next.pods[n].going = 1;
    emit("a person deletes a pod", next);
  }
}

World helped(World w) {
  change_template(w);
  return w;
}

}  // namespace keyturn::simulation::readers
