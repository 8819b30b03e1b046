// step_alone(): one of AWS's four steps at a time, for finding out what a rotation meets, and as
// the rotation function that AWS calls.
#include "controller/cli/secret_errands.h"
#include "lib/base/text.h"

namespace keyturn::cli {
namespace {

using engine::Action;
using engine::Backend;
using engine::Decision;
using engine::Labels;
using engine::Step;
using engine::StepResult;
using engine::View;

// A version of ours that is not current yet.
std::string attempt_of(const View& view) {
  const Labels& l = view.labels;
  const bool there = !l.latest.empty() && l.latest != l.current &&
                     (l.pending == l.latest || l.baton == l.latest || l.baton == l.current);
  return there ? l.latest : std::string();
}

Word not_its_turn(const View& view, Step step, const Decision& next) {
  const bool none = next.action == Action::Nothing || next.action == Action::Create;
  return Word::refuse(invalid(
      "NotItsTurn",
      view.secret.name + ": it is not " + std::string(to_string(step)) + "'s turn; " +
          (none ? "no rotation is under way, `keyturn secret step createSecret` begins one"
                : "next comes " + std::string(to_string(next.action)) + " (" + next.reason +
                      "): " + next.message + " `keyturn secret rotate` does all that is left")));
}

class CreateErrand final : public Errand {
 public:
  CreateErrand(Alone& alone, bool force) : alone_(alone), force_(force) {}

  engine::Situation judge(const View&) override { return {.permit = permit_}; }

  Word word(const View& view, Decision& decision) override {
    if (!subject_.empty() && attempt_of(view) == subject_) return Word::done();
    switch (decision.action) {
      case Action::Refuse:
        return Word::refuse(refused(decision));
      case Action::SetAndTest:
      case Action::MoveCurrent:
        subject_ = decision.version_id;
        return Word::done();
      case Action::Create:
        subject_ = decision.version_id;
        return Word::perform();
      case Action::Nothing:
        return begin(view, decision);
      case Action::Compare:
        if (is_attempt(decision)) return Word::perform();
        [[fallthrough]];
      default:
        return not_its_turn(view, Step::CreateSecret, decision);
    }
  }

  Stepped result(const View& view) const {
    return {view.secret.arn, subject_, "Version " + subject_ + " is there and waits."};
  }

 private:
  Word begin(const View& view, const Decision& decision) {
    if (!view.labels.baton.empty()) {
      return Word::refuse(invalid("NotItsTurn", view.secret.name + ": " + decision.message));
    }
    if (!permit_.empty()) {
      return Word::refuse(invalid("NotCreated", view.secret.name +
                                                    ": somebody else changed its labels "
                                                    "meanwhile; look at `keyturn secret status`"));
    }
    if (auto allowed = may_start_rotation(alone_, view, force_); !allowed)
      return Word::refuse(std::move(allowed).error());
    permit_ = engine::next_version(view);
    return Word::again();
  }

  Alone& alone_;
  const bool force_;
  std::string permit_, subject_;
};

// setSecret and testSecret: nothing moves.
class TryErrand final : public Errand {
 public:
  TryErrand(const Alone& alone, Step step) : step_(step), traits_(alone.strategy.traits()) {}

  engine::Situation judge(const View&) override { return {.only = step_}; }

  Word word(const View& view, Decision& decision) override {
    if (!note_.empty()) return Word::done();
    if (decision.action == Action::Refuse) return Word::refuse(refused(decision));
    subject_ = attempt_of(view);
    if (decision.action == Action::MoveCurrent && traits_.backend == Backend::None) {
      note_ = "Strategy " + traits_.name + " has no backend; there is nothing to " +
              (step_ == Step::SetSecret ? "set." : "test.");
      return Word::done();
    }
    if (decision.action == Action::SetAndTest) {
      decision.step = step_;
      return Word::perform();
    }
    if (decision.action == Action::Compare && is_attempt(decision)) return Word::perform();
    return not_its_turn(view, step_, decision);
  }

  void happened(const Decision& decision, const StepResult& result) override {
    if (decision.action == Action::SetAndTest && result.kind == StepResult::Kind::Driver)
      note_ = result.note;
  }

  Stepped result(const View& view) const { return {view.secret.arn, subject_, note_}; }

 private:
  const Step step_;
  const engine::Traits& traits_;
  std::string subject_, note_;
};

class FinishErrand final : public Errand {
 public:
  engine::Situation judge(const View&) override { return {.only = Step::FinishSecret}; }

  Word word(const View& view, Decision& decision) override {
    const Labels& l = view.labels;
    if (decision.action == Action::Refuse) return Word::refuse(refused(decision));
    if (subject_.empty()) subject_ = attempt_of(view);
    const bool ours_is_current = !l.latest.empty() && l.latest == l.current;
    if (!is_attempt(decision)) {
      if (ours_is_current && decision.action == Action::DropBaton)
        return Word::perform();  // nothing is left to be revoked
      if (ours_is_current && (subject_.empty() || subject_ == l.current)) {
        subject_ = l.current;
        return Word::done();
      }
      return not_its_turn(view, Step::FinishSecret, decision);
    }
    switch (decision.action) {
      case Action::SetAndTest:
        decision.step = Step::FinishSecret;
        return Word::perform();
      case Action::Compare:
      case Action::RetestAndMove:
      case Action::MoveCurrent:
        return Word::perform();
      case Action::DropPending:
        if (decision.row == 3 || decision.row == 5) return Word::perform();
        [[fallthrough]];
      default:
        return not_its_turn(view, Step::FinishSecret, decision);
    }
  }

  Stepped result(const View& view) const {
    return {view.secret.arn, subject_, "Version " + subject_ + " is current."};
  }

 private:
  std::string subject_;
};

// The Lambda form: AWS chose the version and the step, and the plan goes by both.
class LambdaErrand final : public Errand {
 public:
  LambdaErrand(const engine::LambdaCall& call, const Allowed& allowed)
      : call_(call), allowed_(allowed) {}

  engine::Situation judge(const View&) override { return {.retire = true, .lambda = call_}; }

  Word word(const View& view, Decision& decision) override {
    if (!note_.empty()) return Word::done();
    if (auto allowed = allowed_(view.secret); !allowed)
      return Word::refuse(std::move(allowed).error());
    if (!view.secret.rotation_enabled) {
      return Word::refuse(invalid(
          "RotationNotEnabled",
          "The secret " + view.secret.name +
              " has RotationEnabled=false, so it is not AWS who asks; switch its rotation "
              "on (`aws secretsmanager rotate-secret --rotation-lambda-arn …`), or rotate it "
              "with `keyturn secret rotate`"));
    }
    if (decision.action == Action::Refuse) return Word::refuse(refused(decision));
    if (decision.action != Action::Nothing) return Word::perform();
    note_ = decision.message;
    return Word::done();
  }

  void happened(const Decision&, const StepResult& result) override {
    if (result.kind == StepResult::Kind::Driver) note_ = result.note;
  }

  Stepped result(const View& view) const { return {view.secret.arn, call_.version_id, note_}; }

 private:
  const engine::LambdaCall& call_;
  const Allowed& allowed_;
  std::string note_;
};

template <class E>
Result<Stepped> run(Alone& alone, E errand) {
  auto view = drive(alone, errand);
  if (!view) return std::move(view).error();
  return errand.result(*view);
}

}  // namespace

Result<Step> step_named(const std::string& name) {
  for (const Step step :
       {Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret}) {
    if (to_string(step) == name) return step;
  }
  return invalid("UnknownStep", "\"" + printable(name, 40) +
                                    "\" is not a step; steps: createSecret, setSecret, testSecret, "
                                    "finishSecret");
}

Status has_steps(const engine::Strategy& strategy) {
  const engine::Traits& traits = strategy.traits();
  if (traits.backend != Backend::Delegated && traits.backend != Backend::ReadOnly) return {};
  return invalid("NoSteps", "Strategy " + traits.name +
                                " takes no steps of its own; AWS or somebody else rotates");
}

Result<Stepped> step_alone(Alone& alone, Step step, bool force) {
  if (auto has = has_steps(alone.strategy); !has) return std::move(has).error();
  if (step == Step::CreateSecret) return run(alone, CreateErrand(alone, force));
  if (step == Step::FinishSecret) return run(alone, FinishErrand());
  return run(alone, TryErrand(alone, step));
}

Result<Stepped> step_alone(Alone& alone, const engine::LambdaCall& call, const Allowed& allowed) {
  if (auto has = has_steps(alone.strategy); !has) return std::move(has).error();
  return run(alone, LambdaErrand(call, allowed));
}

}  // namespace keyturn::cli
