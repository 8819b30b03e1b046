// Leader election on a coordination.k8s.io Lease (client-go tools/leaderelection): 15 s lease, 10 s
// renew deadline, 2 s retry, jitter 1.2. Not fencing: two leaders can act for a moment, so every
// step is safe twice. Expiry is local monotonic time since the record last changed; remote
// timestamps are never compared.
//
// Thread rule: one thread of its own; start()/stop() from one thread; is_leader() from any.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "controller/kube/client.h"
#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::kube {

struct LeaseOptions {
  Client* client = nullptr;  // its own connection: nothing else may delay a renewal
  std::string ns, name;
  std::string identity;  // host_uuid
  Duration lease{15'000}, renew_deadline{10'000}, retry{2'000};
  Clock* clock = nullptr;
  Rng* rng = nullptr;
  // Both on the lease's thread: be quick, or the next renewal is late.
  std::function<void()> on_started;  // this process leads now
  std::function<void()> on_lost;     // renewals failed: end the process (Lifecycle::die)
};

class LeaderElection {
 public:
  explicit LeaderElection(LeaseOptions options);
  ~LeaderElection();
  Status start();  // Invalid unless lease > renew_deadline > 1.2 × retry
  // Call after the workers drained: ends the thread and releases the lease (three tries of at most
  // 2 s).
  void stop();
  bool is_leader() const { return leading_.load(std::memory_order_acquire); }

 private:
  struct Impl;
  const LeaseOptions options_;
  std::atomic<bool> leading_{false};
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::kube
