// Faults to order: which requests go wrong, when, and how.
//
// A fault matches by service, operation, resource, namespace and name (globs as in access rules;
// empty = any). Of the matching requests it hits those after `skip`, every `every`-th, at most
// `times`, each with `probability` (drawn from a seeded generator). The first fault that hits wins.
//
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "tests/sandbox/call_log.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

enum class FaultKind {
  Delay,        // wait delay_ms, then go on
  Error,        // answer with status/code/message instead (code: AWS __type or Status reason)
  ResetBefore,  // break the connection, nothing was done
  ResetAfter,   // do it, then break the connection: the reply is lost
  BlackHole,    // never answer, nothing was done
  HoldReply,    // do it, never answer
  Duplicate,    // do it twice, answer the second time
  HalfLine,     // watches: after `events` events send half of the next line, then stall
  CutWatch,   // watches: after `events` events end the stream; with `torn`, in the middle of a line
  WatchGone,  // watches: after `events` events an ERROR event with 410
};

struct Fault {
  std::string id;  // given by add() when empty
  std::string service, operation, resource, ns, name;
  std::uint64_t skip = 0;
  std::uint64_t every = 1;
  std::uint64_t times = 0;  // 0: without end
  double probability = 1.0;

  FaultKind kind = FaultKind::Error;
  int delay_ms = 0;  // also before any other kind
  int status = 500;
  std::string code;  // default by status
  std::string message;
  int retry_after = 0;  // seconds; > 0 sends Retry-After
  std::uint64_t events = 0;
  bool torn = false;

  std::uint64_t seen = 0, hits = 0;  // kept by FaultPlan
};

// Both throw std::invalid_argument / return what add() and the admin API speak.
Fault fault_from_json(const Json& json);
Json to_json(const Fault& fault);

class FaultPlan {
 public:
  explicit FaultPlan(std::uint64_t seed) : rng_(seed) {}

  std::string add(Fault fault);
  bool remove(const std::string& id);
  void clear();
  std::vector<Fault> list() const;
  // Counts the request against every matching fault and returns the first that hits.
  std::optional<Fault> decide(const Call& call);

 private:
  mutable std::mutex mutex_;
  SeededRng rng_;
  std::uint64_t next_id_ = 1;
  std::vector<Fault> faults_;
};

}  // namespace keyturn::sandbox
