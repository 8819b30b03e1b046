// rotate_alone(): the first four steps, to their end.
#include <algorithm>
#include <utility>

#include "controller/cli/secret_errands.h"
#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

using engine::Action;
using engine::Decision;
using engine::Event;
using engine::StepResult;
using engine::View;

constexpr Duration kAwsAtWork{5'000};

class RotateErrand final : public Errand {
 public:
  RotateErrand(Alone& alone, bool force) : alone_(alone), force_(force) {}

  engine::Situation judge(const View&) override { return {.permit = permit_}; }

  Word word(const View& view, Decision& decision) override {
    if (before_.empty()) before_ = view.labels.current;
    if (handed_over_ && view.labels.current != before_) subject_ = view.labels.current;
    if (ended(view, decision)) return Word::done();
    switch (decision.action) {
      case Action::Refuse:
        return Word::refuse(refused(decision));
      case Action::Nothing:
        return nothing(view, decision);
      case Action::HandOver:  // the version that AWS makes is seen by its label
        started_ = handed_over_ = true;
        return Word::perform();
      case Action::Create:
      case Action::CarryBack:
        started_ = true;
        subject_ = decision.version_id;
        return Word::perform();
      case Action::SetAndTest:
      case Action::RetestAndMove:
      case Action::MoveCurrent:
        adopt(decision.version_id);
        return Word::perform();
      case Action::Retire:
        warn_of_revocation(decision);
        return Word::perform();
      case Action::DropPending:
        if (decision.row == 3 || (decision.row == 5 && view.labels.latest == view.labels.current))
          adopt(decision.version_id);
        return Word::perform();
      default:
        return Word::perform();
    }
  }

  void happened(const Decision& decision, const StepResult& result) override {
    if (result.event == Event::GaveUp || result.event == Event::Interfered) why_not_ = result.note;
    if (decision.action == Action::DropPending && decision.row == 6) why_not_ = decision.message;
  }

  Rotated result(const View& view) const {
    const auto& l = view.labels;
    return {view.secret.arn, subject_, before_, l.baton == l.current ? std::string() : l.baton,
            under_way_};
  }

 private:
  // Once, before the wait for quiet: who wants to look at the readers first can still stop it.
  void warn_of_revocation(const Decision& decision) {
    if (std::exchange(warned_, true)) return;
    alone_.tell({std::string(engine::to_string(decision.step)),
                 std::string(engine::to_string(decision.action)), "",
                 "The credential of version " + decision.version_id +
                     ", which an earlier rotation replaced, is revoked before a new one is made; "
                     "whether workloads of a cluster still use it is not looked at."});
  }

  // Somebody's attempt is ours from now on: a version has one successor, whoever makes it.
  void adopt(const std::string& version_id) {
    under_way_ = under_way_ || !started_;
    subject_ = version_id;
  }

  bool ended(const View& view, const Decision& decision) const {
    return !subject_.empty() && view.labels.current == subject_ && !is_attempt(decision) &&
           decision.action != Action::DropBaton;  // where nothing is left to be revoked
  }

  Word nothing(const View& view, const Decision& decision) {
    if (decision.reason == engine::kRotationUnderWay) {
      adopt(decision.version_id);
      return Word::wait(kAwsAtWork);
    }
    if (!subject_.empty() || !permit_.empty()) return Word::refuse(not_rotated(view));
    if (auto allowed = may_start_rotation(alone_, view, force_); !allowed)
      return Word::refuse(std::move(allowed).error());
    permit_ = engine::next_version(view);
    return Word::again();
  }

  Error not_rotated(const View& view) const {
    return invalid("NotRotated",
                   view.secret.name + " was not rotated, version " + view.labels.current +
                       " stays in force: " +
                       (why_not_.empty() ? "somebody else changed its labels meanwhile; look at "
                                           "`keyturn secret status` and run the command again"
                                         : why_not_));
  }

  Alone& alone_;
  const bool force_;
  std::string before_, permit_, subject_, why_not_;
  bool started_ = false;
  bool handed_over_ = false;
  bool under_way_ = false;
  bool warned_ = false;
};

}  // namespace

Status may_start_rotation(Alone& alone, const View& view, bool force) {
  const std::string& last = view.labels.latest;
  if (force || last.empty()) return {};
  auto versions = alone.secrets.list_versions(view.secret.arn, true);
  if (!versions) return std::move(versions).error();
  const auto found = std::find_if(versions->begin(), versions->end(),
                                  [&](const auto& version) { return version.id == last; });
  if (found == versions->end() || !found->created) return {};
  const Duration age = alone.clock.now() - *found->created;
  if (age >= kMinRotationInterval) return {};
  return invalid("MinRotationInterval",
                 view.secret.name + ": its last rotation began " + format_age(age) +
                     " ago (version " + last + "), and two rotations start at least " +
                     format_duration(kMinRotationInterval) +
                     " apart, since AWS keeps every version for a day; --force passes that");
}

Result<Rotated> rotate_alone(Alone& alone, bool force) {
  if (alone.strategy.traits().backend == engine::Backend::ReadOnly) {
    return invalid("NeverRotates", "strategy " + alone.strategy.traits().name +
                                       " never rotates; name the one that does with --strategy");
  }
  RotateErrand errand(alone, force);
  auto view = drive(alone, errand);
  if (!view) return std::move(view).error();
  return errand.result(*view);
}

}  // namespace keyturn::cli
