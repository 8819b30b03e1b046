// retire_alone() and abandon_alone(): what ends a credential on a person's word.
#include "controller/cli/secret_errands.h"

namespace keyturn::cli {
namespace {

using engine::Action;
using engine::Decision;
using engine::Event;
using engine::StepResult;
using engine::View;

class RetireErrand final : public Errand {
 public:
  engine::Situation judge(const View&) override { return {.retire = true}; }

  Word word(const View& view, Decision& decision) override {
    if (!version_.empty() && view.labels.baton != version_) return Word::done();
    if (decision.action == Action::Refuse) return Word::refuse(refused(decision));
    if (is_attempt(decision)) return Word::refuse(under_way(view, decision));
    if (decision.step != engine::Step::Retire) return Word::done();
    version_ = view.labels.baton;
    return Word::perform();
  }

  void happened(const Decision&, const StepResult& result) override {
    if (result.event != Event::None) note_ = result.note;
  }

  Released result(const View& view) const {
    return {view.secret.arn, version_,
            version_.empty() ? "No credential of " + view.secret.name + " waits to be revoked."
            : note_.empty()  ? "Somebody else has just released version " + version_ + "."
                             : note_};
  }

 private:
  std::string version_, note_;
};

}  // namespace

Result<Released> retire_alone(Alone& alone) {
  RetireErrand errand;
  auto view = drive(alone, errand);
  if (!view) return std::move(view).error();
  return errand.result(*view);
}

}  // namespace keyturn::cli
