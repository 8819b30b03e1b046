// What to do next about one secret: pure, so that it is tested exhaustively and shown to people
// (`keyturn plan`).
//
//   look (DescribeSecret) → plan(observed) → Decision → Engine::perform → plan …
//
// The rows are those of docs/protocol.md. Thread rule: pure functions on plain values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/engine/labels.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

// The AWS step names and ours: what status.rotation.step and the metrics say.
enum class Step { None, CreateSecret, SetSecret, TestSecret, FinishSecret, Sync, Rollout, Retire };
std::string_view to_string(Step step);  // "createSecret"…; "" for None

enum class Action {
  Nothing,  // nothing is due
  Refuse,   // cannot work as it is: Decision::reason and message, for a person
  Compare,  // read versions version_id and compare_with and remember whether their credentials are
            // equal
  GiveUp,   // row 1: take the baton from K (to V for a rollback)
  SetAndTest,     // row 2
  DropPending,    // rows 3a, 5, and None's "other base"
  RetestAndMove,  // row 3b
  MoveCurrent,    // None: move AWSCURRENT C → L
  DropBaton,      // rows 4, 9
  Abandon,        // row 6 (needs quiet)
  Rebase,         // forward only (needs quiet): ask which of C, L, V, K works; if not C's, put C's
                  // successor with that credential
  Sync,           // row 7: the driver's
  Rollout,        // row 8: the driver's
  WaitGate,       // row 8: the driver's gate is closed, Situation::waiting_for says for whom
  Retire,         // row 10 (needs quiet)
  CleanUp,        // leftovers, asked for with Situation::clean_up (quiet before any is revoked)
  Create,         // row 12: leftovers, then create and put version_id
  CarryBack,  // row 12 for a rollback: put version_id with compare_with's credential on C's other
              // fields
  HandOver,   // row 12 for delegated strategies: Strategy::hand_over
};
std::string_view to_string(Action action);

// A look at a secret. Requests planned on it are not sent later than Timing::view_age() after
// seen_at.
struct View {
  aws::SecretMetadata secret;
  Labels labels;
  bool foreign_pending =
      false;  // somebody else's AWSPENDING holds a value (AWS's empty placeholder does not)
  MonoTime seen_at{};         // when DescribeSecret was sent
  bool changed_here = false;  // updated since then by what our own writes proved
};

// The version that a rotation started on this view would make. A driver that finds a rotation due
// puts it into Situation::permit.
std::string next_version(const View& view);

// The Lambda form: AWS chooses the version and calls one step at a time.
struct LambdaCall {
  Step step = Step::None;      // CreateSecret … FinishSecret
  std::string version_id;      // ClientRequestToken
  std::string rotation_token;  // passed on to PutSecretValue
};

// What the driver (operator, command line, Lambda) knows beside the labels. The defaults are those
// of a driver without targets.
struct Situation {
  bool targets_synced = true;  // every target that can be written is annotated with C
  bool rolled_out = true;      // the workloads run with C
  bool gate_open = true;  // no reader can still hold the old value, and the grace period is over
  // What quiet sees of them. False: in this pass the driver has yet to write targets or to look at
  // the roll-out, so that "not yet" is no change; and whether it wrote or restarted something.
  bool judged = true;
  bool moved = false;
  std::string waiting_for{};  // while the gate is closed, for people
  // Asked directly before each revocation, after a fresh look at the labels: is the gate still
  // open? Absent: `gate_open` stands.
  std::function<bool()> gate_still_open{};

  bool retire = false;  // the driver retires K when it may (the operator; others only on command)
  bool clean_up =
      false;  // look for leftovers now (once a day); cleared by the driver when CleanUp was done

  // A rotation may start, making exactly this version: next_version(view) of the view on which the
  // driver judged that one is due or asked for. One permit makes one attempt: after it was finished
  // or given up the next version has another id. Empty: none may start.
  std::string permit{};
  bool rollback = false;  // the permitted rotation carries the retiring version's credential back
                          // (K's; a strategy without backend: V's)

  // Debugging (`keyturn secret step`): of setSecret, testSecret and the decision to finish only
  // this one is done, and a test that is Rejected is an error that gives nothing up. None: all of
  // them.
  Step only = Step::None;

  std::optional<LambdaCall> lambda{};
};

// What is known of versions without keeping their values; versions are immutable, so an answer
// holds for ever.
struct Known {
  std::optional<bool> baton_is_previous{};  // K's credential equals V's: the attempt is a rollback
  std::optional<bool> baton_is_current{};   // K's credential equals C's: nothing to revoke
  bool previous_is_done = false;            // V's credential is revoked, or is C's
  bool current_works =
      false;  // forward only: after quiet, with these C and L, the backend accepted C's credential
};

// Nothing's reason while AWS is at work for a delegated strategy.
inline constexpr std::string_view kRotationUnderWay = "RotationUnderWay";

struct Decision {
  Action action = Action::Nothing;
  int row = 0;  // of the protocol's table; 0: none
  Step step = Step::None;
  std::string version_id{};  // the version acted on
  // The other version. Compare, CarryBack: the one whose value is read. GiveUp, SetAndTest: where
  // the baton goes when given up.
  std::string compare_with{};
  bool quiet = false;     // not before the labels and the gate's verdict have stayed the same for
                          // Timing::quiet(). Where a label is dropped: Strategy::restore before
  std::string reason{};   // CamelCase
  std::string message{};  // for people, a complete sentence
};

// Why this strategy may not rotate this secret, whatever its labels: SecretDeleted,
// NoCurrentVersion, RotationManagedByAWS, ReplicaSecret. A driver may ask at any time (plan() still
// lets a refused secret's targets be synced first).
struct Refusal {
  std::string reason;
  std::string message;
};
std::optional<Refusal> refusal(const Traits& traits, const View& view, const Situation& situation);

Decision plan(const Traits& traits, const View& view, const Situation& situation,
              const Known& known);

}  // namespace keyturn::engine
