// One pass of the rotation lane over one policy: what it saw, what it holds, what it will say in
// the status. Thread rule: one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/rotation/gate.h"
#include "controller/rotation/gather.h"
#include "controller/rotation/person_requests.h"
#include "controller/rotation/rollout_status.h"
#include "controller/rotation/rotation_due.h"
#include "controller/rotation/status.h"
#include "controller/rotation/sync_pass.h"
#include "lib/engine/engine.h"

namespace keyturn::rotation {

struct Turn {
  explicit Turn(Gathered g);

  const Policy& policy() const { return *gathered.policy; }
  const std::string& arn() const { return gathered.sight->secret.arn; }
  const std::string& strategy_name() const { return at_work_.name; }
  const StrategySpec& at_work() const { return at_work_; }
  // Another kind than the spec's ends what it began, and begins nothing.
  bool only_ends() const { return at_work_.name != policy().spec.strategy.name; }
  // The same, and nothing of its own comes after it.
  bool ends_to_follow() const { return only_ends() && policy().spec.strategy.name == "syncOnly"; }

  // Of the strategy at work (strategy_at_work()).
  Status make_engine(engine::Memory& memory, Clock& clock, Rng& rng, const PolicyStatus& status);

  // The newest status known, with what this pass did to the targets.
  PolicyStatus status(const StatusBoard& board, WallTime now) const;

  // The version a decision is about, for people: the new one while one is made.
  std::string subject(const engine::Decision& decision) const;
  // Collected, then published in one write.
  using Change = std::function<void(PolicyStatus&, WallTime now)>;
  void change(Change c) { changes_.push_back(std::move(c)); }
  Status publish(StatusBoard& board);

  Gathered gathered;
  engine::View view;   // the last sight, then the fresh look
  bool fresh = false;  // `view` is the fresh look
  engine::Pass values;
  engine::Due due;
  CreatedTimes created;
  std::string created_for;  // the current version that `created` speaks of
  std::string permit;       // the version that a rotation may make now; "" when none is due
  std::unique_ptr<engine::Strategy> strategy;
  std::optional<engine::Engine> engine;
  PersonRequests requests;
  // What this pass did about targets and workloads, not yet published.
  std::optional<SyncReport> synced;
  std::optional<RolloutReport> rollout;
  std::optional<Error> rollout_failed;  // and the retirement does not wait for it
  bool rolling_back = false;            // the situation asks for a rollback
  std::string cannot_roll_back;         // why not; a second try in this pass would end the same
  std::optional<GateVerdict> gate;      // asked once a pass
  std::string gate_for;                 // the current version that it was asked about
  bool retiring_noted = false;
  bool inactive = false;       // a credential in use may be inactive: told
  std::string sync_tried_for;  // the version whose targets this pass has tried to write
  bool sync_failed = false;    // worth another try
  std::string begun;           // the version that the status says is under way
  bool held = false;           // this pass set the finalizer
  bool put_nothing = false;  // a rotation was refused before anything of it was in Secrets Manager

 private:
  StrategySpec at_work_;
  std::vector<Change> changes_;
};

// Something is under way, or was when the policy was last looked at.
bool under_way(const Policy& policy, const PolicyStatus& status);

// A new rotation, by us or by AWS for us.
bool starts(const engine::Decision& decision);

// A deleted policy is held at most for the grace period and an hour.
bool deletion_overdue(const Policy& policy, WallTime now);

// An error that time alone does not mend: the identity or the secret is gone, or not ours to use.
bool stays(const Error& error);

}  // namespace keyturn::rotation
