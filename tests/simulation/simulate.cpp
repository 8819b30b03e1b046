// simulate: seeded random schedules of the engine on fake time, two leaders, faults and meddling
// people (docs/protocol.md, "How it is proved"). A failing seed is printed with the command that
// replays it.
//
// usage: simulate [--schedules N] [--seed FIRST] [--kind KIND] [--trace]
//        simulate --placed SCENARIO|all … (placed.h)
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "lib/base/log.h"
#include "tests/simulation/coverage.h"
#include "tests/simulation/placed.h"
#include "tests/simulation/sim_operator.h"
#include "tests/simulation/sim_world.h"

namespace keyturn::simulation {
namespace {

struct Totals {
  std::map<Kind, SimWorld::Coverage> coverage;
  SimWorld::Notes notes;
  long requests = 0, rotations = 0, schedules = 0;
};

bool run(Kind kind, std::uint64_t seed, bool trace, Totals& totals) {
  SimWorld world(kind, seed, trace);
  SimOperator first(world, 0), second(world, 1);
  world.run({[&] { first.live(); }, [&] { second.live(); }});
  for (const auto& [key, count] : world.coverage()) totals.coverage[kind][key] += count;
  for (const auto& [what, count] : world.notes()) totals.notes[what] += count;
  totals.requests += world.requests();
  totals.rotations += world.finished();
  ++totals.schedules;
  if (!world.failure()) return true;
  std::printf(
      "FAILED %s, seed %llu: %s\n    replay: simulate --kind %s --seed %llu --schedules 1 "
      "--trace\n",
      to_string(kind), static_cast<unsigned long long>(seed), world.failure()->what.c_str(),
      to_string(kind), static_cast<unsigned long long>(seed));
  return false;
}

// The rows that this kind of backend has, and the faults that can come before them.
std::vector<int> rows_of(Kind kind) {
  switch (kind) {
    case Kind::Minting:
    case Kind::SoftMinting:
    case Kind::InfluxdbToken:
      return {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    case Kind::ForwardOnly:
      return {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12};
    case Kind::None:
      return {5, 6, 7, 8, 11, 12};
    case Kind::Delegated:
      return {7, 8, 12};
  }
  return {};
}

bool possible(Kind kind, Fault fault) {
  const bool has_backend = kind != Kind::None && kind != Kind::Delegated;
  const bool writes = kind != Kind::Delegated;
  if (fault == Fault::WrongRejection) return has_backend;
  if (fault == Fault::Late || fault == Fault::Duplicate) return writes;
  return true;
}

// What readers and policies of the life among readers (InfluxdbToken) must have met.
constexpr const char* kReaders[] = {
    "retired after Rollout",
    "retired after Sync",
    "retired after Immediately",
    "a workload that never becomes available with the new value",
    "a roll-out timed out and is held",
    "rolled back after a roll-out that did not become available",
    "a roll-out held back by a paused workload",
    "a roll-out held back by OnDelete",
};

bool print_coverage(const Totals& totals) {
  bool complete = true;
  if (totals.coverage.contains(Kind::InfluxdbToken)) std::printf("\n");
  for (const char* what : kReaders) {
    if (!totals.coverage.contains(Kind::InfluxdbToken)) break;
    const auto found = totals.notes.find(what);
    complete = complete && found != totals.notes.end();
    std::printf("%8d%c %s\n", found == totals.notes.end() ? 0 : found->second,
                found == totals.notes.end() ? '!' : ' ', what);
  }
  for (const auto& [kind, coverage] : totals.coverage) {
    const bool all = print_rows(to_string(kind), rows_of(kind), coverage,
                                [kind = kind](Fault fault) { return possible(kind, fault); });
    complete = complete && all;
  }
  return complete;
}

// The real strategy and its readers every other time; of the others forward only, which has rows
// that fire seldom, twice as often.
Kind kind_of(const std::vector<Kind>& kinds, long n) {
  if (kinds.size() == 1) return kinds.front();
  static constexpr std::array kOthers{Kind::Minting, Kind::ForwardOnly, Kind::SoftMinting,
                                      Kind::None,    Kind::ForwardOnly, Kind::Delegated};
  return n % 2 == 1 ? Kind::InfluxdbToken : kOthers.at(static_cast<std::size_t>(n / 2) % 6);
}

int main_of(const std::vector<std::string>& args) {
  if (!args.empty() && args[0] == "--placed") return run_placed({args.begin() + 1, args.end()});
  long schedules = 20'000;
  std::uint64_t seed = 1;
  std::string only;
  bool trace = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--schedules")
      schedules = std::atol(args.at(++i).c_str());
    else if (args[i] == "--seed")
      seed = std::strtoull(args.at(++i).c_str(), nullptr, 10);
    else if (args[i] == "--kind")
      only = args.at(++i);
    else if (args[i] == "--trace")
      trace = true;
    else
      return std::fprintf(
                 stderr,
                 "usage: simulate [--schedules N] [--seed FIRST] [--kind KIND] [--trace]\n"
                 "       simulate --placed SCENARIO|all [--singles] [--deep] [--share K/N]\n"
                 "       simulate --placed SCENARIO N:ADVERSITY [M:ADVERSITY]\n"),
             2;
  }
  std::vector<Kind> kinds;
  for (const Kind kind : kKinds) {
    if (only.empty() || only == to_string(kind)) kinds.push_back(kind);
  }
  if (kinds.empty()) return std::fprintf(stderr, "no such kind: %s\n", only.c_str()), 2;

  const auto start = std::chrono::steady_clock::now();
  Totals totals;
  int failed = 0;
  for (long n = 0; n < schedules && failed < 10; ++n) {
    const Kind kind = kind_of(kinds, n);
    if (!run(kind, seed + static_cast<std::uint64_t>(n), trace, totals)) ++failed;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool complete = print_coverage(totals);
  std::printf("\n%ld schedules, %ld requests, %ld rotations, %d failed (%.1f s)\n",
              totals.schedules, totals.requests, totals.rotations, failed, seconds);
  // A short run cannot meet everything.
  const bool whole = schedules >= 10'000 && only.empty();
  if (whole && !complete)
    std::printf(
        "a row of the table did not fire after some kind of fault, or readers did not meet all "
        "(marked !)\n");
  return failed == 0 && (complete || !whole) ? 0 : 1;
}

}  // namespace
}  // namespace keyturn::simulation

int main(int argc, char** argv) {
  keyturn::log::configure(keyturn::log::Level::Error, keyturn::log::Format::Text);
  try {
    return keyturn::simulation::main_of({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "simulate: %s\n", e.what());
    return 1;
  }
}
