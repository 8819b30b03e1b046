// simulate --placed: the whole life of a credential (the real strategy, engine, targets, roll-out
// and gate) with adversities placed at every request, one and two at a time. Systematic, not drawn:
// docs/protocol.md, "How it is proved".
#pragma once

#include <string>
#include <vector>

namespace keyturn::simulation {

// SCENARIO|all [--singles] [--deep] [--share K/N]: explores; SCENARIO N:kind [M:kind]: one run,
// with its trace. --deep: the pairs that there is no time for otherwise; --share: a part of it, 0/2
// and 1/2 beside each other. Returns the exit status: 2 for what it does not understand.
int run_placed(const std::vector<std::string>& args);

}  // namespace keyturn::simulation
