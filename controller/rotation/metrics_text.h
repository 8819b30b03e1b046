// Metrics that are rendered at scrape from what is there, in the text exposition format (0.0.4):
// per-policy gauges and process_*. Thread rule: any thread.
#pragma once

#include <string>

#include "controller/rotation/metrics.h"

namespace keyturn::rotation {

// keyturn_policy_ready, …_last_rotation_timestamp_seconds, …_next_rotation_timestamp_seconds,
// …_retiring_since_timestamp_seconds and keyturn_policies.
std::string policy_metrics(const Metrics::PolicyVisitor& for_each_policy);
// The usual process_* set, from /proc/self (proc(5)). Empty where /proc is not to be had.
std::string process_metrics();

}  // namespace keyturn::rotation
