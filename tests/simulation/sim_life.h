// The life of a credential among its readers, in the simulated world: a rotating policy and its
// followers in namespaces of their own, with the real writes of targets, the real roll-out and the
// real gate on a Kubernetes in memory (sim_kube.h). People edit and delete policies, remove
// namespaces, restart and delete pods. Thread rule: whoever holds the turn.
#pragma once

#include <memory>

#include "tests/simulation/sim_cluster.h"
#include "tests/simulation/sim_setup.h"

namespace keyturn::simulation {

std::unique_ptr<SimCluster> make_life(Schedule& schedule, Clock& clock, const std::string& arn,
                                      const SimCluster::Current& current, const Setup& setup);

}  // namespace keyturn::simulation
