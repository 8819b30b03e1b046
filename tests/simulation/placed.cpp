#include "tests/simulation/placed.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <numeric>
#include <optional>

#include "tests/simulation/coverage.h"
#include "tests/simulation/sim_operator.h"
#include "tests/simulation/sim_world.h"

namespace keyturn::simulation {
namespace {

using Way = SimKube::Way;

struct Scenario {
  std::string name;
  Setup setup;
};

// A rotating policy with a workload, a follower elsewhere, a Job that holds the old value for a
// while, and a namespace in which a person may make a follower.
Setup a_rotation() {
  const auto home = [](const std::string& ns, const std::vector<Home::App>& apps) {
    return Home{.ns = ns,
                .rollout = {.restart = rotation::Restart::Auto, .timeout = Duration(60'000)},
                .apps = apps};
  };
  Setup setup;
  setup.homes = {home("shop", {{.way = Way::Env}}), home("web", {{.way = Way::Volume}}),
                 home("batch", {})};
  setup.homes[0].job = true;
  setup.homes[0].job_ends = Duration(60'000);
  setup.homes[2].exists = false;
  return setup;
}

std::vector<Scenario> scenarios() {
  std::vector<Scenario> all{{"rotation", a_rotation()},
                            {"rollback", a_rotation()},
                            {"abandonment", a_rotation()},
                            {"revoke-now", a_rotation()}};
  all[0].setup.homes[0].grace = Duration(15'000);
  Setup& back = all[1].setup;
  back.homes[0].rollout.on_failure = rotation::OnFailure::Rollback;
  back.homes[0].rollout.timeout = Duration(15'000);
  back.homes[0].apps[0].fails_once = true;
  all[2].setup.rejects_one = true;
  all[2].setup.influx = {.hides_tokens = true, .single = true, .by_url = false};
  Setup& drill = all[3].setup;
  drill.drill = true;
  drill.homes[0].grace = Duration(600'000);
  return all;
}

struct Outcome {
  bool placed = false;  // all of it happened
  int requests = 0;     // at which something more can be placed
  // Those among them that change something; these, those that write a status or look at the labels.
  std::vector<int> changing, points;
  std::optional<Failure> failure;
};

// Pairs of which each (n, m), n <= m, is placed: n at a request that changes something, m at these,
// at those that write a status, and at looks at the labels. (In between a process only reads.)
struct Family {
  std::vector<std::string_view> firsts, seconds;
  bool anywhere = false;  // n at every request: also between a decision and its last look
};

std::vector<std::string_view> people(int from, int to) {
  std::vector<std::string_view> names;
  for (const Adversity& one : adversities()) {
    const int act = static_cast<int>(one.act);
    if (one.kind == Adversity::Kind::Act && act >= from && act < to) names.push_back(one.name);
  }
  return names;
}

std::vector<Family> families(bool wide, bool deep) {
  const auto everybody = people(0, 1000), at_labels = people(0, kLabelActs);
  if (deep) return {{at_labels, at_labels}};
  if (!wide)
    return {{{"looks"}, {"other"}},
            {{"crash-after"}, {"crash-after", "behind"}},
            {{"behind"}, {"crash-after"}}};
  return {{{"crash-after"}, everybody},
          {everybody, {"crash-after"}},
          {{"looks"}, {"other", "crash-after"}},
          {{"crash-after", "lost", "late"}, {"crash-after", "other", "behind"}},
          {{"other", "behind"}, {"crash-after", "other", "behind"}},
          {{"behind"}, at_labels},
          {at_labels, {"other", "behind"}},
          {at_labels, {"late"}, true}};
}

class Explorer {
 public:
  Explorer(const Scenario& scenario, int share, int shares)
      : scenario_(scenario), share_(share), shares_(shares) {}

  void singles();
  void pairs(const Family& family);
  Outcome run(const std::vector<Placement>& list, bool trace = false);
  void print() const;
  int failed() const { return failed_; }
  long runs() const { return runs_; }
  const SimWorld::Coverage& coverage() const { return coverage_; }

 private:
  struct Count {
    long placed = 0, tried = 0;
  };
  void count(const std::vector<Placement>& list, Count& count);
  bool enough() const { return failed_ >= 5; }

  const Scenario& scenario_;
  const int share_, shares_;
  int failed_ = 0;
  long runs_ = 0;
  std::map<std::string_view, Count> singles_;
  std::map<std::pair<std::string_view, std::string_view>, Count> pairs_;
  SimWorld::Coverage coverage_;
};

Outcome Explorer::run(const std::vector<Placement>& list, bool trace) {
  Placements placed(list);
  SimWorld world(scenario_.setup, placed, trace);
  SimOperator first(world, 0), second(world, 1);
  world.run({[&] { first.live(); }, [&] { second.live(); }});
  ++runs_;
  // A pass more than until the last change: what comes later comes to a world at rest.
  constexpr int kOnePass = 10;
  Outcome outcome{placed.all_used(), std::min(placed.sent(), placed.last_change() + kOnePass),
                  placed.changing(), placed.points(), world.failure()};
  std::erase_if(outcome.changing, [&](int n) { return n > outcome.requests; });
  std::erase_if(outcome.points, [&](int point) { return point > outcome.requests; });
  if (!outcome.failure && !outcome.placed) return outcome;
  for (const auto& [key, count] : world.coverage()) coverage_[key] += count;
  if (!outcome.failure) return outcome;
  ++failed_;
  std::string line = scenario_.name;
  for (const Placement& one : list) line += " " + to_string(one);
  std::printf("FAILED %s: %s\n    replay: simulate --placed %s\n", line.c_str(),
              outcome.failure->what.c_str(), line.c_str());
  std::fflush(stdout);
  return outcome;
}

void Explorer::count(const std::vector<Placement>& list, Count& count) {
  ++count.tried;
  if (run(list).placed) ++count.placed;
}

void Explorer::singles() {
  const Outcome none = run({});
  for (const Adversity& what : adversities()) {
    for (int n = 1; n <= none.requests && !enough(); ++n) {
      if (n % shares_ == share_) count({{n, &what}}, singles_[what.name]);
    }
  }
}

void Explorer::pairs(const Family& family) {
  const Outcome none = run({});
  std::vector<int> where = none.changing;
  if (family.anywhere) {
    where.resize(static_cast<std::size_t>(none.requests));
    std::iota(where.begin(), where.end(), 1);
  }
  int number = 0;
  for (const std::string_view first : family.firsts) {
    for (const int n : where) {
      if (++number % shares_ != share_) continue;
      const Placement one{n, find_adversity(first)};
      const Outcome alone = run({one});
      if (!alone.placed || alone.failure) continue;
      for (const std::string_view second : family.seconds) {
        for (const int m : alone.points) {
          if (m >= n && !enough())
            count({one, {m, find_adversity(second)}}, pairs_[{first, second}]);
        }
      }
    }
  }
}

void Explorer::print() const {
  std::printf("\n%s: placed (of the requests that it was tried at)\n", scenario_.name.c_str());
  for (const auto& [name, count] : singles_)
    std::printf("  %-20s %8ld of %ld\n", std::string(name).c_str(), count.placed, count.tried);
  for (const auto& [names, count] : pairs_) {
    const std::string both = std::string(names.first) + " x " + std::string(names.second);
    std::printf("  %-32s %8ld of %ld\n", both.c_str(), count.placed, count.tried);
  }
  std::fflush(stdout);
}

}  // namespace

int run_placed(const std::vector<std::string>& args) {
  std::string name;
  std::vector<Placement> list;
  bool singles = false, deep = false;
  int share = 0, shares = 1;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto placement = parse_placement(args[i]);
    if (placement)
      list.push_back(*placement);
    else if (args[i] == "--singles")
      singles = true;
    else if (args[i] == "--deep")
      deep = true;
    else if (args[i] == "--share" && i + 1 < args.size() &&
             std::sscanf(args[++i].c_str(), "%d/%d", &share, &shares) == 2 && shares > 0)
      share %= shares;
    else if (name.empty())
      name = args[i];
    else
      return std::fprintf(stderr, "--placed does not understand %s\n", args[i].c_str()), 2;
  }
  const auto start = std::chrono::steady_clock::now();
  int failed = 0;
  long runs = 0;
  SimWorld::Coverage coverage;
  for (const Scenario& scenario : scenarios()) {
    if (name != "all" && name != scenario.name) continue;
    Explorer explorer(scenario, share, shares);
    if (name != "all" && !list.empty()) {
      const Outcome outcome = explorer.run(list, true);
      std::printf("%s\n", !outcome.placed ? "it could not happen there" : "");
      return outcome.failure ? 1 : 0;
    }
    if (!deep) explorer.singles();
    for (const Family& family :
         singles ? std::vector<Family>() : families(scenario.name == "rotation", deep))
      explorer.pairs(family);
    explorer.print();
    failed += explorer.failed();
    runs += explorer.runs();
    for (const auto& [key, count] : explorer.coverage()) coverage[key] += count;
  }
  if (runs == 0) return std::fprintf(stderr, "no such scenario: %s\n", name.c_str()), 2;
  (void)print_rows("placed", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, coverage,
                   [](Fault) { return false; });
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("\n%ld runs, %d failed (%.1f s)\n", runs, failed, seconds);
  return failed == 0 ? 0 : 1;
}

}  // namespace keyturn::simulation
