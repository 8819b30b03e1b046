// A leader of the seeded simulation: what the operator does around the engine, reduced to its
// decisions. Dies by an exception and comes back with an empty memory.
#pragma once

#include <memory>
#include <string>

#include "tests/simulation/sim_world.h"

namespace keyturn::simulation {

class SimOperator {
 public:
  SimOperator(SimWorld& world, std::size_t number) : world_(world), number_(number) {}
  void live();  // the leader's thread

 private:
  Duration pass();
  engine::Situation judge(const engine::View& view);
  Result<SimCluster::Current> current();
  void restart();

  SimWorld& world_;
  const std::size_t number_;
  std::unique_ptr<engine::Memory> memory_;
  std::unique_ptr<engine::Strategy> strategy_;
  std::unique_ptr<engine::Engine> engine_;
  int given_up_ = 0;
  MonoTime not_before_{};  // after an attempt that was given up
  MonoTime cleaned_up_{};
};

}  // namespace keyturn::simulation
