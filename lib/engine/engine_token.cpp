// A group with one token, or two after set(), of which a further set() drops the older one, and
// which never tells what it knows (docs/protocol.md, "Two tokens in a row"). A set() while two are
// live and one is AWSCURRENT's must never be sent, nor one for a token that the group may have.
#include "lib/engine/engine_steps.h"

namespace keyturn::engine {

// Whether one of `others` holds another token that works: which one, in `works`. Who stops could
// not tell.
Steps::Stop Steps::no_other_works(const SecretString& current,
                                  std::initializer_list<std::string> others, std::string& works) {
  for (const std::string& id : others) {
    const auto other = value_if_any(id);
    if (!other.ok()) return failed(other.error());
    if (*other == nullptr || strategy().same_credential(**other, current)) continue;
    const TestResult test = strategy().test(context(id), **other);
    if (test.verdict == Verdict::Unknown) return waiting(test);
    if (test.verdict == Verdict::Rejected) continue;
    works = id;
    return std::nullopt;
  }
  return std::nullopt;
}

// Row 2. Two who see the same labels would both send set(), and the second one would drop the token
// that the first has left beside the new one. So the baton is moved first, and who moved it sends
// set(), now or never. Row 3 finds out whether it arrived.
StepResult Steps::rotate_token(const SecretString& pending, const SecretString& current) {
  const std::string& version = decision_.version_id;
  const Step only = situation_.lambda ? decision_.step : situation_.only;
  const bool sets = only == Step::None || only == Step::SetSecret;
  if (sets) {  // before a token is taken for good, too: a late SET may be on its way to drop it
    if (auto stop = quiet()) return *stop;
    if (!confirmation(Readers::None)())
      return after(kLookAgain, "Something changed before the new token was set.");
  }
  const TestResult already = strategy().test(context(version), pending);
  if (already.verdict == Verdict::Unknown) return waiting(already);
  if (already.verdict == Verdict::Accepted) {
    if (only == Step::SetSecret || only == Step::TestSecret) return driver("The new token works.");
    return decide_to_finish();
  }
  if (!sets || labels().baton != version) {  // or it was decided before: sent, or never
    return failed(make_error(ErrorClass::Denied, "TestRejected",
                             "The new token does not work: " + already.detail));
  }
  const TestResult test = strategy().test(context(labels().current), current);
  if (test.verdict == Verdict::Unknown) return waiting(test);
  std::string other = labels().current;
  if (test.verdict == Verdict::Accepted) {
    other.clear();
    if (auto stop = no_other_works(current, {labels().previous}, other)) return *stop;
  }
  if (!other.empty()) {
    if (auto stop = move(kBaton, version, "")) return *stop;
    return progress(Event::GaveUp,
                    other == labels().current
                        ? "Neither the new token works nor the current one: " + test.detail
                        : "The token of version " + other +
                              " still works, and setting the new one could drop the current one.");
  }
  if (auto stop = too_old()) return *stop;
  if (auto stop = move(kBaton, version, labels().current)) return *stop;
  const Labels decided = labels();
  auto fresh = engine_.look(view_.secret.arn);
  if (!fresh.ok()) return failed(fresh.error());
  view_ = std::move(fresh).value();
  if (labels() != decided)
    return after(kLookAgain, "Something changed before the new token was set.");
  const auto sent = strategy().set(context(version), pending, current, nullptr);
  if (!sent.ok()) return failed(sent.error());
  StepResult wait = after(sent->look_again, "The backend is adding the new token.");
  wait.event = Event::Decided;
  return wait;
}

// Row 10. The old token is not asked for: should it be gone, another may live beside the current
// one. The baton goes when the SET has taken effect, as far as this process knows of one.
StepResult Steps::retire_token(const SecretString& retired, const SecretString& current) {
  const std::string& version = decision_.version_id;
  const TestResult test = strategy().test(context(labels().current), current);
  if (test.verdict == Verdict::Unknown) return waiting(test);
  if (test.verdict == Verdict::Rejected) return rebase();
  if (!deps_.memory.alone(key(), labels())) {  // or it has taken effect: the test counts
    if (auto stop = leave_current_alone(retired, current)) return *stop;
    return after(deps_.timing.request_deadline, "The backend is dropping the old token.");
  }
  deps_.memory.remember_retired(key(), version);
  if (auto stop = move(kBaton, version, "")) return *stop;
  return progress(Event::Retired, "The token of version " + version + " is revoked.");
}

// Where the backend says that the current token is not the newest, the current version's successor
// carries the newest on, for the next set() would drop the current one.
Steps::Stop Steps::leave_current_alone(const SecretString& retired, const SecretString& current) {
  StepContext ctx = context(labels().current);
  const Status sent =
      strategy().retire(ctx, retired, current, confirmation(Readers::Possible, &ctx));
  if (sent.ok()) {
    deps_.memory.remember_alone(key(), labels());
    return std::nullopt;
  }
  if (sent.error().code != kNotNewest) return failed(sent.error());
  std::string newest;  // what was rotated after the current one
  if (auto stop =
          no_other_works(current, {labels().latest, labels().previous, labels().baton}, newest))
    return stop;
  if (!newest.empty()) return carry(newest, Event::Rebased);
  return failed(invalid(
      "UnknownToken",
      "The backend has a token that is newer than the one of AWSCURRENT of secret " +
          view_.secret.name +
          " and that no version holds; put the newest into the secret, or set AWSCURRENT's at the "
          "backend (it said: " +
          sent.error().message + ")"));
}

// Row 12, after quiet: no token is made while the backend may have another beside the current one,
// be it of an attempt that was given up after its set() or of a retirement that was lost.
// The id is looked at first: a version that lost its labels may hold what was rotated since.
Steps::Stop Steps::current_works_alone(const SecretString& current) {
  if (auto stop = quiet()) return stop;
  if (auto stop = look_whether_taken()) return stop;
  const TestResult test = strategy().test(context(labels().current), current);
  // What a person must mend first: nothing has begun that would have to wait for it.
  if (test.cause && test.cause->cls == ErrorClass::Invalid) return failed(*test.cause);
  if (test.verdict == Verdict::Unknown) return waiting(test);
  if (test.verdict == Verdict::Rejected) return rebase();
  if (deps_.memory.alone(key(), labels())) return std::nullopt;
  if (auto stop = leave_current_alone(current, current)) return stop;
  return after(deps_.timing.request_deadline, "The backend is dropping any other token.");
}

}  // namespace keyturn::engine
