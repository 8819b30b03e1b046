// How a pass of the rotation lane ends: what a step came to, nothing left to do, refused, out of
// sight, over.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"
#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/rotation_record.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/http/breaker.h"

namespace keyturn::rotation {
namespace {

using engine::Action;
using engine::Decision;
using engine::StepResult;
using runtime::Outcome;

constexpr Duration kLongestSleep{
    3'600'000};  // wall clocks jump: look at the schedule at least so often

constexpr Duration kUnhurried{15'000};  // each look at a roll-out that nothing waits for asks AWS

constexpr Duration kMended{60'000};  // looks whether a person has mended what only a person can

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

std::optional<Outcome> RotationPass::after_perform(Turn& turn, const Decision& decision,
                                                   const StepResult& result) {
  const Policy& policy = turn.policy();
  const std::string id = turn.subject(decision);
  if (!result.cleaned_up.empty())
    emit(policy, kube::Event::Type::Normal, "CleanedUp", "CleanUp", result.cleaned_up);
  if (result.inactive) tell_inactive(turn, *result.inactive);
  if (result.error.code != engine::kViewTooOld && decision.action != Action::Compare) {
    const std::lock_guard lock(mutex_);
    late_.erase(policy.key());
  }
  switch (result.event) {
    case engine::Event::Finished:
      deps_.sync.noticed(turn.arn());
      deps_.knowledge.saw(turn.gathered.access->scope, turn.view.secret, deps_.clock.mono(), false);
      deps_.knowledge.moved(turn.gathered.access->scope,
                            turn.arn());  // the followers below look for themselves
      if (policy.spec.targets.empty()) wake_followers(turn);  // else when these are written
      // When it was put, not when it became current: a request made in between is newer. Unknown
      // here (another process put it): judge() asks AWS.
      turn.created = {.current = turn.values.created(id), .latest = {}};
      turn.created_for = id;
      turn.due = {};  // what was due is done; settle(), or the next pass, asks what is due now
      turn.permit.clear();
      turn.change([id](PolicyStatus& status, WallTime now) {
        record_end(status, id, "Succeeded", now);
        clear_problem(status);  // the wait for the old credential is no trouble
      });
      deps_.metrics.rotation(turn.strategy_name(), "succeeded",
                             took(deps_.status.latest(policy), id, deps_.clock.now()));
      if (!retires_later(turn)) {  // else told together: tell_retirement()
        emit(policy, kube::Event::Type::Normal, "Rotated", "Rotate",
             "version " + short_id(id) + " is AWSCURRENT now");
      }
      log::info("secret rotated", {{"namespace", policy.ns},
                                   {"policy", policy.name},
                                   {"secretArn", turn.arn()},
                                   {"versionId", id},
                                   {"step", "finishSecret"}});
      break;
    case engine::Event::Started:
      // What a rotation that was due waited for, or was refused for, is over; what it replaces
      // retires later.
      turn.change([creates = decision.action == Action::Create](PolicyStatus& status, WallTime) {
        if (creates) status.retiring.reset();
        clear_problem(status);
      });
      if (decision.action == Action::CarryBack) answer_rollback(turn);
      break;
    case engine::Event::GaveUp:
      turn.begun.clear();  // what is still to be done for it is under way, too
      turn.change(
          [id](PolicyStatus& status, WallTime now) { record_end(status, id, "Abandoned", now); });
      deps_.metrics.rotation(turn.strategy_name(), "abandoned",
                             took(deps_.status.latest(policy), id, deps_.clock.now()));
      emit(policy, kube::Event::Type::Warning, "RotationAbandoned", "Rotate",
           "the attempt " + short_id(id) +
               " was given up, the old credential stays in force: " + result.note);
      break;
    case engine::Event::Abandoned:
      turn.change(
          [id](PolicyStatus& status, WallTime now) { record_end(status, id, "Abandoned", now); });
      if (result.error.code.empty()) {
        emit(policy, kube::Event::Type::Normal, "AttemptRevoked", "Rotate", result.note);
      } else {  // what only a person can tell
        emit(policy, kube::Event::Type::Warning, "AttemptNotRevoked", "Rotate", result.note);
      }
      break;
    case engine::Event::Interfered:
      emit(policy, kube::Event::Type::Warning, "LabelsMoved", "Rotate", result.note);
      break;
    default:
      tell_retirement(turn, decision, result);
      break;
  }
  switch (result.kind) {
    case StepResult::Kind::Progress:
      return std::nullopt;
    case StepResult::Kind::After:
      if (result.error.code == http::kBackendDown) tell_in_passing(turn, result.error);
      if (result.error.code == engine::kViewTooOld) return too_late(turn, decision, result.error);
      return Outcome::after(result.delay);
    case StepResult::Kind::Driver:
      return std::nullopt;
    case StepResult::Kind::Terminal:
      if (decision.action == Action::CarryBack) answer_rollback(turn);
      if (starts(decision)) {  // nothing was put: no rotation is under way
        turn.put_nothing = true;
        turn.change(
            [id](PolicyStatus& status, WallTime now) { record_end(status, id, "Failed", now); });
        deps_.metrics.rotation(turn.strategy_name(), "failed", Duration(0));
      }
      return refuse(turn, result.error);
    case StepResult::Kind::Retry:
      break;
  }
  return failed(turn, decision, result.error);
}

Outcome RotationPass::failed(Turn& turn, const Decision& decision, const Error& error) {
  const Policy& policy = turn.policy();
  log::warn("rotation step failed", {{"namespace", policy.ns},
                                     {"policy", policy.name},
                                     {"secretArn", turn.arn()},
                                     {"versionId", turn.subject(decision)},
                                     {"step", std::string(engine::to_string(decision.step))},
                                     {"reason", error.code},
                                     {"error", error.message}});
  emit(policy, kube::Event::Type::Warning, "RotationFailed", "Rotate",
       std::string(engine::to_string(decision.step)) + ": " + error.message);
  turn.change([error, generation = policy.generation](PolicyStatus& status, WallTime now) {
    set_problem(status, error, false, now, generation);
  });
  return Outcome::retry(error);
}

// Once may be a hiccup. The second time in a row the same would take as long again: not at once,
// and told.
Outcome RotationPass::too_late(Turn& turn, const Decision& decision, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (late_.insert(turn.policy().key()).second) return Outcome::after(Duration(0));
  }
  Error told = error;
  told.message = std::string(engine::to_string(decision.step)) + ": " + error.message + " (" +
                 format_duration(turn.gathered.config->request_deadline) +
                 " each); if it stays so, what it asks is slow, or the operator's requestDeadline "
                 "too short";
  tell_in_passing(turn, told);
  return Outcome::retry(std::move(told));
}

// Said once: the refusals of an outage come often, and what is told already says more of it.
void RotationPass::tell_in_passing(Turn& turn, const Error& error) {
  turn.change([error, generation = turn.policy().generation](PolicyStatus& status, WallTime now) {
    if (!status.condition(kStalled) && !status.condition(kReconciling))
      set_problem(status, error, false, now, generation);
  });
}

Outcome RotationPass::settle(Turn& turn) {
  const Policy& policy = turn.policy();
  if (auto judged = judge(turn); !judged) return out_of_sight(turn, std::move(judged).error());
  const bool inactive = still_inactive(turn);
  tell_what_aws_did(turn);
  turn.change([this, &turn, inactive](PolicyStatus& status, WallTime now) {
    deps_.sync.tell_change(status, turn.policy(), turn.arn(), turn.view.labels);
    tell_unreadable_request(turn.policy(), status);
    record_rest(status, turn.view.labels.current, now);
    if (turn.view.labels.baton.empty()) status.retiring.reset();
    status.secret_arn = turn.arn();
    if (turn.sync_tried_for.empty()) status.current_version_id = turn.view.labels.current;
    if (turn.created.current)
      status.current_version_created =
          std::chrono::floor<std::chrono::seconds>(*turn.created.current);
    status.next_rotation =
        turn.due.next ? std::optional(std::chrono::floor<std::chrono::seconds>(*turn.due.next))
                      : std::nullopt;
    const bool asked = request_waits(turn.policy(), status, turn.view.labels, turn.created);
    if (!asked) status.last_handled_rotate_request = turn.policy().rotate_requested_at;
    note_requests(status, turn.policy(), turn.requests, asked, now);
    if (inactive) {
      remove_condition(status, kReconciling);
    } else {
      clear_problem(status);
    }
  });
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  if (policy.has_finalizer || turn.held) {
    if (auto released = hold(turn, false); !released)
      return Outcome::retry(std::move(released).error());
  }
  if (policy.deleted) return Outcome::done();
  if (turn.only_ends()) {  // the spec's own kind comes next, here or in another policy
    deps_.wake_sync(policy.key());
    return Outcome::after(Duration(1));
  }
  const bool deferred = turn.due.deferred || !turn.due.next;
  if (deferred && turn.due.trigger == engine::Trigger::Request) {
    emit(policy, kube::Event::Type::Normal, "RotationDeferred", "Rotate", turn.due.message);
  }
  std::optional<WallTime> next = turn.due.next;
  const auto no_later_than = [&](WallTime at) { next = next ? std::min(*next, at) : at; };
  if (turn.requests.later) no_later_than(*turn.requests.later);
  if (const auto clean_up = next_clean_up(policy.key())) no_later_than(*clean_up);
  if (inactive) no_later_than(deps_.clock.now() + kMended);
  // Not waited for, but told of: somebody may have moved it, or it became available.
  if (turn.rollout && turn.rollout->phase != RolloutPhase::Done)
    no_later_than(deps_.clock.now() + std::max(turn.rollout->look_again, kUnhurried));
  if (!next) return Outcome::done();
  const Duration until = *next - deps_.clock.now();
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
    if (!told_problem(status, problem.error.code))
      emit(policy, kube::Event::Type::Warning, problem.error.code, "Rotate", problem.error.message);
    set_problem(status, problem.error, problem.stalled, now, policy.generation);
  });
  if (auto written = turn.publish(deps_.status); !written)
    return Outcome::retry(std::move(written).error());
  return problem.look_again ? Outcome::after(*problem.look_again) : Outcome::retry(problem.error);
}

void RotationPass::tell_unreadable_request(const Policy& policy, const PolicyStatus& status) const {
  struct Request {
    const char* annotation;
    const std::string& at;
    const std::string& handled;
  };
  for (const Request& request :
       {Request{kRotateRequested, policy.rotate_requested_at, status.last_handled_rotate_request},
        Request{kRollbackRequested, policy.rollback_requested_at,
                status.last_handled_rollback_request},
        Request{kRevokeRequested, policy.revoke_requested_at,
                status.last_handled_revoke_request}}) {
    if (request.at.empty() || request.at == request.handled || parse_rfc3339(request.at)) continue;
    emit(policy, kube::Event::Type::Warning, "InvalidRequest", "Rotate",
         std::string("annotation ") + request.annotation + ": \"" + printable(request.at, 40) +
             "\" is no RFC 3339 time such as 2026-11-22T08:00:00Z; nothing is done");
  }
}

Outcome RotationPass::refuse(Turn& turn, Error error) {
  const Policy& policy = turn.policy();
  log::warn("rotation refused", {{"namespace", policy.ns},
                                 {"policy", policy.name},
                                 {"secretArn", turn.arn()},
                                 {"reason", error.code},
                                 {"error", error.message}});
  turn.change([&](PolicyStatus& status, WallTime now) {
    if (!told_problem(status, error.code))
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
