#include "controller/rotation/rotation_pass.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/rotation_record.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using engine::Action;
using engine::Decision;
using engine::StepResult;
using runtime::Outcome;

constexpr Duration kSightServesWaits{15'000};
constexpr int kMaxSteps = 32;  // more means that two actors undo each other: the queue tries again

}  // namespace

Outcome RotationPass::run(const runtime::Key& key) {
  const PolicyPtr policy = deps_.policies.get(key);
  if (!policy) {
    const std::lock_guard lock(mutex_);
    first_seen_.erase(key);
    clean_ups_.erase(key);
    late_.erase(key);
    deps_.rollout.forget(key);
    return Outcome::done();
  }
  if (policy->deleted && !policy->has_finalizer) return Outcome::done();
  const PolicyStatus status = deps_.status.latest(*policy);
  const bool follows = !policy->invalid && !rotates(*policy, status);
  if (follows && !under_way(*policy, status) && !has_rollout(*policy)) return Outcome::done();
  if (deletion_overdue(*policy, deps_.clock.now()) || (policy->deleted && namespace_goes(*policy)))
    return leave(*policy, nullptr);
  auto gathered = deps_.gatherer.gather(policy);
  if (std::holds_alternative<Parked>(gathered)) return Outcome::done();
  if (const auto* problem = std::get_if<Problem>(&gathered)) {
    if (!policy->deleted)
      return Outcome::done();  // the sync lane shows it and wakes us when it is over
    return stays(problem->error) ? leave(*policy, problem) : Outcome::retry(problem->error);
  }
  Turn turn(std::get<Gathered>(std::move(gathered)));
  if (follows) {
    if (policy->deleted) return leave(*policy, nullptr);
    if (under_way(*policy, status)) {
      const Status dropped =
          drop_unfinished(turn, "nothing says any more which strategy began what is under way");
      if (!dropped) return Outcome::retry(dropped.error());
    }
    return has_rollout(*policy) ? follow(turn) : Outcome::done();
  }
  auto ready = turn.make_engine(deps_.memory, deps_.clock, deps_.rng, status);
  if (!ready) return refuse(turn, std::move(ready).error());
  return run_owned(turn);
}

Outcome RotationPass::run_owned(Turn& turn) {
  const Policy& policy = turn.policy();
  const std::string owner = deps_.owners.owner(turn.arn());
  const std::string other = owner == policy.key() ? older_claim(turn) : owner;
  if (!other.empty()) {
    if (turn.ends_to_follow())
      return let_go(turn, "RotationPolicy " + other + " rotates the secret");
    const Outcome refused =
        refuse(turn, invalid("SecretHasAnotherOwner",
                             "RotationPolicy " + other + " rotates " + turn.arn() +
                                 " already; use strategy syncOnly here, or delete that policy"));
    return has_rollout(policy) ? follow(turn) : refused;  // its targets follow, and so do workloads
  }
  if (auto judged = judge(turn); !judged) return out_of_sight(turn, std::move(judged).error());
  // On the last sight: nothing to do costs nothing.
  const Decision decision = turn.engine->decide(turn.view, situation(turn));
  // But what another kind of strategy began is not over because an old sight does not show it.
  const bool aws_at_work = decision.reason == engine::kRotationUnderWay;
  if (decision.action == Action::Nothing && !aws_at_work && !turn.only_ends()) return settle(turn);
  return drive(turn, decision);
}

Status RotationPass::look(Turn& turn) {
  auto view = turn.engine->look(turn.arn());
  if (!view) return std::move(view).error().with_context("DescribeSecret " + turn.arn());
  turn.view = std::move(view).value();
  turn.fresh = true;
  deps_.knowledge.saw(turn.gathered.access->scope, turn.view.secret, turn.view.seen_at, false);
  return judge(turn);
}

// While a roll-out or readers are waited for, the last sight will do for a while: what it leads to
// is a look at workloads and pods, and nothing else.
bool RotationPass::waits_on_last_sight(const Turn& turn, const Decision& decision) const {
  const bool waits = decision.action == Action::Rollout || decision.action == Action::WaitGate;
  const engine::Timing timing{.request_deadline = turn.gathered.config->request_deadline};
  return waits &&
         deps_.clock.mono() - turn.view.seen_at < std::min(kSightServesWaits, timing.view_age());
}

Outcome RotationPass::drive(Turn& turn, const Decision& first) {
  if (!waits_on_last_sight(turn, first)) {
    if (auto looked = look(turn); !looked) return out_of_sight(turn, std::move(looked).error());
  }
  std::optional<Outcome> end;
  for (int step = 0; step < kMaxSteps && !end; ++step) {
    const engine::Situation now = situation(turn);
    const Decision decision = turn.engine->decide(turn.view, now);
    if (!turn.fresh && !waits_on_last_sight(turn, decision)) {
      if (auto looked = look(turn); !looked) return out_of_sight(turn, std::move(looked).error());
      continue;
    }
    if ((end = driver_step(turn, decision))) break;
    if (is_drivers(turn, decision)) continue;
    if (auto begun = begin(turn, decision); !begun) {
      end = Outcome::retry(std::move(begun).error());  // what was seen and done is still kept
      break;
    }
    const MonoTime started = deps_.clock.mono();
    const StepResult result = turn.engine->perform(turn.view, decision, now, turn.values);
    const bool failed =
        result.kind == StepResult::Kind::Retry || result.kind == StepResult::Kind::Terminal;
    deps_.metrics.rotation_step(turn.strategy_name(), engine::to_string(decision.step),
                                failed                                   ? "error"
                                : result.kind == StepResult::Kind::After ? "wait"
                                                                         : "ok",
                                deps_.clock.mono() - started);
    end = after_perform(turn, decision, result);
  }
  if (turn.fresh) {
    deps_.knowledge.saw(turn.gathered.access->scope, turn.view.secret,
                        turn.view.changed_here ? deps_.clock.mono() : turn.view.seen_at, false);
  }
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  if (turn.sync_failed)
    deps_.retry_sync(turn.policy().key());  // the sync lane tries again, without a look at AWS
  if (!end) {
    return Outcome::retry(make_error(ErrorClass::Conflict, "StillChanging",
                                     "the labels of " + turn.arn() + " keep changing under us"));
  }
  // A roll-out that failed is tried again, whatever the retirement that did not wait for it does.
  if (turn.rollout_failed && !turn.policy().deleted && end->kind != Outcome::Kind::Retry)
    return Outcome::retry(*turn.rollout_failed);
  // A request dated a moment ahead is looked at then, however long something else is waited for.
  if (end->kind == Outcome::Kind::After && turn.requests.later) {
    const Duration until = *turn.requests.later - deps_.clock.now();
    end->delay = std::min(end->delay, std::max(until, Duration(1)));
  }
  return *end;
}

std::optional<Outcome> RotationPass::driver_step(Turn& turn, const Decision& decision) {
  switch (decision.action) {
    case Action::Nothing:
      return decision.reason == engine::kRotationUnderWay ? wait_for_aws(turn, decision)
                                                          : settle(turn);
    case Action::Refuse:
      if (turn.rolling_back) {
        refuse_rollback(turn, decision.message);
        return std::nullopt;
      }
      if (turn.ends_to_follow() && decision.reason != "ForeignPending")
        return let_go(turn, "its own strategy may not go on: " + decision.message);
      tell_what_aws_did(turn);
      return refuse(turn, invalid(decision.reason, decision.message));
    case Action::Rollout:
      return roll_out(turn);
    case Action::WaitGate:
      return wait_gate(turn, decision);
    case Action::Sync:
      sync(turn);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

void RotationPass::sync(Turn& turn) {
  const MonoTime started = deps_.clock.mono();
  const SyncReport report =
      deps_.sync.sync_targets(turn.policy(), *turn.gathered.access, turn.view.secret,
                              turn.view.labels, turn.values, SyncPass::Also::Nothing);
  deps_.metrics.rotation_step(turn.strategy_name(), engine::to_string(engine::Step::Sync),
                              report.first_error() ? "error" : "ok", deps_.clock.mono() - started);
  turn.sync_tried_for = turn.view.labels.current;
  turn.synced = report;
  turn.rollout.reset();
  turn.rollout_failed.reset();
  const auto created = turn.created_for == turn.view.labels.current ? turn.created.current
                                                                    : std::optional<WallTime>();
  turn.change([report, created, policy = turn.gathered.policy](PolicyStatus& status, WallTime now) {
    SyncPass::report_to(status, *policy, report, now);
    // Else every pass until the retirement is over would ask AWS for it.
    if (created)
      status.current_version_created = std::chrono::floor<std::chrono::seconds>(*created);
  });
  turn.sync_failed = report.retryable_error() != nullptr;
  wake_followers(turn);
}

void RotationPass::wake_followers(const Turn& turn) const {
  for (const auto& follower : deps_.owners.followers(turn.arn())) {
    if (follower.key != turn.policy().key()) deps_.wake_sync(follower.key);
  }
}

// What the driver does itself, and then looks what is next.
bool RotationPass::is_drivers(const Turn& turn, const Decision& decision) {
  return decision.action == Action::Sync || decision.action == Action::Rollout ||
         (decision.action == Action::Refuse && turn.rolling_back);
}

engine::Situation RotationPass::situation(Turn& turn) {
  engine::Situation now;
  const Policy& policy = turn.policy();
  const engine::Labels& labels = turn.view.labels;
  const WallTime time = deps_.clock.now();
  const PolicyStatus status = turn.status(deps_.status, time);
  turn.requests = person_requests(policy, status, labels, turn.created, time);
  // A target that cannot be written was tried and is shown; it never stops the other rows.
  now.targets_synced = turn.sync_tried_for == labels.current ||
                       deps_.sync.in_sync(policy, turn.arn(), labels.current);
  now.rolled_out = turn.requests.revoke || rolled_out(turn, status);
  now.judged = now.targets_synced && (now.rolled_out || turn.rollout);
  now.moved =
      (turn.synced && turn.synced->wrote()) || (turn.rollout && turn.rollout->restarted > 0);
  judge_gate(turn, status, now);
  now.retire = true;
  now.permit = turn.permit;
  turn.rolling_back = wants_rollback(turn, status);
  if (turn.rolling_back) {
    now.rollback = true;
    now.permit = engine::next_version(turn.view);
  }
  return now;
}

WallTime RotationPass::first_seen(const Policy& policy) {
  const std::lock_guard lock(mutex_);
  FirstSight& seen = first_seen_[policy.key()];
  if (seen.at == WallTime{} || seen.generation != policy.generation)
    seen = {policy.generation, deps_.clock.now()};
  return seen.at;
}

// Whether a rotation is due, and the version it may make.
Status RotationPass::judge(Turn& turn) {
  const Policy& policy = turn.policy();
  const PolicyStatus status = deps_.status.latest(policy);
  if (!turn.created.current || turn.created_for != turn.view.labels.current) {
    auto created =
        created_times(*turn.gathered.access->secrets, turn.arn(), turn.view.labels, status);
    if (!created) return std::move(created).error();
    turn.created = *created;
    turn.created_for = turn.view.labels.current;
  }
  if (turn.only_ends()) return {};
  auto due =
      judge_due(policy, status, turn.arn(), turn.view.labels, turn.created,
                turn.gathered.config->min_rotation_interval, first_seen(policy), deps_.clock.now());
  if (!due) return std::move(due).error();
  turn.due = std::move(due).value();
  turn.permit = turn.due.due && !policy.deleted ? engine::next_version(turn.view) : "";
  return {};
}

std::string RotationPass::older_claim(const Turn& turn) const {
  // Policies that have not learned their secret's ARN yet are not among the owners: look at what
  // they ask for, too.
  const Policy& mine = turn.policy();
  const auto& secret = turn.gathered.sight->secret;
  std::vector<PolicyPtr>
      claims;  // the status is asked about after the visit, which holds the store
  deps_.policies.for_each([&](const std::string& key, const PolicyPtr& other) {
    if (key == mine.key() || other->invalid || other->deleted) return;
    if (other->spec.region != mine.spec.region || !(other->spec.identity() == mine.spec.identity()))
      return;
    const std::string& id = other->spec.secret_id;
    const bool same = id == secret.name || (id.starts_with("arn:") && secret.arn.starts_with(id));
    if (!same || !turn.gathered.config->access.secret(other->ns, secret.name, secret.arn)) return;
    if (std::tuple(other->created, key) < std::tuple(mine.created, mine.key()))
      claims.push_back(other);
  });
  for (const PolicyPtr& other : claims) {
    if (rotates(*other, deps_.status.latest(*other))) return other->key();
  }
  return {};
}

Status RotationPass::begin(Turn& turn, const Decision& decision) {
  const std::string id = turn.subject(decision);
  const bool retires = decision.step == engine::Step::Retire;
  const std::string begins = retires ? id + " retires" : id;
  if (turn.begun == begins || decision.action == Action::Compare ||
      decision.action == Action::CleanUp)
    return {};
  turn.begun = begins;
  const Policy& policy = turn.policy();
  if (!policy.has_finalizer && !turn.held && !policy.deleted) {
    if (auto held = hold(turn, true); !held) return held;
  }
  const bool asked = turn.due.trigger == engine::Trigger::Request;
  const bool back = decision.action == Action::CarryBack;
  const std::string trigger(back ? kRollbackTrigger : engine::to_string(turn.due.trigger));
  turn.change([=, arn = turn.arn(), strategy = turn.at_work(), current = turn.view.labels.current,
               step = decision.step, message = decision.message,
               rotate_at = policy.rotate_requested_at,
               creates = starts(decision)](PolicyStatus& status, WallTime now) {
    status.secret_arn = arn;
    if (retires) {
      if (!status.rotation || status.rotation->step != engine::to_string(step))
        record_aftermath(status, strategy, current, step, message, now);
    } else {
      record_step(status, strategy, id, step, message, trigger, now);
    }
    if (asked && creates) status.last_handled_rotate_request = rotate_at;
  });
  // With what this pass has found before: the record of this step must stand on top of it. A
  // revocation goes by the labels alone, and is told with what the pass ends with.
  if (!retires) {
    if (auto written = turn.publish(deps_.status); !written) return written;
  }
  if (back) tell_rollback(turn);
  log::info("rotation step", {{"namespace", policy.ns},
                              {"policy", policy.name},
                              {"secretArn", turn.arn()},
                              {"versionId", id},
                              {"step", std::string(engine::to_string(decision.step))},
                              {"reason", decision.reason}});
  return {};
}

}  // namespace keyturn::rotation
