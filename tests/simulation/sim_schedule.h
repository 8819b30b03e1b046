// The schedule of the simulation: fake time, two leaders on threads of which exactly one runs at a
// time, and what becomes of each request. Every request is a point at which it decides who goes on,
// what fails, and how much time passes; what the world does meanwhile is in the derived class. It
// decides by chance, or as adversities were placed (placements.h): then the first leader runs
// alone, and nothing happens that was not placed.
//
// A request is checked for its age when it is sent and carried out up to a request deadline later,
// as on a network. Deterministic by seed. Thread rule: whoever holds the turn may touch everything.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "tests/simulation/placements.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::simulation {

// Thrown out of a request: the process dies there, or the schedule is over.
struct Crash {};
struct Stop {};

struct Failure {
  std::string what;
};

inline constexpr Duration kRequestDeadline{15'000};
Error lost(const std::string& request);

class Schedule {
 public:
  // With `placed` it happens what is placed, and nothing by chance. It must outlive the schedule.
  Schedule(std::uint64_t seed, bool trace, Placements* placed = nullptr);
  virtual ~Schedule() = default;

  // --- for leaders, each on its thread ---
  void start(std::size_t leader);                     // waits for its first turn
  void sleep(std::size_t leader, Duration duration);  // between two passes
  void finish(std::size_t leader);
  bool calm() const { return calm_; }
  bool placed() const { return placed_ != nullptr; }
  bool over() const { return over_; }
  Duration away() const;  // the policy is deleted for that long; who comes back remembers nothing
  void tell(const std::string& line);
  // What the product says to people and to Kubernetes, the data of Secrets apart: no credential
  // (I5).
  virtual void said(const std::string& text) = 0;
  void fired(int row);                             // coverage
  void note(const char* what) { ++notes_[what]; }  // coverage of what is no fault

  // The whole schedule; afterwards failure() and coverage().
  void run(const std::array<std::function<void()>, 2>& leaders);

  Clock& clock() { return clock_; }
  Rng& rng() { return rng_; }
  const std::optional<Failure>& failure() const { return failure_; }
  using Coverage = std::map<std::pair<int, Fault>, int>;  // (row, fault that had happened before)
  const Coverage& coverage() const { return coverage_; }
  using Notes = std::map<std::string, int>;
  const Notes& notes() const { return notes_; }
  int requests() const { return requests_; }

  enum class Fate { Carried, LostReply, Late, Throttled, Refused };
  // A request leaves: faults are drawn, others may go first.
  Fate send(const std::string& name, bool writes);
  void arrive();  // its reply comes back
  // One that changes something: checked for its age when it is sent, carried out when it gets
  // there.
  Status write(const std::string& name, const std::optional<MonoTime>& not_after,
               const std::function<Status()>& carry_out);
  // A request that its sender has given up on gets there later, at most a deadline after `sent`.
  void later(const std::string& name, MonoTime sent, std::function<void()> carry_out);
  void happened(Fault fault);
  // Whether the request under way meets it.
  bool strikes(Fault fault);
  // What the world does by itself: often enough it does (then it does where all is placed), or it
  // is an accident.
  bool likely(double p) { return placed_ != nullptr ? p >= 0.3 : rng_.unit() < p; }
  bool accident(double p) { return placed_ == nullptr && rng_.unit() < p; }
  std::size_t current() const { return current_; }  // whose turn it is

 protected:
  // Something that a person does; false: there was nothing to do it to.
  virtual bool act(Act what) = 0;
  virtual void others_act() = 0;  // people, and whatever works by itself
  virtual void check() = 0;       // what must hold at every instant
  // And when all has come to rest: "" or what is wrong.
  virtual std::string unrest() const = 0;
  virtual bool waits_for_person() const = 0;  // then unrest() excuses what that one may still do
  virtual void becoming_calm() = 0;           // no more faults from here on
  enum class Rest { Early, Late };
  virtual void resting(Rest) = 0;  // a leader sleeps, and it has been calm for a little or for long

  void fail(const std::string& what);
  void go_away(Duration duration);  // see away()

  SeededRng rng_;
  testing::FakeClock clock_;

 private:
  struct Leader {
    bool busy = false;  // in a pass
    bool gone = false;
    bool retires = false;  // goes when it is calm
    MonoTime wakes{};
    std::optional<MonoTime> back_by;  // a request is under way: its deadline
    int number = 0;                   // of its last request
    bool writing = false;             // that one changes something
    bool to_halt = false;             // before its next request that changes something
    bool halted = false;
    std::condition_variable turn;
  };
  struct Ghost {
    MonoTime lands;
    std::function<void()> carry_out;
  };
  void turn();  // time passes, people act, somebody else may go on
  void pass_time(Duration at_most);
  void switch_to(std::size_t leader);
  void wait_for_turn(std::size_t leader);
  void become_calm();
  void land_ghosts();
  void look_at_rest();
  bool chance(double p) { return !calm_ && rng_.unit() < p; }

  // --- where all is placed (sim_placed.cpp) ---
  void leaves(const std::string& name, bool writes);  // a request gets its number
  void placed_at(int number);  // people and the second leader, before it is carried out
  void hand_over();            // the second leader goes on, until its pass ends or it is halted
  void halt();                 // if it is to
  bool arrived();              // a request was carried out; true: the process dies
  void sleep_placed(std::size_t leader, Duration duration);
  void nothing_more();
  std::string number_of(const Leader& leader) const {
    return placed_ == nullptr ? "" : std::to_string(leader.number) + ": ";
  }
  static constexpr Duration kCalm{9 * 3'600'000};  // two clean-ups of what is older than an hour
  static constexpr Duration kPlacedTime{50};       // to get there, and to come back
  static constexpr Duration kPlacedLate{14'900};   // as late as a request may get there

  const bool trace_;
  std::array<Leader, 2> leaders_;
  std::vector<Ghost> ghosts_;
  std::mutex mutex_;
  std::size_t current_ = 0;
  std::array<double, kFaults> odds_{};
  int chaos_ = 0;  // requests until calm
  MonoTime away_until_{};
  bool calm_ = false, over_ = false;
  MonoTime calm_since_{};
  std::optional<MonoTime> rested_since_;
  int requests_ = 0;
  std::array<bool, kFaults> seen_{};
  Coverage coverage_;
  Notes notes_;
  std::optional<Failure> failure_;

  Placements* const placed_;
  bool behind_ = false;  // the halted leader goes on after the other one's next change
  const MonoTime begun_ = clock_.mono();
  MonoTime last_change_ = begun_;  // a request that changes something, or an adversity
  int rests_ = 0;
};

}  // namespace keyturn::simulation
