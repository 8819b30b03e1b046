// The rows of the label protocol's table that fired, by what had happened before.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/simulation/sim_schedule.h"

namespace keyturn::simulation {

// Prints them. False: one of `rows` never fired after a fault that is possible; those are marked.
bool print_rows(const std::string& title, const std::vector<int>& rows,
                const Schedule::Coverage& coverage, const std::function<bool(Fault)>& possible);

}  // namespace keyturn::simulation
