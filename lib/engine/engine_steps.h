// How one decision is carried out. Internal to lib/engine; lives for one Engine::perform().
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/engine/engine.h"

namespace keyturn::engine {

class Steps {
 public:
  Steps(const Engine& engine, View& view, const Decision& decision, const Situation& situation,
        Pass& pass)
      : engine_(engine),
        deps_(engine.deps_),
        view_(view),
        decision_(decision),
        situation_(situation),
        pass_(pass) {}
  StepResult run();

 private:
  using Stop = std::optional<StepResult>;  // nullopt: go on
  StepResult step();
  enum class Asking { Works, Fails, Unclear };

  // engine_attempt.cpp: rows 1 to 6 and 9, the labels of an attempt
  StepResult compare();
  StepResult give_up();
  StepResult set_and_test();
  StepResult decide_to_finish();
  StepResult drop_pending();
  StepResult retest_and_move();
  StepResult move_current(Event event);
  StepResult drop_baton();
  Stop left_by_another_kind();
  Stop set(const SecretString& pending, const SecretString& current);

  // engine_create.cpp: row 12
  StepResult create();
  StepResult clean_up_and_create(std::string& cleaned_up);
  StepResult carry(const std::string& from,
                   Event event);  // a new version with an existing version's credential
  StepResult put(SecretString value, bool made_here, Event event);
  StepResult taken();
  StepResult hand_over();
  Stop look_whether_taken();
  void discard(const SecretString& value);
  void compare_with_known(const std::string& version_id, bool minted);

  // engine_forward.cpp: what only forward-only backends need
  StepResult rebase();
  Result<std::optional<std::string>> which_works(std::optional<TestResult>& unclear);

  // engine_retire.cpp: whatever revokes
  StepResult abandon();
  Status give_up_at_backend(StepContext& ctx, const SecretString& pending);
  StepResult retire();
  Stop give_back(const std::string& version_id, std::string& note);
  Stop restore(const std::string& version_id, std::string& note);
  StepResult wait_gate();
  StepResult clean_up();
  Stop revoke_leftovers(const SecretString& current, std::string& note);
  Result<std::vector<Leftover>> old_leftovers(const SecretString& current);
  bool retirement_may_be_lost() const;
  enum class Readers { None, Possible };
  std::function<bool()> confirmation(Readers readers, StepContext* ctx = nullptr);

  // engine_steps.cpp: shared
  Stop quiet();
  Stop too_old() const;
  bool look_again();  // false: the look failed, or the same decision does not hold any more
  Stop move(std::string_view label, const std::string& from, const std::string& to);
  Result<const SecretString*> value(const std::string& version_id) {
    return engine_.value(view_, version_id, pass_);
  }
  Result<const SecretString*> value_if_any(
      const std::string& version_id);  // null: no such version, no value, or binary
  StepContext context(const std::string& version_id) const;
  // The id of the version to make, should one be made.
  std::string next_id() const {
    return decision_.action == Action::RetestAndMove ? next_version(view_) : decision_.version_id;
  }
  std::string key() const { return engine_.memory_key(view_); }
  const Labels& labels() const { return view_.labels; }
  const Strategy& strategy() const { return deps_.strategy; }
  Backend backend() const { return deps_.strategy.traits().backend; }

  static StepResult progress(Event event, std::string note = {});
  static StepResult after(Duration delay, std::string note);
  static StepResult driver(std::string note);
  static StepResult failed(Error error);
  static StepResult view_too_old();
  static StepResult not_asked(Error error);
  static StepResult waiting(const TestResult& unknown);

  // After a lost race the labels are looked at again, but not at once: what was read may be a
  // little stale.
  static constexpr Duration kLookAgain{1000};

  const Engine& engine_;
  const Engine::Deps& deps_;
  View& view_;
  const Decision decision_;  // a copy: look_again() may change what it was made from
  const Situation& situation_;
  Pass& pass_;
  std::optional<Error> inactive_;  // StepResult::inactive
};

}  // namespace keyturn::engine
