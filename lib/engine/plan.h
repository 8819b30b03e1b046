// What to do next about one secret: pure, so that it is tested exhaustively and shown to people (`keyturn plan`).
//
//   look (DescribeSecret) → plan(observed) → Decision → Engine::perform → look …
//
// The rows are those of docs/protocol.md. Thread rule: pure functions on plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/engine/labels.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

// The AWS step names and ours: what status.rotation.step and the metrics say.
enum class Step { None, CreateSecret, SetSecret, TestSecret, FinishSecret, Sync, Rollout, Retire };
std::string_view to_string(Step step);  // "createSecret"…

enum class Action {
  Nothing,         // all is well, or only time will tell: Decision::look_again says when
  Refuse,          // can never work as it is: Decision::reason/message (RotationManagedByAWS, ForeignPending, ReplicaSecret, SecretDeleted …)
  Compare,         // read the two versions named and remember whether their credentials are equal
  GiveUp,          // row 1: take the baton from K (to V for a rollback)
  SetAndTest,      // row 2
  DropPending,     // rows 3a, 5, and None's "other base"
  RetestAndMove,   // row 3b
  MoveCurrent,     // None: move AWSCURRENT C → L
  DropBaton,       // rows 4, 9
  Abandon,         // row 6 (needs quiet)
  Sync,            // row 7: the driver's
  Rollout,         // row 8: the driver's
  WaitGate,        // row 8: the driver's gate is closed
  Retire,          // row 10 (needs quiet)
  Create,          // row 12
  Rebase,          // forward only: successor of C with the working value's credential fields
  RestoreLatest,   // a put found its id taken by a version that is not pending: move LATEST there
};
std::string_view to_string(Action action);

// A look at a secret. Requests planned on it are not sent later than kViewAge after seen_at.
struct View {
  aws::SecretMetadata secret;
  Labels labels;
  MonoTime seen_at{};
};

// What the driver (operator, command line, Lambda) knows beside the labels.
struct Situation {
  bool targets_synced = true;   // every writable target is annotated with C
  bool rolled_out = true;
  bool gate_open = true;        // no reader can still hold the old value, and the grace period is over
  std::string waiting_for;      // when the gate is closed, for people
  bool retire = false;          // the driver may retire K (the operator; others only on command)
  bool may_start = false;       // a rotation is due or asked for, and nothing of the driver's forbids it (floor, suspend, window)
  std::string trigger;          // "schedule", "request", "manual", for history
  bool rollback = false;        // start by carrying K's credential forward instead of creating one
  bool lambda_form = false;     // see docs/protocol.md
};

// What is known of values without keeping them: versions are immutable, so an answer holds for ever.
struct Equalities {
  std::optional<bool> baton_is_previous;  // K's credential equals V's: the attempt is a rollback
  std::optional<bool> baton_is_current;   // K's credential equals C's: nothing to revoke
};

struct Decision {
  Action action = Action::Nothing;
  int row = 0;                // of the protocol's table; 0: none
  Step step = Step::None;
  std::string version_id;     // the version acted on
  std::string compare_with;   // Compare: the other version
  bool quiet = false;         // not before the labels and the gate's verdict have stayed the same for kQuiet
  std::string reason;         // CamelCase
  std::string message;        // for people, complete sentence
};

Decision plan(const Traits& traits, const View& view, const Situation& situation, const Equalities& equal);

}  // namespace keyturn::engine
