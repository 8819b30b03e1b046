// delete_alone(): first the credentials, then the secret.

#include "controller/cli/secret_errands.h"
#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

using engine::Action;
using engine::Backend;
using engine::Decision;
using engine::Event;
using engine::StepResult;
using engine::Verdict;
using engine::View;

// Everything but the current credential: the old one, leftovers. Then waits until nothing has
// changed for as long as a request planned on an older view may be on its way.
class ClearErrand final : public Errand {
 public:
  explicit ClearErrand(Alone& alone) : alone_(alone) {}

  engine::Situation judge(const View&) override {
    return {.retire = true, .clean_up = !cleaned_up_ && mints()};
  }

  Word word(const View& view, Decision& decision) override {
    if (decision.action == Action::Refuse) return Word::refuse(refused(decision));
    if (is_attempt(decision)) return Word::refuse(under_way(view, decision));
    if (decision.action != Action::Nothing) return Word::perform();
    return quiet(view) ? Word::done() : Word::wait(left(view));
  }

  void happened(const Decision&, const StepResult& result) override {
    if (result.event == Event::CleanedUp) cleaned_up_ = true;
  }

 private:
  bool mints() const { return alone_.strategy.traits().backend == Backend::TwoCredentials; }
  Duration left(const View& view) {
    const engine::Engine engine = alone_.engine();
    const MonoTime since = alone_.memory->unchanged_since(
        engine.memory_key(view), engine::Engine::fingerprint(view, judge(view)),
        alone_.clock.mono());
    return since + alone_.timing.quiet() - view.seen_at;
  }
  bool quiet(const View& view) { return !mints() || left(view) <= Duration(0); }

  Alone& alone_;
  bool cleaned_up_ = false;
};

class Deletion {
 public:
  Deletion(Alone& alone, const View& view) : alone_(alone), engine_(alone.engine()), view_(view) {}

  // What became of the current credential.
  Result<std::string> revoke() {
    const engine::Traits& traits = alone_.strategy.traits();
    const bool has_backend =
        traits.backend == Backend::TwoCredentials || traits.backend == Backend::ForwardOnly;
    if (!has_backend) return std::string("There was no backend to revoke a credential at.");
    if (traits.backend == Backend::ForwardOnly || traits.set_replaces)
      return kept("strategy " + traits.name + " cannot revoke its credential",
                  "change it at the backend, then");
    engine::Pass pass;
    auto value = engine_.value(view_, view_.labels.current, pass);
    if (!value) return std::move(value).error();
    // Whatever a test says: one that is gone costs nothing, and one that is only set inactive, or
    // was refused by mistake, would be left behind.
    const Status revoked =
        alone_.strategy.abandon(context(), **value, [this] { return unchanged(); });
    auto still = accepts(**value);
    if (!still) return std::move(still).error();
    if (!*still) return "The credential of version " + view_.labels.current + " is revoked.";
    if (!revoked) return revoked.error();
    return kept("the backend still accepts the credential of version " + view_.labels.current +
                    ", which was not minted for it",
                "`keyturn secret rotate` and `retire` put one of Keyturn's own there, or");
  }

 private:
  Error kept(const std::string& why, const std::string& remedy) const {
    return invalid("CredentialKept", view_.secret.name + " was not deleted: " + why + "; " +
                                         remedy +
                                         " --keep-credential deletes the secret and nothing else");
  }
  engine::StepContext context() const {
    return {.arn = view_.secret.arn,
            .version_id = view_.labels.current,
            .clock = &alone_.clock,
            .rng = &alone_.rng,
            .deadline = alone_.clock.mono() + alone_.timing.view_age()};
  }
  // A refusal counts when it is given twice: servers also refuse while they cannot look a
  // credential up.
  Result<bool> accepts(const SecretString& value) const {
    auto tested = alone_.strategy.test(context(), value);
    if (tested.verdict == Verdict::Rejected) tested = alone_.strategy.test(context(), value);
    if (tested.verdict != Verdict::Unknown) return tested.verdict == Verdict::Accepted;
    return make_error(ErrorClass::Transient, "TestUnknown",
                      view_.secret.name +
                          " was not deleted: whether its credential is still "
                          "accepted is not known: " +
                          tested.detail);
  }
  bool unchanged() const {
    const auto fresh = engine_.look(view_.secret.arn);
    return fresh.ok() && fresh->labels == view_.labels &&
           fresh->secret.last_changed == view_.secret.last_changed;
  }

  Alone& alone_;
  const engine::Engine engine_;
  const View& view_;
};

}  // namespace

Result<Deleted> delete_alone(Alone& alone, aws::SecretsAdmin& admin, int recovery_days,
                             bool keep_credential) {
  auto seen = alone.engine().look(alone.secret_id);
  if (!seen) return std::move(seen).error();
  if (seen->secret.deleted) {
    return Deleted{seen->secret.arn, seen->secret.name + " already awaits deletion.",
                   *seen->secret.deleted};
  }
  std::string note = "No credential was revoked.";
  if (!keep_credential) {
    ClearErrand errand(alone);
    auto view = drive(alone, errand);
    if (!view) return std::move(view).error();
    auto revoked = Deletion(alone, *view).revoke();
    if (!revoked) return std::move(revoked).error();
    note = std::move(revoked).value();
  }
  auto when = admin.delete_secret({seen->secret.arn, recovery_days});
  if (!when) return std::move(when).error().with_context(note);
  return Deleted{seen->secret.arn, note, *when};
}

}  // namespace keyturn::cli
