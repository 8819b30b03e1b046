// A rotating policy and its followers in namespaces of their own, as the API server has them, and
// their readers on a Kubernetes in memory (sim_kube.h): what people do there, and what must hold.
// Thread rule: whoever holds the turn.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/rotation/policy.h"
#include "tests/simulation/sim_cluster.h"
#include "tests/simulation/sim_kube.h"
#include "tests/simulation/sim_setup.h"

namespace keyturn::simulation {

inline constexpr const char* kTarget = "orders";

// The status is what leaders read and write.
struct Stored {
  rotation::Policy policy;
  bool exists = true;
  bool owner = false;
  WallTime first_synced{};  // since it was made: from then on it stands for its readers
};

class Readers {
 public:
  Readers(Schedule& schedule, Clock& clock, std::string arn, const SimCluster::Current& current,
          const Setup& setup);

  void one_act_of_a_person();     // a drawn one, in a drawn namespace
  bool act_everywhere(Act what);  // false: nothing to do it to
  // The truth; "" or what is wrong. What spec.retirement.after does not wait for is not promised.
  std::string wrong_now(const SimCluster::Accepts& accepts) const;
  std::string wrong_at_rest(const SimCluster::Current& current) const;

 protected:
  static std::string version_in(const SimKube::Secret& secret);
  SimKube::Secret& secret_of(const std::string& ns) const {
    return kube_->secrets.at(ns + "/" + kTarget);
  }
  bool synced(const Stored& stored, const std::string& version) const;

  // A drill gave up somebody who was late: what it follows holds a dead credential then.
  void gave_up() { laxest_ = rotation::RetireAfter::Immediately; }

  Schedule& schedule_;
  Clock& clock_;
  const std::string arn_;
  const std::shared_ptr<SimKube> kube_;
  std::map<std::string, Stored> policies_;  // by namespace: one in each
  const bool drill_;

 private:
  bool one_in(std::uint64_t n) { return schedule_.rng().below(n) == 0; }
  bool stands_for(const std::string& ns) const;
  void retire_after(Stored& owner, rotation::RetireAfter after);
  void add_policy(const Home& home, const SimCluster::Current& current);
  void add_readers(const Home& home);
  bool act_in(const std::string& ns, Act what);
  bool act_on_workloads(const std::string& ns, Act what);
  void remove(Stored& stored);
  bool edit(Stored& stored, Act what);

  rotation::RetireAfter laxest_ = rotation::RetireAfter::Rollout;  // that it ever was
};

}  // namespace keyturn::simulation
