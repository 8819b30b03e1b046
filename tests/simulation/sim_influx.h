// The real influxdbToken strategy in the simulated world, against the sandbox's InfluxDB in
// process, in the form that the setup has: 2.7 (shows token values) or 2.9 (hides them), an
// administrator's secret or a token that replaces itself, named by URL or by Timestream's
// identifier.
#pragma once

#include <memory>

#include "tests/simulation/sim_backend.h"

namespace keyturn::simulation {

std::unique_ptr<SimBackend> make_influx(const SimBackendDeps& deps);

}  // namespace keyturn::simulation
