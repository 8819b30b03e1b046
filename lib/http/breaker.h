// A Transport that refuses instead of waiting, so that servers which do not answer cannot hold up
// those who work for the others. For requests to backends; AWS and Kubernetes have rules of their
// own.
//
// Per server (host:port): at most `per_host` exchanges at a time, and one while it has not answered
// for `remembered`. Who finds them all taken waits, but only until the oldest of them is `patience`
// old: most servers that answer have let somebody in by then. After a failure one exchange at a
// time is let through, the probe, and at most `probes` over all servers. After `failures` failures
// in a row nobody is, for a pause that doubles from `first_pause` to `longest_pause`, less up to a
// quarter by chance; then one probe decides.
//
// A failure is an exchange that ended without a reply (Transient, see transport.h). Any HTTP status
// is an answer: a 503 costs no time, and says itself when to come back. What is neither (cancelled,
// never sendable) counts for nothing, and so does what ran out of less time than `enough`: the
// deadline of its sender was near, and that says nothing about the server.
// Errors besides the transport's: Unavailable "BackendBusy", "BackendDown", with retry_after;
// nothing was sent. The texts stay the same from one refusal to the next. The time that was waited
// is taken off the request's timeout.
//
// Thread rule: any thread. The lock is held for no request.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "lib/http/transport.h"

namespace keyturn::http {

inline constexpr std::string_view kBackendDown = "BackendDown";

struct BreakerOptions {
  int per_host = 2;
  int failures = 3;
  int probes = 4;
  // Short: as long as that, servers that nobody has heard of yet can hold every worker.
  Duration patience{50};
  Duration busy_pause{1000};  // for who was refused: looking again costs a call to AWS
  Duration remembered{60'000};
  Duration first_pause{10'000};
  Duration longest_pause{300'000};
  std::function<Duration()> enough{};  // absent: any timeout is
};

// `clock` and `jitter` outlive it.
std::unique_ptr<Transport> make_breaker(std::shared_ptr<Transport> inner, Clock& clock, Rng& jitter,
                                        BreakerOptions options = {});

}  // namespace keyturn::http
