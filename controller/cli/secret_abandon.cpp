// abandon_alone() and its kin: attempts that are not to become current.
#include "controller/cli/secret_errands.h"

namespace keyturn::cli {
namespace {

using engine::Action;
using engine::Backend;
using engine::Decision;
using engine::Event;
using engine::Labels;
using engine::StepResult;
using engine::View;

class AbandonErrand final : public Errand {
 public:
  engine::Situation judge(const View&) override { return {}; }

  Word word(const View& view, Decision& decision) override {
    if (decision.action == Action::Refuse) return Word::refuse(refused(decision));
    if (!is_attempt(decision)) return Word::done();
    if (version_.empty()) version_ = view.labels.latest;
    if (rebased_) return Word::perform();
    switch (decision.action) {
      case Action::SetAndTest:
        decision.action = Action::GiveUp;
        decision.row = 1;
        decision.quiet = false;
        decision.message = "The attempt is given up as asked.";
        return Word::perform();
      case Action::MoveCurrent:
        decision.action = Action::DropPending;
        decision.message = "The attempt is given up as asked.";
        note_ = "Version " + version_ + " was given up; it never became current.";
        return Word::perform();
      case Action::RetestAndMove:
        return decided(view);
      case Action::DropPending:
        return decision.row == 3 ? decided(view) : Word::perform();
      default:
        return Word::perform();
    }
  }

  void happened(const Decision&, const StepResult& result) override {
    if (result.event == Event::Rebased) rebased_ = true;
    if (result.event != Event::None) note_ = result.note;
  }

  Released result(const View& view) const {
    if (version_.empty())
      return {view.secret.arn, "", "No attempt of " + view.secret.name + " is under way."};
    if (view.labels.current == version_)
      return {view.secret.arn, "", "Version " + version_ + " is current; nothing is under way."};
    if (!rebased_) return {view.secret.arn, version_, note_};
    return {view.secret.arn, version_,
            "The backend had already taken the new credential: version " + view.labels.current +
                " holds it and is current."};
  }

 private:
  Word decided(const View& view) const {
    return Word::refuse(invalid(
        "AlreadyDecided", view.secret.name + ": version " + view.labels.latest +
                              " was tested and is decided to become current, which cannot be taken "
                              "back; finish with `keyturn secret rotate`, then rotate again"));
  }

  std::string version_, note_;
  bool rebased_ = false;
};

Status drop(aws::SecretsManager& secrets, const View& view, std::string_view label,
            const std::string& from) {
  if (from.empty()) return {};
  return secrets.update_stage({.secret_id = view.secret.arn,
                               .stage = std::string(label),
                               .remove_from = from,
                               .move_to = ""});
}

}  // namespace

Result<Released> abandon_alone(Alone& alone) {
  AbandonErrand errand;
  auto view = drive(alone, errand);
  if (!view) return std::move(view).error();
  return errand.result(*view);
}

Result<Released> release_foreign(Alone& alone) {
  const engine::Traits& traits = alone.strategy.traits();
  if (traits.backend != Backend::None && traits.backend != Backend::ReadOnly) {
    return invalid("NotForeign", "strategy " + traits.name +
                                     " can revoke what it began: leave --keep-credential out");
  }
  auto view = alone.engine().look(alone.secret_id);
  if (!view) return std::move(view).error();
  const Labels& l = view->labels;
  if (l.baton.empty())
    return Released{view->secret.arn, "", "Nobody holds KEYTURN_BATON; nothing was done."};
  const bool attempt = l.pending == l.latest && l.pending != l.current;
  if (auto done = drop(alone.secrets, *view, engine::kBaton, l.baton); !done)
    return std::move(done).error();
  if (attempt) {
    if (auto done = drop(alone.secrets, *view, engine::kPending, l.pending); !done)
      return std::move(done).error();
  }
  const std::string& whose = l.baton == l.current ? l.latest : l.baton;
  return Released{view->secret.arn, whose,
                  "KEYTURN_BATON is gone. The credential of version " + whose +
                      " may still be valid at its backend: revoke it there by hand."};
}

Result<Released> discard_pending(aws::SecretsManager& secrets, const std::string& secret_id,
                                 const std::string& version_id) {
  auto described = secrets.describe(secret_id);
  if (!described) return std::move(described).error();
  View view;
  view.secret = std::move(described).value();
  view.labels = engine::read_labels(view.secret.arn, view.secret.stages);
  const Labels& l = view.labels;
  const std::string& name = view.secret.name;
  if (l.pending.empty())
    return Released{view.secret.arn, "", "No version of " + name + " is labelled AWSPENDING."};
  if (l.pending != version_id) {
    return invalid("OtherPending", name + ": AWSPENDING is on version " + l.pending + ", not on " +
                                       version_id + "; nothing was done");
  }
  const bool ours = l.pending == l.latest || l.pending == l.baton;
  if (ours && l.pending != l.current) {
    return invalid("MadeByKeyturn",
                   name + ": version " + version_id +
                       " was made by Keyturn and its credential may live at a backend; "
                       "`keyturn secret abandon` gives it up, `keyturn secret rotate` finishes it");
  }
  if (auto done = drop(secrets, view, engine::kPending, version_id); !done)
    return std::move(done).error();
  return Released{
      view.secret.arn, version_id,
      "AWSPENDING is off version " + version_id + "; a credential that it holds stays as it is."};
}

}  // namespace keyturn::cli
