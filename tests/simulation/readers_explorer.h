// Breadth-first search over every interleaving of two leaders that sync and roll out for a
// follower, one that asks the gate and revokes, controllers, a kubelet, people and crashes, within
// budgets. Thread rule: one thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "tests/simulation/hash_set.h"
#include "tests/simulation/readers_actor.h"

namespace keyturn::simulation::readers {

struct Outcome {
  std::size_t states = 0, local_states = 0, revoked = 0;  // revoked: states with the old one gone
  std::string violation;
  std::vector<std::string> trace;
};

class Explorer {
 public:
  Explorer(const Rules& rules, const Budgets& budgets) : budgets_(budgets), tree_(rules) {}
  Outcome explore();  // until the first violation

 private:
  void successors(const World& w, const Emit& emit);
  // The leader's next request, carried out.
  World act(const World& w, std::size_t n);
  std::string settle(World w);
  void intern(const World& w, std::uint32_t parent);
  std::vector<std::string> trace(std::size_t state);

  const Budgets budgets_;
  Tree tree_;
  std::vector<World> worlds_;
  std::vector<std::uint32_t> parents_;
  model::HashSet seen_;
  model::HashSet settled_;
};

}  // namespace keyturn::simulation::readers
