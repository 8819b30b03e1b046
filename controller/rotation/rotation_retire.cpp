// The rotation lane's retirement: the gate and the grace period before an old credential is
// revoked, what is told about it, and the daily look for leftovers.
#include <algorithm>

#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/rotation_record.h"
#include "lib/base/digest.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using engine::Decision;
using runtime::Outcome;

constexpr Duration kDay{86'400'000};
constexpr Duration kHour{3'600'000};
constexpr Duration kTellAfter{600'000};
constexpr Duration kSoon{3'000};

// How long to wait before the next look at who holds the old value, by how long it has been so.
Duration next_look(Duration waited) {
  if (waited < Duration(60'000)) return kSoon;
  if (waited < kTellAfter) return Duration(15'000);
  return waited < kHour ? Duration(60'000) : Duration(300'000);
}

// A leak drill has none.
Duration grace_of(const Turn& turn) {
  return turn.requests.drill ? Duration(0) : turn.policy().spec.retirement.grace_period;
}

// The status is what back-off, metric and grace period are counted by; once a pass.
void tell_waiting(Turn& turn, const std::string& version_id, const GateVerdict& verdict) {
  if (turn.retiring_noted) return;
  turn.retiring_noted = true;
  turn.change([version_id, verdict, grace = grace_of(turn)](PolicyStatus& changed, WallTime at) {
    note_retiring(changed, version_id, verdict, grace, at);
  });
}

// "version 9c41e0aa is AWSCURRENT since …; "; "" where the history does not say.
std::string current_since(const PolicyStatus& status, const std::string& current) {
  for (const HistoryEntry& entry : status.history) {
    if (entry.version_id == current && entry.finished_at) {
      return "version " + short_id(current) + " is AWSCURRENT since " +
             format_rfc3339(*entry.finished_at) + "; ";
    }
  }
  return "";
}

}  // namespace

WallTime next_daily(const std::string& arn, WallTime after) {
  const Sha256 digest = sha256(arn);
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = (number << 8) | std::to_integer<std::uint32_t>(digest[i]);
  const Duration offset(static_cast<std::int64_t>(number) % kDay.count());
  const Duration since_epoch = after.time_since_epoch();
  WallTime at(since_epoch / kDay * kDay + offset);
  while (at <= after) at += kDay;
  return at;
}

bool RotationPass::clean_up_due(const Turn& turn, WallTime now) {
  if (!turn.strategy->traits().can_revoke || turn.policy().deleted) return false;
  const std::lock_guard lock(mutex_);
  auto [it, is_new] = clean_ups_.try_emplace(turn.policy().key());
  if (is_new) it->second = next_daily(turn.arn(), now);
  return now >= it->second;
}

std::optional<WallTime> RotationPass::next_clean_up(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = clean_ups_.find(key);
  return it == clean_ups_.end() ? std::nullopt : std::optional(it->second);
}

void RotationPass::put_off_clean_up(const Turn& turn, WallTime until) {
  const std::lock_guard lock(mutex_);
  clean_ups_[turn.policy().key()] = until;
}

// Asks once a pass; the status is told what was found.
const GateVerdict& RotationPass::ask_gate(Turn& turn) {
  const std::string& current = turn.view.labels.current;
  if (turn.gate && turn.gate_for == current) return *turn.gate;
  turn.gate_for = current;
  auto asked = deps_.gate.ask(gate_question(turn));
  if (asked) {
    turn.gate = *std::move(asked);
  } else {
    log::warn("the gate cannot look", {{"namespace", turn.policy().ns},
                                       {"policy", turn.policy().name},
                                       {"reason", asked.error().code},
                                       {"error", asked.error().message}});
    turn.gate = GateVerdict{
        .open = false, .waiting_for = {"a look at " + asked.error().message}, .ignored = {}};
  }
  return *turn.gate;
}

GateKeeper::Question RotationPass::gate_question(const Turn& turn) const {
  const WallTime now = deps_.clock.now();
  const PolicyStatus own = turn.status(deps_.status, now);
  std::optional<WallTime> drill_since;
  if (turn.requests.drill) {
    const bool waits = own.retiring && own.retiring->version_id == turn.view.labels.baton;
    drill_since = waits ? own.retiring->since : now;
  }
  return {
      .arn = turn.arn(),
      .version_id = turn.view.labels.current,
      .asker = turn.policy().key(),
      .after = turn.policy().spec.retirement.after,
      .propagation = turn.gathered.config->propagation,
      .drill_since = drill_since,
      .own = own,
      .just_synced = turn.synced.has_value() && turn.sync_tried_for == turn.view.labels.current};
}

// Fills in what the engine must know before it revokes anything.
void RotationPass::judge_gate(Turn& turn, const PolicyStatus& status, engine::Situation& now) {
  now.gate_open = false;
  if (!turn.strategy->traits().can_revoke) {
    now.gate_open = true;  // the backend let go of the old credential by itself
    return;
  }
  const engine::Labels& l = turn.view.labels;
  const WallTime time = deps_.clock.now();
  const bool retiring = !l.baton.empty() && l.baton != l.current && l.baton != l.latest;
  // No label marks it any more, and a rotation that is due waits for its readers (row 8).
  const bool unmarked = l.baton.empty() && !turn.permit.empty() && status.retiring &&
                        status.retiring->version_id == l.previous;
  if ((retiring || unmarked) && turn.requests.revoke) {
    now.gate_open = true;  // a person's word
    return;
  }
  now.clean_up = l.baton.empty() && clean_up_due(turn, time);
  if (!now.targets_synced || !now.rolled_out) return;
  // Where setting replaces, an attempt sets, and ends, behind the gate, too.
  const bool attempt = turn.strategy->traits().set_replaces && !l.latest.empty() &&
                       l.latest != l.current &&
                       (l.baton.empty() ? l.pending == l.latest : l.baton == l.latest);
  if (!retiring && !attempt && (!l.baton.empty() || (!now.clean_up && turn.permit.empty()))) return;
  const GateVerdict& verdict = ask_gate(turn);
  now.gate_still_open = [this, &turn] {
    const auto again = deps_.gate.ask(gate_question(turn));
    return again && again->open;
  };
  now.waiting_for = verdict.text();
  now.gate_open = verdict.open;
  if (!retiring) {
    if (now.clean_up && !verdict.open) put_off_clean_up(turn, time + kHour);
    return;
  }
  PolicyStatus next = status;
  note_retiring(next, l.baton, verdict, grace_of(turn), time);
  now.gate_open = verdict.open && grace_over(next, l.baton, time);
  if (verdict.open && !now.gate_open) now.waiting_for = "its grace period is over";
  tell_waiting(turn, l.baton, verdict);
}

// The engine gives back what an earlier attempt at revoking may have left disabled.
Outcome RotationPass::wait_gate(Turn& turn, const Decision& decision) {
  using Kind = engine::StepResult::Kind;
  const auto kept = turn.engine->perform(turn.view, decision, {}, turn.values);
  const Outcome wait = wait_for_readers(turn, decision);
  if (kept.inactive) tell_inactive(turn, *kept.inactive);
  if (kept.kind == Kind::Retry) return failed(turn, decision, kept.error);
  if (kept.kind == Kind::After && wait.kind == Outcome::Kind::After)
    return Outcome::after(std::min(kept.delay, wait.delay));
  turn.change([](PolicyStatus& status, WallTime) { remove_condition(status, kReconciling); });
  return wait;
}

// Told until the current credential is seen to work: the label that told of it may be gone.
void RotationPass::tell_inactive(Turn& turn, const Error& error) {
  turn.inactive = true;
  turn.change([this, &turn, error](PolicyStatus& status, WallTime now) {
    if (!told_problem(status, error.code))
      emit(turn.policy(), kube::Event::Type::Warning, error.code, "Retire", error.message);
    set_problem(status, error, true, now, turn.policy().generation);
  });
}

bool RotationPass::still_inactive(Turn& turn) {
  if (!turn.inactive && !told_inactive(deps_.status.latest(turn.policy()))) return false;
  const std::string& current = turn.view.labels.current;
  const auto value = turn.engine->value(turn.view, current, turn.values);
  if (!value) return true;
  const engine::StepContext ctx{
      .arn = turn.arn(),
      .version_id = current,
      .clock = &deps_.clock,
      .rng = &deps_.rng,
      .deadline = deps_.clock.mono() + turn.gathered.config->request_deadline};
  return turn.strategy->test(ctx, **value).verdict != engine::Verdict::Accepted;
}

Outcome RotationPass::wait_for_readers(Turn& turn, const Decision& decision) {
  const Policy& policy = turn.policy();
  if (!policy.has_finalizer && !turn.held && !policy.deleted) {
    if (auto held = hold(turn, true); !held) return Outcome::retry(std::move(held).error());
  }
  const WallTime time = deps_.clock.now();
  PolicyStatus status = deps_.status.latest(policy);
  const GateVerdict& verdict = ask_gate(turn);
  note_retiring(status, decision.version_id, verdict, grace_of(turn), time);
  const RetiringStatus& retiring = *status.retiring;
  tell_waiting(turn, decision.version_id, verdict);
  turn.change([strategy = turn.at_work(), id = turn.view.labels.current,
               message = decision.message](PolicyStatus& next, WallTime now) {
    record_aftermath(next, strategy, id, engine::Step::Retire, message, now);
  });
  deps_.metrics.rotation_step(turn.strategy_name(), engine::to_string(engine::Step::Retire), "wait",
                              Duration(0));
  if (turn.due.due && turn.due.trigger == engine::Trigger::Request) {
    emit(policy, kube::Event::Type::Normal, "RotationDeferred", "Rotate",
         "the rotation asked for waits until the old credential is revoked");
  }
  if (retiring.earliest)
    return Outcome::after(std::clamp(*retiring.earliest - time, Duration(1), kHour));
  const Duration waited = time - retiring.since;
  if (waited > kTellAfter) {
    emit(policy, kube::Event::Type::Warning, "StillHeld", "Retire",
         "the old credential (version " + short_id(decision.version_id) + ") is kept for " +
             retiring.waiting_for +
             "; delete or restart them, or revoke it now: kubectl keyturn revoke " + policy.name +
             " -n " + policy.ns + " --yes");
  }
  return Outcome::after(next_look(waited));
}

// An old credential is to be revoked: the event of that tells of the rotation, too. What became
// current when is in the status at once; an event of its own would be the ninth write of a
// rotation.
bool RotationPass::retires_later(const Turn& turn) {
  const engine::Labels& l = turn.view.labels;
  return turn.strategy->traits().can_revoke && !l.baton.empty() && l.baton != l.current;
}

// What the engine did about old credentials.
void RotationPass::tell_retirement(Turn& turn, const Decision& decision,
                                   const engine::StepResult& result) {
  const Policy& policy = turn.policy();
  switch (result.event) {
    case engine::Event::Retired:
    case engine::Event::Kept: {
      const bool revoked = result.event == engine::Event::Retired;
      emit(policy, kube::Event::Type::Normal, revoked ? "Retired" : "NothingToRevoke", "Retire",
           current_since(deps_.status.latest(policy), turn.view.labels.current) +
               (revoked ? "the credential of version " + short_id(decision.version_id) +
                              " is revoked" + (turn.gate ? turn.gate->left_out() : "")
                        : result.note));
      log::info("old credential retired", {{"namespace", policy.ns},
                                           {"policy", policy.name},
                                           {"secretArn", turn.arn()},
                                           {"versionId", decision.version_id},
                                           {"step", "retire"}});
      turn.change([](PolicyStatus& status, WallTime) { status.retiring.reset(); });
      turn.gate.reset();
      break;
    }
    case engine::Event::CleanedUp:
      put_off_clean_up(turn, next_daily(turn.arn(), deps_.clock.now()));
      if (!result.note.empty())
        emit(policy, kube::Event::Type::Normal, "CleanedUp", "CleanUp", result.note);
      break;
    default:
      break;
  }
}

}  // namespace keyturn::rotation
