// Finds changes that others make in Secrets Manager: one sweep per identity and region, whatever
// the number of policies.
//
// ListSecrets sorted by last-changed-date, newest first, stops at what it has already seen, with an
// overlap of 10 minutes (the list lags up to five); a full sweep at the start and once a day, or
// always where the server is seen not to honour the order, which is said once, loudly. Sweeps are
// spread by stable jitter. Where ListSecrets is denied it says so once, loudly, and each secret is
// described at its policies' refreshInterval.
//
// Thread rule: one thread of its own; watch(), forget() and state() from any; callbacks run on its
// thread and must not block.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/rotation/identities.h"
#include "controller/rotation/secret_knowledge.h"
#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::rotation {

class ChangeDetector {
 public:
  enum class State {
    Starting,  // no complete sweep yet: who finds nothing in SecretKnowledge waits for on_ready
               // rather than describe secrets one by one
    Ready,     // SecretKnowledge has what this identity can list
    Denied,    // ListSecrets denied: callers describe (on_ready was called too)
  };
  struct Deps {
    SecretKnowledge& knowledge;
    Clock& clock;
    Rng& rng;
    // With the keys of the policies that watch the secret by that name or ARN.
    std::function<void(const aws::SecretMetadata&, const std::vector<std::string>& policies)>
        on_changed;
    std::function<void(const std::string& arn, const std::vector<std::string>& policies)> on_gone;
    // The first sweep of a scope has read the page with their secrets, is over (the others), failed
    // or was denied (all). Changes found by it are not reported one by one.
    std::function<void(const std::vector<std::string>& policies)> on_ready;
  };
  explicit ChangeDetector(Deps deps);
  ~ChangeDetector();

  // Registers a policy's interest; the shortest interval of a scope counts (where listing is
  // denied, of a secret). Cheap when nothing changes.
  void watch(const std::string& policy_key, const std::shared_ptr<AwsAccess>& access,
             const std::string& secret_id, Duration interval);
  void forget(const std::string& policy_key);
  State state(const Scope& scope) const;
  // While Starting: why the first sweep has failed so far, if it has.
  std::optional<Error> trouble(const Scope& scope) const;

  void start();
  void stop();
  // For the health check: since when (mono) the loop last turned.
  MonoTime last_turn() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::rotation
