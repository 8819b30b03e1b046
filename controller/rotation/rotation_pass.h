// The rotation lane's pass: drives the engine over one secret for the policy that owns it.
//
//   gather → owner? → due? → look → decide → perform … → sync → roll out → retire → status
//
// A policy with nothing to do costs no request: decide() on the last sight says so, and while
// workloads or readers are waited for a sight serves several looks at those. Everything else begins
// with a fresh look, and one pass goes as far as it can without waiting; a wait is a requeue.
// Thread rule: any thread; a key is in one worker's hands at a time (the queue's promise).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "controller/kube/events.h"
#include "controller/rotation/gate_keeper.h"
#include "controller/rotation/gather.h"
#include "controller/rotation/metrics.h"
#include "controller/rotation/rollout.h"
#include "controller/rotation/rotation_turn.h"
#include "controller/rotation/status.h"
#include "controller/rotation/sync_pass.h"
#include "controller/runtime/lanes.h"
#include "lib/engine/due.h"
#include "lib/engine/engine.h"

namespace keyturn::rotation {

class RotationPass {
 public:
  struct Deps {
    const PolicyInformer& policies;
    Gatherer& gatherer;
    SyncPass& sync;
    Rollout& rollout;
    const GateKeeper& gate;
    StatusBoard& status;
    Owners& owners;
    SecretKnowledge& knowledge;
    engine::Memory& memory;
    kube::Client& client;
    kube::EventRecorder& events;
    Metrics& metrics;
    Clock& clock;
    Rng& rng;  // CSPRNG
    std::function<void(const std::string& key)> wake_sync;
    std::function<void(const std::string& key)> retry_sync;  // after the sync lane's back-off
  };
  explicit RotationPass(Deps deps) : deps_(std::move(deps)) {}

  runtime::Outcome run(const runtime::Key& key);

 private:
  runtime::Outcome run_owned(Turn& turn);
  runtime::Outcome drive(Turn& turn, const engine::Decision& first);
  Status look(Turn& turn);
  bool waits_on_last_sight(const Turn& turn, const engine::Decision& decision) const;
  std::optional<runtime::Outcome> driver_step(Turn& turn, const engine::Decision& decision);
  void sync(Turn& turn);
  std::optional<runtime::Outcome> after_perform(Turn& turn, const engine::Decision& decision,
                                                const engine::StepResult& result);
  runtime::Outcome failed(Turn& turn, const engine::Decision& decision, const Error& error);
  static void tell_in_passing(Turn& turn, const Error& error);
  runtime::Outcome too_late(Turn& turn, const engine::Decision& decision, const Error& error);
  void wake_followers(const Turn& turn) const;
  static bool is_drivers(const Turn& turn, const engine::Decision& decision);
  engine::Situation situation(Turn& turn);
  Status judge(Turn& turn);
  WallTime first_seen(const Policy& policy);
  std::string older_claim(const Turn& turn) const;
  Status begin(Turn& turn, const engine::Decision& decision);
  Status hold(Turn& turn, bool held);
  runtime::Outcome settle(Turn& turn);
  void tell_unreadable_request(const Policy& policy, const PolicyStatus& status) const;
  runtime::Outcome out_of_sight(Turn& turn, Error error);
  runtime::Outcome refuse(Turn& turn, Error error);
  bool namespace_goes(const Policy& policy) const;
  runtime::Outcome leave(const Policy& policy, const Problem* problem);
  Status drop_unfinished(Turn& turn, const std::string& why);
  runtime::Outcome let_go(Turn& turn, const std::string& why);
  // rotation_delegated.cpp
  runtime::Outcome wait_for_aws(Turn& turn, const engine::Decision& decision);
  void tell_what_aws_did(Turn& turn);
  // rotation_rollout.cpp
  runtime::Outcome follow(Turn& turn);
  std::optional<runtime::Outcome> roll_out(Turn& turn);
  bool rolled_out(const Turn& turn, const PolicyStatus& status) const;
  bool wants_rollback(const Turn& turn, const PolicyStatus& status) const;
  void refuse_rollback(Turn& turn, const std::string& why);
  static void answer_rollback(Turn& turn);
  void tell_rollback(const Turn& turn) const;
  void tell_rollout(const Policy& policy, const PolicyStatus& before,
                    const RolloutReport& report) const;
  Result<RolloutReport> advance_rollout(Turn& turn, const PolicyStatus& status);
  bool has_rollout(const Policy& policy) const;

  // rotation_retire.cpp
  void judge_gate(Turn& turn, const PolicyStatus& status, engine::Situation& now);
  const GateVerdict& ask_gate(Turn& turn);
  GateKeeper::Question gate_question(const Turn& turn) const;
  runtime::Outcome wait_gate(Turn& turn, const engine::Decision& decision);
  runtime::Outcome wait_for_readers(Turn& turn, const engine::Decision& decision);
  void tell_inactive(Turn& turn, const Error& error);
  bool still_inactive(Turn& turn);
  static bool retires_later(const Turn& turn);
  void tell_retirement(Turn& turn, const engine::Decision& decision,
                       const engine::StepResult& result);
  bool clean_up_due(const Turn& turn, WallTime now);
  std::optional<WallTime> next_clean_up(const std::string& key);
  void put_off_clean_up(const Turn& turn, WallTime until);

  void emit(const Policy& policy, kube::Event::Type type, std::string reason, std::string action,
            std::string note) const;

  Deps deps_;
  std::mutex mutex_;
  struct FirstSight {
    std::int64_t generation = 0;
    WallTime at{};
  };
  std::unordered_map<std::string, FirstSight> first_seen_;  // for spreading what is overdue
  std::unordered_map<std::string, WallTime> clean_ups_;     // when leftovers are looked for next
  std::unordered_set<std::string> late_;                    // whose last step came too late
};

// The next instant, the same time every day for one secret, at which its leftovers are looked for.
WallTime next_daily(const std::string& arn, WallTime after);

}  // namespace keyturn::rotation
