// How the world around the real influxdbToken strategy begins: drawn, or as a scenario has it.
#pragma once

#include <string>
#include <vector>

#include "controller/rotation/policy.h"
#include "lib/base/rng.h"
#include "tests/simulation/sim_kube.h"

namespace keyturn::simulation {

struct InfluxForm {
  bool hides_tokens = false;  // 2.9; else 2.7
  bool single = false;        // the token replaces itself; else an administrator makes it
  bool by_url = true;         // else by Timestream's identifier
};

// A namespace with a policy and the readers of its target.
struct Home {
  struct App {
    SimKube::Way way = SimKube::Way::Env;
    int replicas = 1;
    bool paused = false, on_delete = false;
    bool fails_once = false;  // does not become available with the next value
  };
  std::string ns;
  bool exists = true;   // its policy does
  bool rereads = true;  // its programs read mounted files again
  Duration refuses{0};  // writes of Secrets, at the beginning
  rotation::RolloutSpec rollout{};
  Duration grace{0};
  std::vector<App> apps;
  std::vector<SimKube::Way> bare;  // pods that nobody restarts
  bool job = false;
  Duration job_ends{0};  // 0: some time
};

struct Setup {
  InfluxForm influx;
  rotation::RetireAfter after = rotation::RetireAfter::Rollout;
  bool drill = false;        // the rotation is a leak drill
  bool rejects_one = false;  // the first test of a new credential fails
  std::vector<Home> homes;   // the first one's policy rotates
};
Setup draw_setup(Rng& rng);

}  // namespace keyturn::simulation
