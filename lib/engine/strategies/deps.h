// What a strategy with a backend reaches the world through. The driver (operator, command line,
// Lambda adapter) makes one StrategyDeps for each policy or secret it works on; a strategy made
// without (`{}`) checks options and values, compares and carries them, and answers Unavailable
// "NoBackendAccess" to everything that would need a request.
//
// Order of asking: nothing outside the secret itself is touched before the guard has allowed it. A
// secret that a value refers to is resolved first (DescribeSecret, nothing else), asked about by
// its canonical name and ARN, and read only then; an AWS resource and the host it answers on are
// asked about as soon as they are known, and no credential is sent to a host before.
//
// Thread rule: what the pointers lead to may be used from any thread and outlives the strategy.
#pragma once

#include <memory>
#include <string_view>

#include "lib/aws/elasticache.h"
#include "lib/aws/secrets_manager.h"
#include "lib/aws/timestream_influxdb.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/engine/strategies/reference_memory.h"
#include "lib/http/transport.h"

namespace keyturn::engine {

// Whether whoever a strategy works for may touch this (design 2.6). Each answer is success, or an
// error for people: Denied, with the remedy. Implementations make no request.
class AccessGuard {
 public:
  virtual ~AccessGuard() = default;
  // Another secret in Secrets Manager, by the name and ARN that AWS gave for it.
  virtual Status secret(std::string_view canonical_name, std::string_view arn) const = 0;
  // Any other AWS resource.
  virtual Status resource(std::string_view arn) const = 0;
  // A host that would be given credentials: "host:port", in lower case.
  virtual Status backend(std::string_view host_port) const = 0;
};

struct StrategyDeps {
  std::shared_ptr<http::Transport> transport{};   // to backends
  aws::SecretsManager* secrets = nullptr;         // the identity's; for secrets referred to
  aws::TimestreamInfluxdb* timestream = nullptr;  // the identity's
  aws::Elasticache* elasticache = nullptr;        // the identity's
  std::shared_ptr<const AccessGuard> guard{};     // null counts as "nothing is allowed"
  Clock* clock = nullptr;
  std::shared_ptr<ReferenceMemory> memory{};  // of the identity; null: AWS is asked every time
  Duration request_timeout{15'000};  // of one request; quiet (docs/protocol.md) rests on it

  bool complete() const {
    return transport && secrets != nullptr && timestream != nullptr && guard && clock != nullptr;
  }
};

}  // namespace keyturn::engine
