// What can happen to a request of the simulation, and adversities placed at requests by number, in
// place of chance. Thread rule: whoever holds the turn.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyturn::simulation {

enum class Fault {
  None,
  Crash,
  LostReply,
  Late,
  Duplicate,
  Throttle,
  Refused,
  WrongRejection,
  StaleRead,
  OtherLeader,
  Person,
  PolicyDeleted
};
inline constexpr std::size_t kFaults = 12;
const char* to_string(Fault fault);

// What people do: to the secret's versions and labels, and (from EditsRestart on) in the cluster.
enum class Act {
  EditsField,
  SavesOwn,
  CurrentBack,
  CurrentToPending,
  DropsPending,
  DropsBaton,
  DropsLatest,
  RollsBack,
  PutsPending,
  AsksRotation,
  DeletesPolicy,
  EditsRestart,
  EditsReloads,
  EditsGrace,
  EditsOnFailure,
  EditsAfter,
  FollowerGoes,
  FollowerComes,
  NamespaceGoes,
  StartsPod,
  RefusesWrites,
  Pauses,
  Restarts,
  NodeRestarts
};
inline constexpr int kLabelActs = 9;  // the first ones

// One thing that is placed at a request.
struct Adversity {
  enum class Kind {
    CrashAfter,  // the process dies when it was carried out; before that: Fault::Crash
    Fault,       // of `fault`
    Other,       // the second leader makes a whole pass before it is carried out, or goes on
    Looks,       // the second leader begins a pass, and is halted before it changes anything
    Behind,      // as Looks; it goes on when the first one next has changed something
    Act          // of a person, before it is carried out
  };
  std::string_view name;
  Kind kind;
  simulation::Fault fault = simulation::Fault::None;
  simulation::Act act = simulation::Act::EditsField;
};
const std::vector<Adversity>& adversities();
const Adversity* find_adversity(std::string_view name);

struct Placement {
  int at = 0;  // the number of a request, from 1
  const Adversity* what = nullptr;
};
std::string to_string(const Placement& placement);  // "17:crash"
std::optional<Placement> parse_placement(std::string_view text);

// Placed for one run, and what became of it.
class Placements {
 public:
  explicit Placements(std::vector<Placement> list) : list_(std::move(list)), used_(list_.size()) {}

  int next_number() { return ++sent_; }
  int sent() const { return sent_; }
  // An adversity at that request, which has then happened.
  bool strikes(int number, Adversity::Kind kind, Fault fault = Fault::None);
  // Those of its kind at that request that have not happened yet.
  std::vector<std::size_t> at(int number, Adversity::Kind kind) const;
  const Placement& operator[](std::size_t n) const { return list_[n]; }
  void use(std::size_t n) { used_[n] = true; }
  bool all_used() const;
  bool used(std::size_t n) const { return used_[n]; }
  // Something is placed at an earlier request than `number` and did not happen; the one that is
  // under way apart.
  bool missed(int number, int under_way) const;

  // Requests that change something; these, those that write a status, and looks at the labels.
  void changes(int number);
  void is_point(int number) { points_.push_back(number); }
  const std::vector<int>& changing() const { return changing_; }
  const std::vector<int>& points() const { return points_; }
  // The last one that changed something, or at which a person did.
  void changed() { last_change_ = sent_; }
  int last_change() const { return last_change_; }

 private:
  std::vector<Placement> list_;
  std::vector<bool> used_;
  std::vector<int> changing_, points_;
  int sent_ = 0, last_change_ = 0;
};

}  // namespace keyturn::simulation
