#include "lib/engine/engine_steps.h"

#include <algorithm>

namespace keyturn::engine {

Status Strategy::hand_over(const StepContext&) const {
  return invalid("NotDelegated", "Strategy " + traits().name +
                                     " rotates by itself; there is nobody to hand over to.");
}

Status Strategy::restore(const StepContext&, const SecretString&, const SecretString*) const {
  return {};
}

StepResult Steps::run() {
  StepResult result = step();
  if (inactive_ && result.kind == StepResult::Kind::After) result.note += " " + inactive_->message;
  result.inactive = std::move(inactive_);
  return result;
}

StepResult Steps::step() {
  switch (decision_.action) {
    case Action::Compare:
      return compare();
    case Action::GiveUp:
      return give_up();
    case Action::SetAndTest:
      return set_and_test();
    case Action::DropPending:
      return drop_pending();
    case Action::RetestAndMove:
      return retest_and_move();
    case Action::MoveCurrent:
      return move_current(Event::Finished);
    case Action::DropBaton:
      return drop_baton();
    case Action::Abandon:
      return abandon();
    case Action::Rebase:
      return rebase();
    case Action::Retire:
      return retire();
    case Action::CleanUp:
      return clean_up();
    case Action::Create:
      return create();
    case Action::CarryBack:
      return carry(decision_.compare_with, Event::Started);
    case Action::HandOver:
      return hand_over();
    case Action::WaitGate:
      return wait_gate();
    case Action::Nothing:
    case Action::Refuse:
    case Action::Sync:
    case Action::Rollout:
      break;
  }
  return driver(decision_.message);
}

// The labels and the gate's verdict have stayed the same for as long as a request planned from an
// older view may be on its way.
Steps::Stop Steps::quiet() {
  if (view_.changed_here && !look_again())
    return after(kLookAgain, "The labels are looked at again.");
  const MonoTime now = deps_.clock.mono();
  const MonoTime since =
      deps_.memory.unchanged_since(key(), Engine::fingerprint(view_, situation_), now);
  const MonoTime quiet_at = since + deps_.timing.quiet();
  if (view_.seen_at >= quiet_at) return std::nullopt;
  return after(std::max(quiet_at - now, Duration(1)),
               "Nothing is revoked before the labels have stayed the same for a while.");
}

// Checked before every request to a backend that changes something; writes to Secrets Manager carry
// the same bound themselves.
Steps::Stop Steps::too_old() const {
  if (deps_.clock.mono() <= view_.seen_at + deps_.timing.view_age()) return std::nullopt;
  return view_too_old();
}

bool Steps::look_again() {
  auto fresh = engine_.look(view_.secret.arn);
  if (!fresh.ok()) return false;
  view_ = std::move(fresh).value();
  const Decision now = engine_.decide(view_, situation_);
  return now.action == decision_.action && now.version_id == decision_.version_id &&
         now.compare_with == decision_.compare_with;
}

Steps::Stop Steps::move(std::string_view label, const std::string& from, const std::string& to) {
  const Status moved =
      deps_.secrets.update_stage({.secret_id = view_.secret.arn,
                                  .stage = std::string(label),
                                  .remove_from = from,
                                  .move_to = to,
                                  .not_after = view_.seen_at + deps_.timing.view_age()});
  if (!moved.ok()) return failed(moved.error());
  move_label(view_.secret.stages, label, to);
  view_.labels = read_labels(view_.secret.arn, view_.secret.stages);
  view_.changed_here = true;
  return std::nullopt;
}

Result<const SecretString*> Steps::value_if_any(const std::string& version_id) {
  if (version_id.empty()) return nullptr;
  auto read = value(version_id);
  if (read.ok()) return read;
  const bool nothing_there =
      read.error().cls == ErrorClass::NotFound || read.error().code == "BinarySecret";
  if (nothing_there) return nullptr;
  return read;
}

StepContext Steps::context(const std::string& version_id) const {
  return {.arn = view_.secret.arn,
          .version_id = version_id,
          .clock = &deps_.clock,
          .rng = &deps_.rng,
          .deadline = view_.seen_at + deps_.timing.view_age(),
          .sent = deps_.memory.sent(key(), version_id)};
}

StepResult Steps::progress(Event event, std::string note) {
  return {.kind = StepResult::Kind::Progress, .event = event, .note = std::move(note)};
}

StepResult Steps::after(Duration delay, std::string note) {
  return {.kind = StepResult::Kind::After, .delay = delay, .note = std::move(note)};
}

StepResult Steps::driver(std::string note) {
  return {.kind = StepResult::Kind::Driver, .note = std::move(note)};
}

StepResult Steps::view_too_old() {
  StepResult late = after(Duration(0), "What was seen is too old to act on; looking again.");
  late.error = make_error(ErrorClass::Transient, std::string(kViewTooOld),
                          "what was seen of the secret was too old to act on before the step was "
                          "done: a step must be done within two request deadlines");
  return late;
}

StepResult Steps::failed(Error error) {
  if (error.cls == ErrorClass::Conflict)
    return after(kLookAgain, "Somebody else was faster: " + error.message);
  if (error.code == kViewTooOld) return view_too_old();
  if (error.cls == ErrorClass::Unavailable && error.retry_after) return not_asked(std::move(error));
  const auto kind =
      error.cls == ErrorClass::Invalid ? StepResult::Kind::Terminal : StepResult::Kind::Retry;
  const Duration delay = error.retry_after.value_or(Duration(0));
  std::string note = error.message;
  return {.kind = kind, .delay = delay, .error = std::move(error), .note = std::move(note)};
}

// A breaker refused: no failure of ours, and it says when it will let somebody through.
StepResult Steps::not_asked(Error error) {
  StepResult result = after(*error.retry_after, error.message);
  result.error = std::move(error);
  return result;
}

StepResult Steps::waiting(const TestResult& unknown) {
  const auto& cause = unknown.cause;
  if (cause && cause->cls == ErrorClass::Unavailable && cause->retry_after)
    return not_asked(*cause);
  std::string note = "Whether the credential works is not known yet: " + unknown.detail;
  if (unknown.look_again) return after(*unknown.look_again, std::move(note));
  return failed(make_error(ErrorClass::Transient, "TestUnknown", std::move(note)));
}

}  // namespace keyturn::engine
