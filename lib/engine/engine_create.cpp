// Row 12: a new version, minted, chosen or carried.
#include "lib/engine/engine_steps.h"

namespace keyturn::engine {

StepResult Steps::create() {
  std::string cleaned_up;
  StepResult result = clean_up_and_create(cleaned_up);
  result.cleaned_up = std::move(cleaned_up);  // told, whatever came after it
  return result;
}

StepResult Steps::clean_up_and_create(std::string& cleaned_up) {
  const auto current = value(labels().current);
  if (!current.ok()) return failed(current.error());
  if (const Status known = strategy().recognise(**current); !known.ok())
    return failed(known.error());

  if (backend() == Backend::ForwardOnly) {
    const TestResult test = strategy().test(context(labels().current), **current);
    if (test.verdict == Verdict::Unknown) return waiting(test);
    if (test.verdict == Verdict::Rejected) return rebase();  // first of all a credential that works
  } else if (backend() == Backend::TwoCredentials) {
    if (auto stop = revoke_leftovers(**current, cleaned_up)) return *stop;
    if (!strategy().traits().set_replaces) {  // before the backend mints anything
      if (auto stop = look_whether_taken()) return *stop;
    }
  }
  if (auto stop = too_old()) return *stop;
  auto made = strategy().create(context(decision_.version_id), **current);
  if (!made.ok()) return failed(made.error());
  return put(std::move(made).value(), /*made_here=*/true, Event::Started);
}

StepResult Steps::carry(const std::string& from, Event event) {
  const auto credential = value(from);
  if (!credential.ok()) return failed(credential.error());
  const auto current = value(labels().current);
  if (!current.ok()) return failed(current.error());
  // The same value may be put twice without an error, and then the labels are not attached: so the
  // id is looked at first.
  if (auto stop = look_whether_taken()) return *stop;
  auto carried = strategy().carry(**credential, **current);
  if (!carried.ok()) return failed(carried.error());
  return put(std::move(carried).value(), /*made_here=*/false, event);
}

Steps::Stop Steps::look_whether_taken() {
  const auto there = deps_.secrets.get_value(view_.secret.arn, next_id());
  if (there.ok()) return taken();
  if (there.error().cls == ErrorClass::NotFound) return std::nullopt;
  return failed(there.error());
}

// All our labels come with the value, in one request.
StepResult Steps::put(SecretString value, bool made_here, Event event) {
  const std::string id = next_id();
  std::set<std::string> stages{std::string(kPending), std::string(kLatest)};
  if (backend() != Backend::None) stages.insert(std::string(kBaton));
  const Status stored = deps_.secrets.put_value(
      {.secret_id = view_.secret.arn,
       .client_request_token = id,
       .value = value.clone(),
       .stages = stages,
       .rotation_token = situation_.lambda ? situation_.lambda->rotation_token : "",
       .not_after = view_.seen_at + deps_.timing.view_age()});
  if (stored.ok()) {
    pass_.keep(id, std::move(value), deps_.clock.now());  // AWS's date: differs by the skew
    compare_with_known(id, made_here && backend() == Backend::TwoCredentials);
    for (const std::string& label : stages) move_label(view_.secret.stages, label, id);
    view_.labels = read_labels(view_.secret.arn, view_.secret.stages);
    view_.changed_here = true;
    return progress(event, "Version " + id + " was put.");
  }
  const Error& error = stored.error();
  if (error.cls == ErrorClass::Transient)
    return failed(error);  // it may have been stored, or may yet be
  if (error.cls == ErrorClass::Conflict) {
    const auto theirs = deps_.secrets.get_value(view_.secret.arn, id);
    const bool ours = theirs.ok() && !theirs->binary && theirs->value == value;
    if (!ours && made_here) discard(value);
    return taken();
  }
  if (made_here) discard(value);
  return failed(error);
}

// Best effort: what cannot be deleted now carries our mark and is found as a leftover. Nobody else
// knows what was minted a moment ago, so that deleting it has no deadline: a put that came too late
// is one of its reasons.
void Steps::discard(const SecretString& value) {
  StepContext ctx = context(next_id());
  ctx.deadline = MonoTime::max();
  (void)strategy().discard(ctx, value);
}

// The id of the next version exists. Either somebody was faster, or the version lost our label and
// the chain of ids has to go on from it.
StepResult Steps::taken() {
  const Labels before = labels();
  const std::string id = next_id();
  auto fresh = engine_.look(view_.secret.arn);
  if (!fresh.ok()) return failed(fresh.error());
  view_ = std::move(fresh).value();
  if (labels() != before)
    return progress(Event::None, "Somebody else was faster; going on from what they did.");
  if (auto stop = move(kLatest, holder(view_.secret.stages, kLatest), id)) return *stop;
  // Or what was read was old, and the label had never gone: nothing is built on it at once.
  return after(kLookAgain, "Version " + id + " had lost KEYTURN_LATEST; it was put back.");
}

StepResult Steps::hand_over() {
  const Status asked = strategy().hand_over(context(decision_.version_id));
  if (!asked.ok()) return failed(asked.error());
  StepResult waiting_for_aws =
      after(deps_.timing.request_deadline, "AWS was asked to rotate the secret.");
  waiting_for_aws.event = Event::Started;
  return waiting_for_aws;
}

// What was minted a moment ago is in no older version: that needs no look at their values.
void Steps::compare_with_known(const std::string& version_id, bool minted) {
  const SecretString* value = pass_.find(version_id);
  for (const std::string& other : {labels().current, labels().previous}) {
    const SecretString* known = other.empty() ? nullptr : pass_.find(other);
    if (known != nullptr) {
      deps_.memory.remember_equal(key(), version_id, other,
                                  strategy().same_credential(*value, *known));
    } else if (minted && !other.empty()) {
      deps_.memory.remember_equal(key(), version_id, other, false);
    }
  }
}

}  // namespace keyturn::engine
