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

constexpr int kMaxSteps = 32;  // more means that two actors undo each other: the queue tries again
constexpr Duration kLongestSleep{
    3'600'000};  // wall clocks jump: look at the schedule at least so often

kube::ObjectReference reference(const Policy& policy) {
  return {"keyturn.dev/v1alpha1", "RotationPolicy", policy.ns, policy.name, policy.uid, ""};
}

std::string short_id(const std::string& version_id) { return version_id.substr(0, 8); }

// An error that time alone does not mend: the identity or the secret is gone, or not ours to use.
bool stays(const Error& error) {
  return error.cls == ErrorClass::Denied || error.cls == ErrorClass::NotFound ||
         error.cls == ErrorClass::Invalid;
}

Duration took(const PolicyStatus& status, const std::string& version_id, WallTime now) {
  return status.rotation && status.rotation->version_id == version_id
             ? now - status.rotation->started_at
             : Duration(0);
}

}  // namespace

void RotationPass::emit(const Policy& policy, kube::Event::Type type, std::string reason,
                        std::string action, std::string note) const {
  deps_.events.emit(
      {type, std::move(reason), std::move(action), std::move(note), reference(policy)});
}

Outcome RotationPass::run(const runtime::Key& key) {
  const PolicyPtr policy = deps_.policies.get(key);
  if (!policy) {
    const std::lock_guard lock(mutex_);
    first_seen_.erase(key);
    return Outcome::done();
  }
  if (policy->deleted && !policy->has_finalizer) return Outcome::done();
  if (!policy->invalid && !rotates(*policy) && !policy->has_finalizer) return Outcome::done();
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
  if (!rotates(*policy)) return leave(*policy, nullptr);
  auto ready = turn.make_engine(deps_.memory, deps_.clock, deps_.rng, deps_.status.latest(*policy));
  if (!ready) return refuse(turn, std::move(ready).error());
  return run_owned(turn);
}

Outcome RotationPass::run_owned(Turn& turn) {
  const Policy& policy = turn.policy();
  const std::string owner = deps_.owners.owner(turn.arn());
  const std::string other = owner == policy.key() ? older_claim(turn) : owner;
  if (!other.empty()) {
    return refuse(turn, invalid("SecretHasAnotherOwner",
                                "RotationPolicy " + other + " rotates " + turn.arn() +
                                    " already; use strategy syncOnly here, or delete that policy"));
  }
  if (auto judged = judge(turn); !judged) return out_of_sight(turn, std::move(judged).error());
  // On the last sight: nothing to do costs nothing.
  const Decision decision = turn.engine->decide(turn.view, situation(turn));
  if (decision.action == Action::Nothing) return settle(turn);
  return drive(turn);
}

Outcome RotationPass::drive(Turn& turn) {
  auto view = turn.engine->look(turn.arn());
  if (!view)
    return out_of_sight(turn, std::move(view).error().with_context("DescribeSecret " + turn.arn()));
  turn.view = std::move(view).value();
  deps_.knowledge.saw(turn.gathered.access->scope, turn.view.secret, turn.view.seen_at, false);
  if (auto judged = judge(turn); !judged) return out_of_sight(turn, std::move(judged).error());
  std::optional<Outcome> end;
  for (int step = 0; step < kMaxSteps && !end; ++step) {
    const engine::Situation now = situation(turn);
    const Decision decision = turn.engine->decide(turn.view, now);
    if ((end = driver_step(turn, decision))) break;
    if (decision.action == Action::Sync) continue;
    if (auto begun = begin(turn, decision); !begun) return Outcome::retry(std::move(begun).error());
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
  deps_.knowledge.saw(turn.gathered.access->scope, turn.view.secret, deps_.clock.mono(), false);
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  return end.value_or(
      Outcome::retry(make_error(ErrorClass::Conflict, "StillChanging",
                                "the labels of " + turn.arn() + " keep changing under us")));
}

std::optional<Outcome> RotationPass::driver_step(Turn& turn, const Decision& decision) {
  switch (decision.action) {
    case Action::Nothing:
      return settle(turn);
    case Action::Refuse:
      return refuse(turn, invalid(decision.reason, decision.message));
    case Action::Sync: {
      const SyncReport report =
          deps_.sync.sync_targets(turn.policy(), *turn.gathered.access, turn.view.secret,
                                  turn.view.labels, turn.values, SyncPass::Also::Nothing);
      turn.sync_tried_for = turn.view.labels.current;
      turn.change([report, policy = turn.gathered.policy](PolicyStatus& status, WallTime now) {
        SyncPass::report_to(status, *policy, report, now);
      });
      turn.sync_failed = report.retryable_error() != nullptr;
      for (const auto& follower : deps_.owners.followers(turn.arn())) {
        if (follower.key != turn.policy().key()) deps_.wake_sync(follower.key);
      }
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<Outcome> RotationPass::after_perform(Turn& turn, const Decision& decision,
                                                   const StepResult& result) {
  const Policy& policy = turn.policy();
  const std::string id = turn.subject(decision);
  switch (result.event) {
    case engine::Event::Finished:
      deps_.sync.noticed(turn.arn());
      deps_.knowledge.saw(turn.gathered.access->scope, turn.view.secret, deps_.clock.mono(), false);
      deps_.knowledge.moved(turn.gathered.access->scope,
                            turn.arn());  // the followers below look for themselves
      turn.created.current =
          deps_.clock.now();  // AWS's own date differs by the clocks' skew at most
      turn.created.latest.reset();
      turn.created_for = id;
      turn.change(
          [id](PolicyStatus& status, WallTime now) { record_end(status, id, "Succeeded", now); });
      deps_.metrics.rotation(turn.strategy_name(), "succeeded",
                             took(deps_.status.latest(policy), id, deps_.clock.now()));
      emit(policy, kube::Event::Type::Normal, "Rotated", "Rotate",
           "version " + short_id(id) + " is AWSCURRENT now");
      log::info("secret rotated", {{"namespace", policy.ns},
                                   {"policy", policy.name},
                                   {"secretArn", turn.arn()},
                                   {"versionId", id},
                                   {"step", "finishSecret"}});
      break;
    case engine::Event::GaveUp:
    case engine::Event::Abandoned:
      turn.change(
          [id](PolicyStatus& status, WallTime now) { record_end(status, id, "Abandoned", now); });
      if (result.event == engine::Event::GaveUp)
        deps_.metrics.rotation(turn.strategy_name(), "abandoned",
                               took(deps_.status.latest(policy), id, deps_.clock.now()));
      emit(policy, kube::Event::Type::Warning, "RotationAbandoned", "Rotate",
           "the attempt " + short_id(id) + " was given up: " + result.note +
               "; the old credential stays in force");
      break;
    case engine::Event::Interfered:
      emit(policy, kube::Event::Type::Warning, "LabelsMoved", "Rotate", decision.message);
      break;
    default:
      break;
  }
  switch (result.kind) {
    case StepResult::Kind::Progress:
      return std::nullopt;
    case StepResult::Kind::After:
      return Outcome::after(result.delay);
    case StepResult::Kind::Driver:
      return std::nullopt;
    case StepResult::Kind::Terminal:
      if (decision.action == Action::Create) {  // nothing was put: no rotation is under way
        turn.put_nothing = true;
        turn.change(
            [id](PolicyStatus& status, WallTime now) { record_end(status, id, "Failed", now); });
        deps_.metrics.rotation(turn.strategy_name(), "failed", Duration(0));
      }
      return refuse(turn, result.error);
    case StepResult::Kind::Retry:
      break;
  }
  log::warn("rotation step failed", {{"namespace", policy.ns},
                                     {"policy", policy.name},
                                     {"secretArn", turn.arn()},
                                     {"versionId", id},
                                     {"step", std::string(engine::to_string(decision.step))},
                                     {"reason", result.error.code},
                                     {"error", result.error.message}});
  emit(policy, kube::Event::Type::Warning, "RotationFailed", "Rotate",
       std::string(engine::to_string(decision.step)) + ": " + result.error.message);
  turn.change(
      [error = result.error, generation = policy.generation](PolicyStatus& status, WallTime now) {
        set_problem(status, error, false, now, generation);
      });
  return Outcome::retry(result.error);
}

engine::Situation RotationPass::situation(const Turn& turn) const {
  engine::Situation now;
  const std::string& current = turn.view.labels.current;
  // A target that cannot be written was tried and is shown; it never stops the other rows.
  now.targets_synced =
      turn.sync_tried_for == current || deps_.sync.in_sync(turn.policy(), turn.arn(), current);
  now.retire = true;
  now.permit = turn.permit;
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
  std::string claimant;
  deps_.policies.for_each([&](const std::string& key, const PolicyPtr& other) {
    if (key == mine.key() || other->invalid || other->deleted || !rotates(*other) ||
        !claimant.empty())
      return;
    if (other->spec.region != mine.spec.region || !(other->spec.identity == mine.spec.identity))
      return;
    const std::string& id = other->spec.secret_id;
    const bool same = id == secret.name || (id.starts_with("arn:") && secret.arn.starts_with(id));
    if (!same || !turn.gathered.config->access.secret(other->ns, secret.name, secret.arn)) return;
    if (std::tie(other->created, other->uid) < std::tie(mine.created, mine.uid)) claimant = key;
  });
  return claimant;
}

Status RotationPass::begin(Turn& turn, const Decision& decision) {
  if (turn.begun || decision.action == Action::Compare) return {};
  turn.begun = true;
  const Policy& policy = turn.policy();
  if (!policy.has_finalizer && !policy.deleted) {
    if (auto held = hold(turn, true); !held) return held;
  }
  const std::string id = turn.subject(decision);
  const bool asked = turn.due.trigger == engine::Trigger::Request;
  const std::string trigger(engine::to_string(turn.due.trigger));
  auto written = deps_.status.update(policy, [&](PolicyStatus& status, WallTime now) {
    status.secret_arn = turn.arn();
    record_step(status, turn.strategy_name(), id, decision.step, decision.message, trigger, now);
    if (asked && decision.action == Action::Create)
      status.last_handled_rotate_request = policy.rotate_requested_at;
  });
  if (!written) return written;
  log::info("rotation step", {{"namespace", policy.ns},
                              {"policy", policy.name},
                              {"secretArn", turn.arn()},
                              {"versionId", id},
                              {"step", std::string(engine::to_string(decision.step))},
                              {"reason", decision.reason}});
  return {};
}

Outcome RotationPass::settle(Turn& turn) {
  const Policy& policy = turn.policy();
  if (auto judged = judge(turn); !judged) return out_of_sight(turn, std::move(judged).error());
  turn.change([this, &turn](PolicyStatus& status, WallTime now) {
    deps_.sync.tell_change(status, turn.policy(), turn.arn(), turn.view.labels);
    tell_unreadable_request(turn.policy(), status);
    if (status.rotation) {  // it ended in another pass, or another process
      const std::string id = status.rotation->version_id;
      record_end(status, id, id == turn.view.labels.current ? "Succeeded" : "Abandoned", now);
    }
    status.secret_arn = turn.arn();
    if (turn.sync_tried_for.empty()) status.current_version_id = turn.view.labels.current;
    if (turn.created.current)
      status.current_version_created =
          std::chrono::floor<std::chrono::seconds>(*turn.created.current);
    status.next_rotation =
        turn.due.next ? std::optional(std::chrono::floor<std::chrono::seconds>(*turn.due.next))
                      : std::nullopt;
    if (!request_waits(turn.policy(), status, turn.view.labels, turn.created))
      status.last_handled_rotate_request = turn.policy().rotate_requested_at;
    clear_problem(status);
  });
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  if (policy.has_finalizer || turn.held) {
    if (auto released = hold(turn, false); !released)
      return Outcome::retry(std::move(released).error());
  }
  if (turn.sync_failed)
    deps_.wake_sync(policy.key());  // the sync lane tries again, without a look at AWS
  if (policy.deleted) return Outcome::done();
  const bool held = turn.due.deferred || !turn.due.next;
  if (held && turn.due.trigger == engine::Trigger::Request) {
    emit(policy, kube::Event::Type::Normal, "RotationDeferred", "Rotate", turn.due.message);
  }
  if (!turn.due.next) return Outcome::done();
  const Duration until = *turn.due.next - deps_.clock.now();
  return Outcome::after(std::clamp(until, Duration(1), kLongestSleep));
}

// The secret cannot be looked at. Gone: the sync lane resolves its name anew and tells; else it is
// told here, once, and tried again.
Outcome RotationPass::out_of_sight(Turn& turn, Error error) {
  const Policy& policy = turn.policy();
  if (error.cls == ErrorClass::Denied) deps_.gatherer.refused(*turn.gathered.access);
  if (policy.deleted && stays(error)) {
    const Problem problem{std::move(error)};
    return leave(policy, &problem);
  }
  if (error.cls == ErrorClass::NotFound) {
    deps_.knowledge.gone(turn.gathered.access->scope, turn.arn());
    deps_.wake_sync(policy.key());
    return Outcome::done();
  }
  const Problem problem = problem_of(std::move(error), policy.spec.refresh_interval,
                                     denied_look(*turn.gathered.access));
  log::warn("secret cannot be looked at", {{"namespace", policy.ns},
                                           {"policy", policy.name},
                                           {"secretArn", turn.arn()},
                                           {"reason", problem.error.code},
                                           {"error", problem.error.message}});
  turn.change([&](PolicyStatus& status, WallTime now) {
    const Condition* told = status.condition(problem.stalled ? kStalled : kReconciling);
    if (!told || told->reason != problem.error.code)
      emit(policy, kube::Event::Type::Warning, problem.error.code, "Rotate", problem.error.message);
    set_problem(status, problem.error, problem.stalled, now, policy.generation);
  });
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  return problem.look_again ? Outcome::after(*problem.look_again) : Outcome::retry(problem.error);
}

void RotationPass::tell_unreadable_request(const Policy& policy, const PolicyStatus& status) const {
  const std::string& at = policy.rotate_requested_at;
  if (at.empty() || at == status.last_handled_rotate_request || parse_rfc3339(at)) return;
  emit(policy, kube::Event::Type::Warning, "InvalidRequest", "Rotate",
       std::string("annotation ") + kRotateRequested + ": \"" + printable(at, 40) +
           "\" is no RFC 3339 time such as 2026-11-22T08:00:00Z; nothing is rotated");
}

Outcome RotationPass::refuse(Turn& turn, Error error) {
  const Policy& policy = turn.policy();
  log::warn("rotation refused", {{"namespace", policy.ns},
                                 {"policy", policy.name},
                                 {"reason", error.code},
                                 {"error", error.message}});
  turn.change([&](PolicyStatus& status, WallTime now) {
    const Condition* stalled = status.condition(kStalled);
    if (!stalled || stalled->reason != error.code)
      emit(policy, kube::Event::Type::Warning, error.code, "Rotate", error.message);
    set_problem(status, error, true, now, policy.generation);
    status.next_rotation.reset();
  });
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  if (policy.deleted) return leave(policy, nullptr);
  if (turn.put_nothing && (policy.has_finalizer || turn.held)) {
    if (auto released = hold(turn, false); !released)
      return Outcome::retry(std::move(released).error());
  }
  return Outcome::after(policy.spec.refresh_interval);
}

}  // namespace keyturn::rotation
