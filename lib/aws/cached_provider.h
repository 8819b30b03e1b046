// Keeps keys until they are about to expire; the fetching itself is given as a function.
//
//   more than 15 min left     the kept keys
//   advisory, 15 to 10 min    one caller fetches, the others go on with the kept keys
//   mandatory, below 10 min   everyone waits for the one fetch
//   a fetch failed            the kept keys until they expire, then the fetch's error; next try after a back-off
// Of keys that live less than an hour, a quarter and a sixth of the lifetime take the place of 15
// and 10 minutes.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "lib/aws/credentials.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/rng.h"

namespace keyturn::aws {

class CachedProvider final : public CredentialsProvider {
 public:
  // `fetch` is called without a lock and never by two threads at once. What it returns must not be
  // expired or blank; such keys are treated as an error. `source` is for the log: "web identity
  // arn:…".
  using Fetch = std::function<Result<Credentials>()>;
  CachedProvider(std::string source, Fetch fetch, Clock& clock, Rng& rng);

  Result<std::shared_ptr<const Credentials>> get() override;
  void invalidate(const Credentials& refused) override;

 private:
  enum class Age { Fresh, Advisory, Mandatory, Expired };
  Age age_locked(WallTime now) const;
  bool resting_locked() const;  // a fetch failed a short while ago
  Result<std::shared_ptr<const Credentials>> fetch_and_keep(std::unique_lock<std::mutex>& lock);
  Result<std::shared_ptr<const Credentials>> kept_or_error_locked() const;
  Result<Credentials> checked_fetch() const;

  const std::string source_;
  const Fetch fetch_;
  Clock& clock_;
  Rng& rng_;

  std::mutex mutex_;
  std::condition_variable fetched_;
  // All below guarded by mutex_.
  bool fetching_ = false;
  std::shared_ptr<const Credentials> kept_;  // null: none, or refused by AWS
  Duration lifetime_{0};                     // of kept_, when it was fetched
  std::optional<Error> last_error_;          // of the last fetch
  int failures_ = 0;                         // in a row
  MonoTime rest_until_{};
};

}  // namespace keyturn::aws
