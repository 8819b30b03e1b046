// What a roll-out, readers and the grace period leave the operator to wait for, as `keyturn plan`
// tells it: by the status, since the operator alone sees workloads and pods.
//
// Thread rule: pure functions.
#pragma once

#include <string>

#include "controller/rotation/person_requests.h"
#include "controller/rotation/policy.h"
#include "lib/engine/plan.h"

namespace keyturn::cli {

// What is printed, in order; with -o json the same as an object.
struct Plan {
  std::string next, reason, message, when, access, note;
};

// Fills in what the engine must know of them, and `when` and `note` for people.
void judge_waits(const rotation::Policy& policy, const rotation::PersonRequests& requests,
                 const engine::Labels& labels, Duration propagation, WallTime now,
                 engine::Situation& situation, Plan& plan);

}  // namespace keyturn::cli
