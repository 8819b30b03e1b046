#include "controller/cli/secret_drive.h"

#include <algorithm>
#include <optional>

#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

using engine::Decision;
using engine::StepResult;

constexpr int kMaxTurns = 32;  // more means that two actors undo each other: look again later
constexpr Duration kFirstBackOff{1'000};
constexpr Duration kLongestBackOff{30'000};
constexpr Duration kLookAgain{5'000};
// Steps in a row that were not done within two request deadlines: some at once, lest a hiccup
// costs a wait, the others a second apart.
constexpr int kHiccups = 3;
constexpr int kMostTooLate = 10;

// Whether the same request may succeed without anybody's doing.
bool passes_by_itself(const Error& error) {
  return error.cls == ErrorClass::Transient || error.cls == ErrorClass::Throttled ||
         error.cls == ErrorClass::Unavailable || error.cls == ErrorClass::Conflict;
}

class Driver {
 public:
  Driver(Alone& alone, Errand& errand)
      : alone_(alone),
        errand_(errand),
        engine_(alone.engine()),
        deadline_(alone.clock.mono() + alone.time_limit) {}

  Result<engine::View> run() {
    for (;;) {
      if (alone_.stop.stop_requested()) return stopped();
      auto view = engine_.look(alone_.secret_id);
      if (!view) {
        if (auto end = after_error(view.error())) return *end;
        continue;
      }
      if (auto end = pass(*view)) return std::move(*end);
    }
  }

 private:
  using End = std::optional<Result<engine::View>>;

  End pass(engine::View& view) {
    engine::Pass values;
    for (int turn = 0; turn < kMaxTurns; ++turn) {
      const engine::Situation situation = errand_.judge(view);
      Decision decision = engine_.decide(view, situation);
      const Word word = errand_.word(view, decision);
      switch (word.kind) {
        case Word::Kind::Refuse:
          return word.error;
        case Word::Kind::Done:
          return std::move(view);
        case Word::Kind::Again:
          continue;
        case Word::Kind::Wait:
          return wait(word.delay, decision, decision.message);
        case Word::Kind::Perform:
          break;
      }
      if (alone_.stop.stop_requested()) return stopped();
      const StepResult result = engine_.perform(view, decision, situation, values);
      errand_.happened(decision, result);
      if (result.kind != StepResult::Kind::Progress) return after(decision, result);
      failures_ = 0;
      if (decision.action != engine::Action::Compare) too_late_ = 0;
      tell(decision, result);
    }
    return wait(kLookAgain, {}, "The labels keep changing; looking again.");
  }

  End after(const Decision& decision, const StepResult& result) {
    switch (result.kind) {
      case StepResult::Kind::After:
        if (result.error.code == engine::kViewTooOld) return too_late(decision, result);
        too_late_ = 0;
        if (result.event != engine::Event::None) tell(decision, result);
        return wait(result.delay, decision, result.note);
      case StepResult::Kind::Retry:
        return after_error(result.error);
      case StepResult::Kind::Terminal:
        return result.error;
      case StepResult::Kind::Driver:
      case StepResult::Kind::Progress:
        break;
    }
    tell(decision, result);
    return std::nullopt;  // the errand says what that means on the next look
  }

  // The same again would take as long: not for ever.
  End too_late(const Decision& decision, const StepResult& result) {
    if (++too_late_ >= kMostTooLate) {
      return make_error(ErrorClass::Transient, std::string(engine::kViewTooOld),
                        alone_.secret_id + ": " + std::string(to_string(decision.step)) + " took " +
                            "longer than two request deadlines (" +
                            format_duration(alone_.timing.request_deadline) + " each), " +
                            std::to_string(too_late_) +
                            " times in a row; give it a longer --request-deadline "
                            "(KEYTURN_REQUEST_DEADLINE in a Lambda function). What was done is "
                            "kept, and the same command goes on from here");
    }
    return wait(too_late_ < kHiccups ? Duration(0) : kFirstBackOff, decision, result.note);
  }

  End after_error(const Error& error) {
    if (!passes_by_itself(error)) return error;
    const Duration longest =
        std::min(kLongestBackOff, kFirstBackOff * (1 << std::min(failures_, 5)));
    ++failures_;
    return wait(std::max(longest, error.retry_after.value_or(Duration(0))), {}, error.message);
  }

  // Nothing: look again.
  End wait(Duration delay, const Decision& decision, const std::string& why) {
    const MonoTime until = alone_.clock.mono() + delay;
    if (until > deadline_) {
      return make_error(ErrorClass::Transient, "TimeLimit",
                        alone_.secret_id + ": not done within " +
                            format_duration(alone_.time_limit) +
                            "; the same command goes on from here. Last: " + why);
    }
    if (delay >= Duration(1'000) && why != last_wait_) {
      last_wait_ = why;
      alone_.tell({std::string(to_string(decision.step)), "Wait", "",
                   "waiting " + format_duration(delay) + ": " + why});
    }
    if (!sleep_until(alone_.clock, until, alone_.stop)) return stopped();
    return std::nullopt;
  }

  void tell(const Decision& decision, const StepResult& result) {
    const bool inside = decision.action == engine::Action::Compare;
    if (inside && result.event == engine::Event::None) return;
    std::string note = result.note.empty() ? decision.message : result.note;
    if (!result.cleaned_up.empty()) note += " " + result.cleaned_up;
    alone_.tell({std::string(to_string(decision.step)), std::string(to_string(decision.action)),
                 result.event == engine::Event::None ? "" : std::string(to_string(result.event)),
                 std::move(note)});
  }

  Error stopped() const {
    return make_error(ErrorClass::Unavailable, "Stopped",
                      alone_.secret_id +
                          ": stopped; what was done is kept in the secret's labels, and the same "
                          "command goes on from there");
  }

  Alone& alone_;
  Errand& errand_;
  const engine::Engine engine_;
  const MonoTime deadline_;
  int failures_ = 0;
  int too_late_ = 0;
  std::string last_wait_;
};

}  // namespace

Result<engine::View> drive(Alone& alone, Errand& errand) { return Driver(alone, errand).run(); }

Error refused(const Decision& decision) { return invalid(decision.reason, decision.message); }

bool is_attempt(const Decision& decision) { return decision.row >= 1 && decision.row <= 6; }

Error under_way(const engine::View& view, const Decision& decision) {
  return invalid("AttemptUnderWay", view.secret.name + ": a rotation is under way (version " +
                                        decision.version_id +
                                        "); finish it with `keyturn secret rotate`, or give it up "
                                        "with `keyturn secret abandon`");
}

}  // namespace keyturn::cli
