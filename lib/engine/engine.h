// Performs decisions: the only code that writes to Secrets Manager.
//
//   Pass pass;                                   // values live as long as the pass
//   auto view = engine.look(secret_id);
//   for (;;) {                                   // a driver bounds the number of turns
//     Situation situation = …;                   // judged anew on *view
//     Decision d = engine.decide(*view, situation);
//     StepResult r = engine.perform(*view, d, situation, pass);  // updates *view by what the replies proved
//     if (r.kind != StepResult::Kind::Progress) break;           // Driver: do d.action, then tell by the next situation
//   }
//
// A dry run stops after decide(). A pass begins with a look and should end within
// Timing::view_age(): what was seen by then may no longer be acted on, and perform() answers
// After{0}.
//
// Thread rule: an Engine may be used from any thread, a Pass and a View by one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/engine/plan.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

// All protocol times derive from the request deadline (design 2.2; docs/protocol.md).
struct Timing {
  Duration request_deadline{15000};
  Duration view_age() const { return 2 * request_deadline; }        // 30 s
  Duration quiet() const { return view_age() + request_deadline; }  // 45 s
  Duration leftover_age{3'600'000};
};

// What happened, for history, metrics and events.
enum class Event {
  None,
  Started,     // a new version was put (Decision::version_id)
  Decided,     // its test was accepted and finishing was decided
  GaveUp,      // its test was rejected, or AWSCURRENT was changed under it: giving up was decided
  Finished,    // AWSCURRENT moved to it
  Abandoned,   // what was minted for a version that was given up is revoked
  Retired,     // the old credential is revoked
  Kept,        // the old version's credential is the current one: nothing was revoked
  Rebased,     // forward only: a working credential was carried into a new successor
  Interfered,  // somebody moved labels: ours was released
  CleanedUp,   // leftovers were looked for (and revoked, StepResult::note says which)
};
std::string_view to_string(Event event);

// StepResult::inactive's code.
inline constexpr std::string_view kCredentialInactive = "CredentialInactive";
// StepResult::error's code with After: the step was not done within Timing::view_age(). Once may be
// a hiccup; a driver that sees it again and again ends, or backs off and tells: what takes the time
// would take it every time.
inline constexpr std::string_view kViewTooOld = "ViewTooOld";

struct StepResult {
  enum class Kind {
    Progress,  // something was done (or found done): decide again
    After,  // nothing to do before `delay`; then look again (`error`: a server that is not asked,
            // or kViewTooOld)
    Retry,  // failed, may work later: `error`
    Terminal,  // needs a change by a person: `error` (code is the reason)
    Driver,  // Sync, Rollout, WaitGate, Nothing, Refuse: the driver's to do or to tell. WaitGate is
             // performed all the same: it gives back
  };
  Kind kind = Kind::Progress;
  Event event = Event::None;
  Duration delay{0};
  Error error{};
  std::string note{};        // for people
  std::string cleaned_up{};  // leftovers that Create revoked on its way, for people
  // A credential that may be in use may be inactive, and only a person can mend that; told at once,
  // whatever else came of the step.
  std::optional<Error> inactive{};
};

// What one pass knows: values it read or wrote, by version id, wiped at its end.
class Pass {
 public:
  const SecretString* find(const std::string& version_id) const;
  void keep(const std::string& version_id, SecretString value,
            std::optional<WallTime> created = {});
  std::optional<WallTime> created(const std::string& version_id) const;
  // Versions whose credential was tested Accepted in this very pass.
  bool tested(const std::string& version_id) const { return tested_ == version_id; }
  void mark_tested(const std::string& version_id) { tested_ = version_id; }

 private:
  struct Entry {
    SecretString value;
    std::optional<WallTime> created;
  };
  std::map<std::string, Entry> values_;
  std::string tested_;
};

// Memory shared by all passes of a process: for each secret since when its labels and gate stayed
// the same (quiet), and which versions' credentials are equal. Holds no values. Virtual only for
// the exhaustive exploration, whose time is abstract. Losing it costs a wait, never safety. Thread
// rule: any thread.
class Memory {
 public:
  virtual ~Memory() = default;
  // Notes that this fingerprint is seen now.
  void observe(const std::string& arn, const std::string& fingerprint, MonoTime now);
  // Since when (mono) this fingerprint has been seen without a change; `now` when it is a new one.
  virtual MonoTime unchanged_since(const std::string& arn, const std::string& fingerprint,
                                   MonoTime now);
  std::optional<bool> equal(const std::string& arn, const std::string& a,
                            const std::string& b) const;
  void remember_equal(const std::string& arn, const std::string& a, const std::string& b,
                      bool is_equal);
  // Forward only: the credential of `current` was found working while `latest` was the latest
  // version and nothing was in flight.
  bool works(const std::string& arn, const std::string& current, const std::string& latest) const;
  void remember_works(const std::string& arn, const std::string& current,
                      const std::string& latest);
  // The credential of `version_id` was revoked by this process.
  bool retired(const std::string& arn, const std::string& version_id) const;
  void remember_retired(const std::string& arn, const std::string& version_id);
  // The backend has accepted the credential of `version_id` from this process (SetResult::Sent).
  bool sent(const std::string& arn, const std::string& version_id) const;
  void remember_sent(const std::string& arn, const std::string& version_id);
  // Whether an attempt at revoking the credential of `version_id` may have left it disabled: one of
  // this process, whose request may yet land, or, for all it knows, one of another.
  bool may_be_disabled(const std::string& arn, const std::string& version_id, MonoTime now) const;
  // It was given back. To be done once more at `again`; the second time is the last.
  void remember_given_back(const std::string& arn, const std::string& version_id, MonoTime again);
  // Nobody has begun to revoke it. "": somebody has.
  void remember_untouched(const std::string& arn, const std::string& version_id);

 private:
  struct Entry {
    std::string fingerprint;
    MonoTime since{};
    std::map<std::pair<std::string, std::string>, bool> equal;
    std::pair<std::string, std::string> works;
    std::string retired;  // the last one
    std::string sent;     // the last one
    std::string active;   // not disabled, for all we know
    std::optional<MonoTime> again;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> secrets_;
};

class Engine {
 public:
  struct Deps {
    aws::SecretsManager& secrets;
    const Strategy& strategy;
    Memory& memory;
    Clock& clock;
    Rng& rng;
    Timing timing;
  };
  explicit Engine(Deps deps) : deps_(deps) {}

  // DescribeSecret (and, only when somebody else's version is pending, GetSecretValue to see
  // whether it holds a value).
  Result<View> look(const std::string& secret_id) const;
  // plan() with what this process knows. No request.
  Decision decide(const View& view, const Situation& situation) const;
  // One decision's requests. `view` is updated by what the replies proved (its age stays); after
  // Progress decide again.
  StepResult perform(View& view, const Decision& decision, const Situation& situation,
                     Pass& pass) const;
  // A version's value, from the pass or by GetSecretValue (by version id). Invalid "BinarySecret"
  // for a binary one.
  Result<const SecretString*> value(const View& view, const std::string& version_id,
                                    Pass& pass) const;
  // What must stay the same for quiet: every label, LastChangedDate, and the gate's verdict.
  static std::string fingerprint(const View& view, const Situation& situation);
  // The key under which Memory knows this secret: equality of credentials is a matter of the
  // strategy.
  std::string memory_key(const View& view) const;

 private:
  friend class Steps;
  Deps deps_;
};

}  // namespace keyturn::engine
