// The engine alone: the driver behind `keyturn secret`. A command is an errand: how it judges a
// view, which decisions it lets be carried out, and when it is done.
//
//   drive(): look → decide → (the errand's word) → perform → decide …, a new look after each wait.
//
// A wait is bounded by the errand's time limit and ends at once when a stop is requested; whatever
// was done by then is in the labels, and the same command goes on from there. Thread rule: one
// thread. Errors: those of the requests; Transient "TimeLimit", Unavailable "Stopped".
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/engine/engine.h"

namespace keyturn::cli {

// One thing that was done or is waited for, for people and for -o json. Holds no value.
struct Progress {
  std::string step;    // createSecret…; "" for none
  std::string action;  // the engine's
  std::string event;   // Started, Finished…; "" for none
  std::string note;
};

struct Alone {
  std::string secret_id;
  aws::SecretsManager& secrets;
  const engine::Strategy& strategy;
  Clock& clock;
  Rng& rng;
  engine::Timing timing{};
  Duration time_limit{600'000};
  std::stop_token stop{};
  std::function<void(const Progress&)> tell = [](const Progress&) {};
  // Outlives an Alone where one process makes several, one after another, for the same secret.
  std::shared_ptr<engine::Memory> memory = std::make_shared<engine::Memory>();

  engine::Engine engine() {
    return engine::Engine({secrets, strategy, *memory, clock, rng, timing});
  }
};

// The errand's word on one decision.
struct Word {
  enum class Kind {
    Perform,
    Again,  // the errand has changed its mind: judge the same view again
    Done,   // the errand's end
    Wait,   // nothing to do now: look again after `delay`
    Refuse  // `error`
  } kind = Kind::Perform;
  Error error{};
  Duration delay{0};

  static Word perform() { return {}; }
  static Word again() { return {Kind::Again}; }
  static Word done() { return {Kind::Done}; }
  static Word wait(Duration delay) { return {Kind::Wait, {}, delay}; }
  static Word refuse(Error error) { return {Kind::Refuse, std::move(error)}; }
};

class Errand {
 public:
  virtual ~Errand() = default;
  virtual engine::Situation judge(const engine::View& view) = 0;
  // May change the decision before it is carried out.
  virtual Word word(const engine::View& view, engine::Decision& decision) = 0;
  virtual void happened(const engine::Decision&, const engine::StepResult&) {}
};

// The view on which the errand said that it is done.
Result<engine::View> drive(Alone& alone, Errand& errand);

// Rows 1 to 6 of the protocol's table: an attempt is under way, or what is left of one.
bool is_attempt(const engine::Decision& decision);
// "AttemptUnderWay": what waits for the end of such an attempt.
Error under_way(const engine::View& view, const engine::Decision& decision);
// Refuse's reason and message as an error.
Error refused(const engine::Decision& decision);

}  // namespace keyturn::cli
