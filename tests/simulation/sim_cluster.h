// The Kubernetes side of the simulated world: target Secrets, the pods that read them, and what a
// leader's driver does there. Thread rule: whoever holds the turn.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "lib/engine/plan.h"
#include "tests/simulation/sim_schedule.h"

namespace keyturn::simulation {

class SimCluster {
 public:
  virtual ~SimCluster() = default;

  // --- what a driver does; requests go through the schedule ---
  // What it knows of targets, workloads and readers beside the labels. `s` says already whether a
  // rotation may start and whether leftovers are looked for.
  virtual void judge(std::size_t leader, const engine::View& view, engine::Situation& s) = 0;
  virtual void retired(std::size_t leader) = 0;         // the old credential is gone
  virtual void look_at_target(std::size_t leader) = 0;  // before the value is read
  // False: not written; look again soon.
  virtual bool sync(std::size_t leader, const std::string& version, const std::string& value) = 0;
  // Looked at (0: judge() says what was seen), or look again after that.
  virtual Duration roll_out(std::size_t leader) = 0;
  // A version with the old credential is about to be made; or cannot be, this pass is told.
  virtual void rolls_back(std::size_t leader, const std::string& version) = 0;
  virtual void cannot_roll_back(std::size_t leader) = 0;
  // The other policies of the secret: `read` gives version and value of AWSCURRENT, or fails.
  struct Current {
    std::string version, value;
  };
  using Read = std::function<Result<Current>()>;
  virtual Duration others(std::size_t leader, const Read& read) = 0;
  virtual void forget(std::size_t leader) = 0;  // the process died

  // --- what happens there ---
  virtual void act(bool calm) = 0;
  virtual void one_act_of_a_person() = 0;
  virtual bool act_of_a_person(Act what) = 0;  // false: there was nothing to do it to
  virtual int rollbacks() const = 0;           // begun because a roll-out did not become available

  // --- the truth; "" or what is wrong ---
  using Accepts = std::function<bool(const std::string& value)>;
  virtual std::string wrong_now(const Accepts& accepts) const = 0;
  virtual std::string wrong_at_rest(const Current& current) const = 0;
};

// One target, and pods that are all restarted by one request.
std::unique_ptr<SimCluster> make_small_cluster(Schedule& schedule,
                                               const SimCluster::Current& current);

}  // namespace keyturn::simulation
