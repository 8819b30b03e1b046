// The world of the seeded simulation: AWS, a backend, one target with its pods, two leaders on
// threads of which exactly one runs at a time, people, and fake time. Every request is a point at
// which the schedule decides who goes on, what fails, and how much time passes.
//
// A request is checked for its age when it is sent and carried out up to a request deadline later,
// as on a network. Deterministic by seed. Thread rule: whoever holds the turn may touch everything.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/rng.h"
#include "lib/engine/engine.h"
#include "tests/simulation/backends.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::simulation {

enum class Kind { Minting, SoftMinting, ForwardOnly, None, Delegated };
inline constexpr std::array kKinds{Kind::Minting, Kind::SoftMinting, Kind::ForwardOnly, Kind::None,
                                   Kind::Delegated};
const char* to_string(Kind kind);

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

// Thrown out of a request: the process dies there, or the schedule is over.
struct Crash {};
struct Stop {};

struct Failure {
  std::string what;
};

class SimWorld final : public aws::SecretsManager {
 public:
  SimWorld(Kind kind, std::uint64_t seed, bool trace);

  // --- what leaders see and do beside AWS and the backend ---
  struct Pod {
    std::string value;
  };
  struct Cluster {
    std::string version, value;  // of the target Secret
    int resource_version = 0;
    std::array<Pod, 2> pods;
  };
  const Cluster& cluster() const { return cluster_; }
  bool apply_secret(const std::string& version, const std::string& value,
                    int resource_version);  // false: somebody else wrote it
  void restart_pods();
  bool rotation_due() const;  // a rotation was asked for after the current version was made
  std::string rollback_of() const { return rollback_of_; }
  void rollback_answered() { rollback_of_.clear(); }
  Status rotate_secret(
      const std::string& version_id);  // AWS's RotateSecret, for the delegated kind
  Duration away() const;  // the policy is deleted for that long; who comes back remembers nothing
  void tell(const std::string& line);
  void fired(int row);  // coverage

  // --- the schedule ---
  void start(std::size_t leader);  // on the leader's thread: waits for its first turn
  void sleep(std::size_t leader, Duration duration);  // between two passes
  void finish(std::size_t leader);
  bool calm() const { return calm_; }
  bool over() const { return over_; }
  void run(const std::array<std::function<void()>, 2>&
               leaders);  // the whole schedule; afterwards failure() and coverage()

  Kind kind() const { return kind_; }
  Clock& clock() { return clock_; }
  Rng& rng() { return rng_; }
  const engine::Strategy& strategy() const { return *strategy_; }
  const std::string& arn() const { return arn_; }
  const std::optional<Failure>& failure() const { return failure_; }
  using Coverage = std::map<std::pair<int, Fault>, int>;  // (row, fault that had happened before)
  const Coverage& coverage() const { return coverage_; }
  int requests() const { return requests_; }
  int finished() const { return finished_; }

  // --- aws::SecretsManager, through the schedule ---
  Result<aws::SecretMetadata> describe(const std::string& secret_id) override;
  Result<aws::SecretValue> get_value(const std::string& secret_id, const std::string& version_id,
                                     const std::string& stage = "") override;
  Result<std::vector<aws::VersionInfo>> list_versions(const std::string& secret_id,
                                                      bool include_deprecated) override;
  Result<aws::ListSecretsPage> list(const aws::ListSecretsRequest& request) override;
  Status put_value(const aws::PutSecretValueRequest& request) override;
  Status update_stage(const aws::UpdateStageRequest& request) override;

 private:
  enum class Fate { Carried, LostReply, Late, Throttled, Refused };
  Fate send(const std::string& name,
            bool write);  // a request leaves: faults are drawn, others may go first
  void arrive();          // its reply comes back
  Status write(const std::string& name, const std::optional<MonoTime>& not_after,
               const std::function<Status()>& carry_out);
  std::optional<Error> backend_request(const std::string& name, When when);
  void carry_out_backend(const std::string& name);

  void turn();  // time passes, people act, somebody else may go on
  void pass_time(Duration at_most);
  void switch_to(std::size_t leader);
  void wait_for_turn(std::size_t leader);
  void become_calm();
  void people();
  void one_act();
  bool some_label_works() const;
  void person_moves(std::string_view label, const std::string& to);
  void aws_rotates();  // the delegated kind's function takes a step
  void land_ghosts();
  void check();
  void check_end();
  void fail(const std::string& what);
  void happened(Fault fault);
  bool chance(double p) { return !calm_ && rng_.unit() < p; }
  std::string holder(std::string_view label) const { return aws_.holder(arn_, std::string(label)); }
  std::string others_at(const std::string& version) const {
    return others_of(aws_.value_of(arn_, version).value_or(""));
  }
  bool works(const std::string& version) const;  // its credential does, now
  bool accepted(const std::string& credential) const;
  bool two_credentials() const { return kind_ == Kind::Minting || kind_ == Kind::SoftMinting; }
  void saved_by_person(const std::string& credential, const std::string& others);

  const Kind kind_;
  const bool trace_;
  SeededRng rng_;
  testing::FakeClock clock_;
  testing::FakeSecretsManager aws_;
  TokenBackend tokens_;
  PasswordBackend password_;
  std::unique_ptr<engine::Strategy> strategy_;
  std::string arn_;
  Cluster cluster_;

  struct Leader {
    bool busy = false;  // in a pass
    bool gone = false;
    bool retires = false;  // goes when it is calm
    MonoTime wakes{};
    std::optional<MonoTime> back_by;  // a request is under way: its deadline
    std::condition_variable turn;
  };
  struct Ghost {  // a request that its sender has given up on
    MonoTime lands;
    std::function<void()> carry_out;
  };
  std::array<Leader, 2> leaders_;
  std::vector<Ghost> ghosts_;
  std::mutex mutex_;
  std::size_t current_ = 0;
  struct Odds {
    double crash = 0, lost = 0, late = 0, twice = 0, throttle = 0, refused = 0, wrong = 0,
           stale = 0, person = 0, deleted = 0;
  };
  Odds odds_;
  int chaos_ = 0;  // requests until calm
  MonoTime away_until_{};
  bool calm_ = false, over_ = false;
  MonoTime calm_since_{};
  int asked_ = 0, finished_ = 0, requests_ = 0;
  WallTime asked_at_{};
  std::string rollback_of_;
  int meddled_ = 0, wrong_ = 0, names_ = 0;
  bool latest_dropped_ = false;
  WallTime changed_by_hand_{};  // the last change of the labels that a person made
  MonoTime current_moved_{};    // when a person last moved AWSCURRENT
  int confirming_ = 0;          // leaders between their last look and a revocation
  std::string others_ = "0";    // a person's last word about the other fields
  int aws_step_ = 0;
  std::string aws_version_;
  std::array<bool, kFaults> seen_{};
  Coverage coverage_;
  std::optional<Failure> failure_;
};

}  // namespace keyturn::simulation
