// What a kind of credential must be able to do. One implementation a strategy, in
// lib/engine/strategies; the engine knows no other.
//
// Every method may run twice, in any process, after a crash at any point: it looks at the backend
// first, and "already done" is success. A method does a bounded number of requests with deadlines
// (30 s in all) and never sleeps: what takes longer answers "not yet". Secret values come as the
// whole SecretString of a version; a strategy reads and writes its credential fields inside and
// leaves the rest as it is, byte for byte.
//
// Thread rule: a Strategy is immutable after construction and may be used from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/base/secret_string.h"

namespace keyturn::engine {

// Which column of the protocol applies.
enum class Backend {
  None,            // generic: the value itself is the credential, nothing to revoke, no baton
  TwoCredentials,  // old and new live side by side until the old one is revoked
  ForwardOnly,     // once set was accepted the old value is gone or going: only forward
  Delegated,       // AWS drives the labels (RotateSecret); we only look
  ReadOnly,        // syncOnly: never writes to AWS
};

struct Traits {
  std::string name;  // the key in spec.strategy: "generic"
  Backend backend = Backend::None;
  bool can_rollback = false;  // a version with the old credential can become current again
  bool can_revoke = false;    // has something to retire
  bool soft_revoke = false;   // disable → look again → delete
  // TwoCredentials: the backend takes all its credentials in one request that replaces whatever
  // there was. So set() writes the pending and the current one, behind the gate and after quiet;
  // retire() writes the current one alone, and ends an attempt, too: abandon() is never called.
  bool set_replaces = false;
};

// Whom a step works for. Everything a strategy mints carries `arn` and `version_id` where the
// backend has room for a mark.
struct StepContext {
  std::string arn;         // canonical secret ARN
  std::string version_id;  // of the version being made, tested or retired
  Clock* clock = nullptr;
  Rng* rng = nullptr;   // CSPRNG
  MonoTime deadline{};  // no request that changes anything is sent after it
  bool sent = false;    // set() of this version answered Sent, in this process
  // For set(), where Traits::set_replaces: directly before the write, as retire()'s. False:
  // something changed, so that a password which is in use might be dropped; write nothing, answer
  // Conflict.
  std::function<bool()> confirm{};
};

enum class Verdict { Accepted, Rejected, Unknown };
// Unknown is not no: unreachable, time-out, throttled, not yet. Only Rejected may lead to giving
// up.
struct TestResult {
  Verdict verdict = Verdict::Unknown;
  std::string detail{};                  // for people; no secret
  std::optional<Duration> look_again{};  // with Unknown: not before
  std::optional<Error> cause{};          // with Unknown: the request that failed, where one did
};

// set(): whether the backend took the pending value. Sent: it has accepted it and carries it out;
// StepContext::sent says so from then on.
struct SetResult {
  enum class State { Done, NotYet, Sent } state = State::Done;
  Duration look_again{0};  // unless Done
};

struct Leftover {          // a credential at the backend that carries our mark for this ARN
  std::string backend_id;  // what the backend calls it; not secret
  std::string version_id;  // from its mark
  std::optional<WallTime> created;
  // Told to people, never revoked: of a secret of that name that is gone; or perhaps not ours,
  // where the backend keeps no marks.
  bool former = false, doubtful = false;
};

inline constexpr std::string_view kNoMark = "NoMark";  // of abandon()

class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual const Traits& traits() const = 0;

  // Whether this strategy can work on that value at all; Invalid says what is missing and how to
  // mend it (the policy is Stalled). `current` may be empty: a secret that has no value yet.
  virtual Status recognise(const SecretString& current) const = 0;

  // The next value. Either chooses it (no side effect) or has the backend mint it (the credential
  // lives from then on, marked with arn and version id).
  virtual Result<SecretString> create(const StepContext& ctx,
                                      const SecretString& current) const = 0;

  // Deletes what create() minted for a value that lost the race for its version id, or was not put.
  // Comes without a deadline (MonoTime::max()). Absent is success.
  virtual Status discard(const StepContext& ctx, const SecretString& minted) const = 0;

  // Makes the backend accept the pending value where create() did not: first asks whether it
  // already does. `previous` may be null. A reply that was lost is an error of class Transient;
  // set() will be called again.
  virtual Result<SetResult> set(const StepContext& ctx, const SecretString& pending,
                                const SecretString& current,
                                const SecretString* previous) const = 0;

  // Proves on a fresh connection that `value` works.
  virtual TestResult test(const StepContext& ctx, const SecretString& value) const = 0;

  // Revokes the credential of `retired`, which is not `current`'s. Absent is success. `confirm`
  // looks at the labels and the gate again and is called directly before each request that takes
  // the credential away: before deleting, and with soft_revoke also before disabling. False means
  // that something changed: undo the disabling and return Conflict.
  virtual Status retire(const StepContext& ctx, const SecretString& retired,
                        const SecretString& current,
                        const std::function<bool()>& confirm) const = 0;

  // Revokes an attempt's credential, but only if it was minted for ctx.version_id (its mark says
  // so); else does nothing. `confirm` as above. An error with the code kNoMark: the backend kept no
  // mark, so nothing was revoked; the attempt ends all the same, with that message. With any other
  // (the administrator's secret is gone, say) it is tried again.
  virtual Status abandon(const StepContext& ctx, const SecretString& pending,
                         const std::function<bool()>& confirm) const = 0;

  // soft_revoke only: gives back what retire() or abandon() had disabled and could not delete or
  // give back itself (a crash), because `value`, of version ctx.version_id, is in use again. Only
  // what they disabled; active or absent is success. `other` may be null: another version's value,
  // for a credential that cannot do it for itself. Invalid: nobody but a person can.
  virtual Status restore(const StepContext& ctx, const SecretString& value,
                         const SecretString* other) const;

  // Delegated only: asks the one who drives the labels to rotate now, making version ctx.version_id
  // (RotateSecret's ClientRequestToken, so that two who ask make one version).
  virtual Status hand_over(const StepContext& ctx) const;

  // Whether two values hold the same credential, whatever their other fields.
  virtual bool same_credential(const SecretString& a, const SecretString& b) const = 0;

  // `onto` with the credential fields of `from`: a rollback, and the rebase of forward-only
  // backends. Invalid: cannot (the reason says why).
  virtual Result<SecretString> carry(const SecretString& from, const SecretString& onto) const = 0;

  // Credentials at the backend with our mark for ctx.arn, or (`former`) for another secret of its
  // name, from before it was made anew; where the backend drops marks, those that may be ours
  // (`doubtful`). Strategies without a backend return none.
  virtual Result<std::vector<Leftover>> leftovers(const StepContext& ctx,
                                                  const SecretString& current) const = 0;
  // Whether `value` is that leftover's credential.
  virtual bool is_leftover(const Leftover& leftover, const SecretString& value) const = 0;
  // Absent is success. The engine has looked again directly before.
  virtual Status revoke_leftover(const StepContext& ctx, const Leftover& leftover,
                                 const SecretString& current) const = 0;

  // Everything outside the secret that the spec or this value refers to, for the access rules
  // (2.6): checked before any step.
  struct References {
    std::vector<std::string> secrets;    // names or ARNs
    std::vector<std::string> resources;  // ARNs
    std::vector<std::string> hosts;      // host:port
  };
  virtual Result<References> references(const SecretString& current) const = 0;
};

}  // namespace keyturn::engine
