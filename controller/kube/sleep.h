// A pause that a stop ends. Thread rule: any thread.
#pragma once

#include <stop_token>

#include "lib/base/clock.h"

namespace keyturn::kube {

// Waits on the clock. False when stopped before the time was over.
bool sleep_for(Clock& clock, Duration duration, const std::stop_token& stop);

}  // namespace keyturn::kube
