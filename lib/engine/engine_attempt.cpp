// Rows 1 to 6 and 9: an attempt under way, from its test to the move of AWSCURRENT.
#include "lib/engine/engine_steps.h"

namespace keyturn::engine {
namespace {

constexpr const char* kTaken = "The backend has taken the new credential.";

}  // namespace

StepResult Steps::compare() {
  const auto a = value_if_any(decision_.version_id);
  if (!a.ok()) return failed(a.error());
  const auto b = value_if_any(decision_.compare_with);
  if (!b.ok()) return failed(b.error());
  const bool equal = *a != nullptr && *b != nullptr && strategy().same_credential(**a, **b);
  deps_.memory.remember_equal(key(), decision_.version_id, decision_.compare_with, equal);
  return progress(Event::None);
}

StepResult Steps::give_up() {
  std::string note = decision_.message;
  if (decision_.quiet) {
    if (auto stop = give_back(decision_.version_id, note)) return *stop;
  }
  if (auto stop = move(kBaton, decision_.version_id, decision_.compare_with)) return *stop;
  return progress(Event::GaveUp, std::move(note));
}

Steps::Stop Steps::set(const SecretString& pending, const SecretString& current) {
  const SecretString* previous = pass_.find(labels().previous);
  if (backend() ==
      Backend::ForwardOnly) {  // a single password: the previous value may be needed to be let in
    const auto read = value_if_any(labels().previous);
    if (!read.ok()) return failed(read.error());
    previous = *read;
  }
  if (auto stop = too_old()) return stop;
  StepContext ctx = context(decision_.version_id);
  if (strategy().traits().set_replaces) ctx.confirm = confirmation(Readers::Possible, &ctx);
  const auto done = strategy().set(ctx, pending, current, previous);
  if (!done.ok()) return failed(done.error());
  if (done->state == SetResult::State::Sent)
    deps_.memory.remember_sent(key(), decision_.version_id);
  if (done->state != SetResult::State::Done)
    return after(done->look_again, "The backend has not taken the new credential yet.");
  return std::nullopt;
}

StepResult Steps::set_and_test() {
  if (decision_.quiet) {  // a rollback, whose retirement may have begun; or setting replaces
    std::string note;
    if (auto stop = quiet()) return *stop;
    if (auto stop = give_back(decision_.compare_with, note)) return *stop;
  }
  const auto pending = value(decision_.version_id);
  if (!pending.ok()) return failed(pending.error());
  const auto current = value(labels().current);
  if (!current.ok()) return failed(current.error());
  const bool rollback = !decision_.compare_with.empty();
  // One step a call: AWS's, or a person's. The decision is made at finishSecret.
  const Step only = situation_.lambda ? decision_.step : situation_.only;
  if (only == Step::None || only == Step::SetSecret) {
    if (backend() == Backend::ForwardOnly) {
      // Setting is revoking here: the old value dies with it. So it waits for quiet, lest a put
      // planned from an older view takes the labels from the only version that works afterwards.
      const TestResult already = strategy().test(context(decision_.version_id), **pending);
      if (already.verdict == Verdict::Unknown) return waiting(already);
      if (already.verdict == Verdict::Accepted)
        return only == Step::None ? decide_to_finish() : driver(kTaken);
      if (auto stop = quiet()) return *stop;
      if (!confirmation(Readers::None)())
        return after(kLookAgain, "Something changed before the new credential was set.");
    }
    if (!(rollback && strategy().traits().set_replaces)) {
      if (auto stop = set(**pending, **current)) return *stop;
    }
    if (only == Step::SetSecret) return driver(kTaken);
  }
  const TestResult test = strategy().test(context(decision_.version_id), **pending);
  switch (test.verdict) {
    case Verdict::Unknown:
      return waiting(test);
    case Verdict::Rejected: {
      if (only != Step::None)
        return failed(make_error(ErrorClass::Denied, "TestRejected",
                                 "The new credential does not work: " + test.detail));
      if (auto stop = move(kBaton, decision_.version_id, decision_.compare_with)) return *stop;
      return progress(Event::GaveUp, "The new credential does not work: " + test.detail);
    }
    case Verdict::Accepted:
      break;
  }
  if (only == Step::TestSecret) return driver("The new credential works.");
  return decide_to_finish();
}

StepResult Steps::decide_to_finish() {
  pass_.mark_tested(decision_.version_id);
  if (auto stop = move(kBaton, decision_.version_id, labels().current)) return *stop;
  deps_.memory.remember_untouched(key(), labels().current);
  return progress(Event::Decided, "The new credential works.");
}

StepResult Steps::drop_pending() {
  std::string note;
  if (decision_.quiet) {
    if (auto stop = give_back(decision_.version_id, note)) return *stop;
  }
  if (auto stop = move(kPending, decision_.version_id, "")) return *stop;
  if (note.empty()) return progress(Event::None);
  return progress(Event::Interfered, decision_.message + note);
}

// Nothing becomes current that does not work now: two changes by a person can make an attempt that
// was given up look decided.
StepResult Steps::retest_and_move() {
  const std::string& version = decision_.version_id;
  if (!pass_.tested(version)) {
    const auto latest = value(version);
    if (!latest.ok()) return failed(latest.error());
    const TestResult test = strategy().test(context(version), **latest);
    if (test.verdict == Verdict::Unknown) return waiting(test);
    if (test.verdict == Verdict::Rejected) {
      if (situation_.lambda)
        return failed(make_error(ErrorClass::Denied, "TestRejected",
                                 "The new credential does not work: " + test.detail));
      if (backend() == Backend::ForwardOnly) return rebase();
      std::string note =
          "The new credential stopped working before it became current: " + test.detail;
      if (auto stop = give_back(labels().current, note)) return *stop;
      if (auto stop = move(kBaton, labels().current, "")) return *stop;
      return progress(Event::GaveUp, std::move(note));
    }
    pass_.mark_tested(version);
  }
  return move_current(Event::Finished);
}

StepResult Steps::move_current(Event event) {
  if (auto stop = move(kCurrent, labels().current, decision_.version_id)) return *stop;
  return progress(event, "Version " + decision_.version_id + " is current.");
}

// Where nothing is ever revoked, a baton that another kind of strategy has left must not go: it
// marks a credential that only that kind can revoke. No label says who left it, the values do: K's
// must be one of this kind, and where C was made from it, this kind put another credential there.
Steps::Stop Steps::left_by_another_kind() {
  const std::string& old = decision_.version_id;
  const bool made_from_it = made_from(view_.secret.arn, labels().current, old);
  if (made_from_it && deps_.memory.equal(key(), old, labels().current) == false)
    return std::nullopt;  // put here, by this strategy
  const auto retired = value_if_any(old);
  if (!retired.ok()) return failed(retired.error());
  if (*retired == nullptr) return std::nullopt;
  std::string why;
  if (const Status ours = strategy().recognise(**retired); !ours.ok()) {
    why = ours.error().message;
  } else if (made_from_it) {
    const auto current = value(labels().current);
    if (!current.ok()) return failed(current.error());
    if (strategy().same_credential(**retired, **current))
      why = "the version that was made from it holds the same credential";
  }
  if (why.empty()) return std::nullopt;
  return failed(invalid(
      "OtherStrategyUnderWay",
      "Version " + old + " holds KEYTURN_BATON, which strategy " + strategy().traits().name +
          " did not leave there (" + why +
          "): a credential of another kind may wait to be revoked. Finish it with that kind "
          "(`keyturn secret retire`), or revoke it by hand and run `keyturn secret abandon "
          "--keep-credential` with strategy generic."));
}

StepResult Steps::drop_baton() {
  std::string note = decision_.message;
  if (decision_.row == 9 && !strategy().traits().can_revoke) {
    if (auto stop = left_by_another_kind()) return *stop;
  }
  if (decision_.quiet) {
    if (auto stop = give_back(decision_.version_id, note)) return *stop;
  }
  if (auto stop = move(kBaton, decision_.version_id, "")) return *stop;
  return progress(decision_.row == 4 ? Event::Interfered : Event::Kept, std::move(note));
}

}  // namespace keyturn::engine
