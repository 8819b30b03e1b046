// explore: every interleaving of two leaders that run the real plan and steps, within budgets of
// crashes, acts of people and wrong answers; then the same with one rule taken away at a time, each
// of which must be missed.
//
// With --readers: the same for the real writes of targets, roll-out and gate, of one follower with
// one workload, two leaders, and a third that asks the gate and revokes (readers_world.h).
//
// usage: explore [--kind minting|forwardOnly|none|list|influxdbToken] [--budgets CRASHES PEOPLE
// WRONG ROTATIONS]
// [--limit STATES] [--without RULE]
//        explore --readers [RULE]
//        explore --all
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "lib/base/log.h"
#include "tests/simulation/model_explorer.h"
#include "tests/simulation/readers_explorer.h"

namespace keyturn::simulation::model {
namespace {

struct Ablation {
  const char* name;
  bool Rules::*rule;
  Kind kind;
  Budgets budgets;
};

// The smallest budgets at which the loss is found.
const Ablation kAblations[] = {
    {"quiet", &Rules::quiet, Kind::Minting, {0, 1, 0, 1}},
    {"quiet before a forward-only set", &Rules::quiet, Kind::ForwardOnly, {0, 1, 0, 1}},
    {"quiet before a rollback's test", &Rules::quiet_before_rollback, Kind::Minting, {0, 1, 0, 1}},
    {"quiet seeing undone changes", &Rules::undone_changes, Kind::Minting, {0, 1, 0, 1}},
    {"AWSPENDING before AWSCURRENT", &Rules::pending_first, Kind::Minting, {0, 2, 0, 1}},
    {"AWSPENDING after it (forward only)", &Rules::pending_first, Kind::ForwardOnly, {0, 1, 0, 1}},
    {"keeping what was current", &Rules::was_current, Kind::Minting, {0, 2, 0, 1}},
    {"ids chained over LATEST", &Rules::chained_ids, Kind::Minting, {0, 0, 1, 1}},
    {"comparing credentials", &Rules::compares, Kind::Minting, {0, 1, 0, 1}},
    {"the base check", &Rules::base, Kind::Minting, {0, 1, 0, 1}},
    {"the base check (no backend)", &Rules::base, Kind::None, {0, 1, 0, 1}},
    {"leftovers", &Rules::leftovers, Kind::Minting, {1, 0, 0, 1}},
    {"waiting for the roll-out", &Rules::gate, Kind::Minting, {0, 0, 0, 1}},
    {"asking the backend", &Rules::asks_backend, Kind::ForwardOnly, {0, 0, 1, 1}},
    {"quiet (list)", &Rules::quiet, Kind::List, {0, 1, 0, 1}},
    {"AWSPENDING after it (list)", &Rules::pending_first, Kind::List, {0, 1, 1, 1}},
    {"looking again before writing (list)", &Rules::confirm, Kind::List, {0, 1, 0, 1}},
    {"the base check (list)", &Rules::base, Kind::List, {0, 1, 0, 1}},
    {"waiting for the roll-out (list)", &Rules::gate, Kind::List, {0, 0, 0, 1}},
    {"quiet (influxdbToken)", &Rules::quiet, Kind::Influx, {0, 1, 0, 1}},
    {"ids chained (influxdbToken)", &Rules::chained_ids, Kind::Influx, {0, 0, 1, 1}},
    {"comparing (influxdbToken)", &Rules::compares, Kind::Influx, {0, 1, 0, 1}},
    {"the base check (influxdbToken)", &Rules::base, Kind::Influx, {0, 1, 0, 1}},
    {"leftovers (influxdbToken)", &Rules::leftovers, Kind::Influx, {1, 0, 0, 1}},
    {"the roll-out (influxdbToken)", &Rules::gate, Kind::Influx, {0, 0, 0, 1}},
    {"giving back what was disabled", &Rules::restores, Kind::Influx, {1, 1, 0, 1}},
    {"quiet before a label is dropped", &Rules::quiet_before_release, Kind::Influx, {1, 1, 0, 1}},
    {"row 9 before the gate", &Rules::equal_first, Kind::Influx, {1, 1, 0, 1}},
};
// Second lines: not missed one at a time within these budgets. Each has a unit test of its own
// (tests/unit/engine/second_lines_test.cpp; of what was minted:
// strategies/influxdb_revoke_test.cpp, since what C or V holds, too, is not revoked anyway; of the
// resourceVersion: rotation/target_sync_test.cpp).
const Ablation kSecondLines[] = {
    {"revoking only what was minted", &Rules::only_minted, Kind::Minting, {0, 1, 1, 1}},
    {"looking again before revoking", &Rules::confirm, Kind::Minting, {0, 1, 0, 1}},
    {"the retest before the move", &Rules::retest, Kind::Minting, {0, 2, 0, 1}},
    {"the compare-and-swap of the baton", &Rules::baton_cas, Kind::Minting, {0, 1, 1, 1}},
    {"the resourceVersion on applies", &Rules::revision, Kind::Minting, {0, 1, 0, 1}},
};

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::Minting:
      return "minting";
    case Kind::ForwardOnly:
      return "forwardOnly";
    case Kind::None:
      return "none";
    case Kind::Influx:
      return "influxdbToken";
    case Kind::List:
      return "list";
  }
  return "";
}

Outcome run(Kind kind, const Rules& rules, const Budgets& b, std::size_t limit,
            bool stop_at_first) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome out = Explorer(kind, rules, b).explore(limit, stop_at_first);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::string rows;
  for (unsigned row = 1; row <= 12; ++row) {
    if ((out.rows >> row & 1u) != 0) rows += ' ' + std::to_string(row);
  }
  std::printf(
      "%-13s crashes %d, people %d, wrong answers %d, rotations %d: %zu states, %zu of a leader, "
      "rows%s, %zu kinds of violation%s (%.1f s)\n",
      name_of(kind), b.crashes, b.people, b.wrong, b.rotations, out.states, out.local_states,
      rows.c_str(), out.violations.size(), out.exhaustive ? "" : ", NOT exhaustive: limit reached",
      seconds);
  std::fflush(stdout);
  return out;
}

void print(const Outcome& out) {
  for (const Violation& v : out.violations) {
    std::printf("VIOLATION %s\n", v.what.c_str());
    for (const std::string& line : v.trace) std::printf("    %s\n", line.c_str());
  }
}

bool holds(Kind kind, const Budgets& budgets, std::size_t limit) {
  const Outcome out = run(kind, Rules{}, budgets, limit, false);
  print(out);
  return out.violations.empty() && out.exhaustive;
}

bool missed(const Ablation& a, std::size_t limit, bool verbose) {
  Rules rules;
  rules.*a.rule = false;
  std::printf("without %-34s ", a.name);
  const Outcome out = run(a.kind, rules, a.budgets, limit, true);
  if (verbose) print(out);
  if (out.violations.empty())
    std::printf("    NOT MISSED: the exploration does not see what this rule is for\n");
  return !out.violations.empty();
}

// --- among readers ---

using ReaderBudgets = readers::Budgets;
const ReaderBudgets kReaderBudgets[] = {
    {.leaders = 2},
    {.crashes = 1, .nodes = 1},
    {.people = 1},
    {.people = 1, .restarts_pods = false},
};
struct ReaderAblation {
  const char* name;
  bool readers::Rules::*rule;
  ReaderBudgets budgets;
};
const ReaderAblation kReaderAblations[] = {
    {"the gate's look at pods", &readers::Rules::pods, {}},
    {"waiting for followers", &readers::Rules::follower, {}},
    {"containers not reported", &readers::Rules::unreported, {.people = 1, .restarts_pods = false}},
    {"the gate's wait for the spread",
     &readers::Rules::spread,
     {.people = 1, .restarts_pods = false}},
    {"the restart's wait for the spread", &readers::Rules::spread_before_restart, {}},
};

bool among_readers(const readers::Rules& rules, const ReaderBudgets& b, bool verbose) {
  const auto start = std::chrono::steady_clock::now();
  const readers::Outcome out = readers::Explorer(rules, b).explore();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "readers       leaders %d, crashes %d, people %d, containers %d, ticks %d, restart %s: %zu "
      "states (%zu "
      "after the revocation), %zu of a leader%s%s (%.1f s)\n",
      b.leaders, b.crashes, b.people, b.nodes, b.ticks, b.restarts_pods ? "Auto" : "None",
      out.states, out.revoked, out.local_states, out.violation.empty() ? "" : ", VIOLATION ",
      out.violation.c_str(), seconds);
  for (std::size_t n = 0; verbose && n < out.trace.size(); ++n)
    std::printf("    %s\n", out.trace[n].c_str());
  std::fflush(stdout);
  return out.violation.empty() && out.revoked > 0;
}

// Each rule taken away must be missed.
bool among_readers_without(const std::string& only) {
  bool good = true;
  for (const ReaderAblation& a : kReaderAblations) {
    if (!only.empty() && only != a.name) continue;
    readers::Rules rules;
    rules.*a.rule = false;
    std::printf("without %-34s ", a.name);
    if (!among_readers(rules, a.budgets, !only.empty())) continue;
    std::printf("    NOT MISSED: the exploration does not see what this rule is for\n");
    good = false;
  }
  return good;
}

bool all_among_readers() {
  bool good = true;
  for (const ReaderBudgets& budgets : kReaderBudgets)
    good = among_readers({}, budgets, true) && good;
  return among_readers_without("") && good;
}

int all() {
  bool good = all_among_readers();
  for (const Kind kind : {Kind::Minting, Kind::ForwardOnly, Kind::None})
    good = holds(kind, {1, 1, 1, 1}, 60'000'000) && good;
  for (const Budgets& budgets : {Budgets{1, 1, 0, 1}, Budgets{0, 1, 1, 1}})
    good = holds(Kind::List, budgets, 60'000'000) && good;
  for (const Budgets& budgets : {Budgets{1, 1, 0, 1}, Budgets{1, 0, 1, 1}})
    good = holds(Kind::Influx, budgets, 60'000'000) && good;
  for (const Ablation& a : kAblations) good = missed(a, 20'000'000, false) && good;
  std::printf(good ? "explore: all rules hold, and each is missed when taken away\n"
                   : "explore: FAILED\n");
  return good ? 0 : 1;
}

int main_of(const std::vector<std::string>& args) {
  Kind kind = Kind::Minting;
  Budgets budgets;
  std::size_t limit = 60'000'000;
  std::string without;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto number = [&] { return static_cast<std::uint8_t>(std::atoi(args.at(++i).c_str())); };
    if (args[i] == "--all") return all();
    if (args[i] == "--readers") {
      const bool good =
          i + 1 < args.size() ? among_readers_without(args[i + 1]) : all_among_readers();
      return good ? 0 : 1;
    }
    if (args[i] == "--kind") {
      const std::string& name = args.at(++i);
      kind = name == "forwardOnly"     ? Kind::ForwardOnly
             : name == "none"          ? Kind::None
             : name == "list"          ? Kind::List
             : name == "influxdbToken" ? Kind::Influx
                                       : Kind::Minting;
    } else if (args[i] == "--budgets") {
      budgets.crashes = number();
      budgets.people = number();
      budgets.wrong = number();
      budgets.rotations = number();
    } else if (args[i] == "--limit") {
      limit = static_cast<std::size_t>(std::atoll(args.at(++i).c_str()));
    } else if (args[i] == "--without") {
      without = args.at(++i);
    } else {
      std::fprintf(
          stderr,
          "usage: explore [--kind K] [--budgets C P W R] [--limit N] [--without RULE] | --readers "
          "[RULE] | --all\n");
      return 2;
    }
  }
  if (without.empty()) return holds(kind, budgets, limit) ? 0 : 1;
  for (const Ablation& a : kAblations) {
    if (without == a.name) return missed(a, limit, true) ? 0 : 1;
  }
  for (const Ablation& a : kSecondLines) {
    if (without == a.name) return missed(a, limit, true) ? 0 : 1;
  }
  std::fprintf(stderr, "no such rule: %s\n", without.c_str());
  return 2;
}

}  // namespace
}  // namespace keyturn::simulation::model

int main(int argc, char** argv) {
  keyturn::log::configure(keyturn::log::Level::Error, keyturn::log::Format::Text);
  try {
    return keyturn::simulation::model::main_of({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "explore: %s\n", e.what());
    return 1;
  }
}
