// Breadth-first search over every interleaving of two leaders, crashes, wrong answers and people,
// within budgets.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tests/simulation/hash_set.h"
#include "tests/simulation/model_actor.h"
#include "tests/simulation/model_world.h"

namespace keyturn::simulation::model {

struct Budgets {
  std::uint8_t crashes = 1, people = 1, wrong = 1, rotations = 1;
};

struct Violation {
  std::string what;
  std::vector<std::string> trace;
};

struct Outcome {
  std::size_t states = 0;
  std::size_t local_states = 0;
  bool exhaustive = true;
  std::uint32_t rows = 0;  // of the protocol's table that fired
  std::vector<Violation> violations;
};

class Explorer {
 public:
  Explorer(Kind kind, const Rules& rules, const Budgets& budgets)
      : kind_(kind), rules_(rules), budgets_(budgets), tree_(kind, rules) {}
  // Stops at `limit` states, or at the first violation when asked to.
  Outcome explore(std::size_t limit, bool stop_at_first);

 private:
  using Emit = std::function<void(const std::string& name, const World& next)>;
  void successors(const World& w, const Emit& emit);
  void execute(const World& w, std::size_t n,
               const std::function<void(const World&, const char* how)>& emit);
  void answer(World w, std::size_t n, const std::string& reply, const char* how,
              const std::function<void(const World&, const char*)>& emit);
  void absorb(World& w, std::size_t n);
  World noticing(const World& before, World after) const;
  bool in_vain(const World& w, const Request& r, std::size_t n) const;
  void expire_others(World& w, std::size_t n);
  std::string settle(const World& from, std::vector<std::string>* told);
  std::string settle_alone(World w, std::vector<std::string>* told);
  static World canonical(World w);
  std::size_t intern(const World& w, std::uint32_t parent, bool& fresh);
  std::vector<std::string> trace(std::size_t state);
  Violation tell(const std::string& wrong, std::size_t state);
  void grow();

  const Kind kind_;
  const Rules rules_;
  const Budgets budgets_;
  Tree tree_;
  std::deque<World> worlds_;  // a vector would need them twice while it grows
  std::deque<std::uint32_t> parents_;
  std::vector<std::uint32_t> table_;
  HashSet settled_;  // worlds from which one healthy leader reaches a clean end
  std::uint32_t rows_ = 0;
  bool settling_ = false;
  bool naming_ = false;  // names of transitions are made only for a trace
};

}  // namespace keyturn::simulation::model
