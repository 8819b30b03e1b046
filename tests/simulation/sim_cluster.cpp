#include "tests/simulation/sim_cluster.h"

#include <algorithm>

namespace keyturn::simulation {
namespace {

class Small final : public SimCluster {
 public:
  Small(Schedule& schedule, Current current) : schedule_(schedule), secret_(std::move(current)) {
    pods_.fill(secret_.value);
  }

  void judge(std::size_t, const engine::View& view, engine::Situation& s) override {
    const std::string& current = view.labels.current;
    s.targets_synced = secret_.version == current;
    s.gate_open = open(current);
    s.rolled_out = !s.targets_synced || s.gate_open;
    s.gate_still_open = [this, current] { return open(current); };
  }
  void retired(std::size_t) override {}
  void look_at_target(std::size_t leader) override { seen_.at(leader) = revision_; }
  bool sync(std::size_t leader, const std::string& version, const std::string& value) override {
    const int seen = seen_.at(leader);
    if (schedule_.send("apply Secret " + version.substr(0, 18), false) != Schedule::Fate::Carried)
      return false;
    const bool fresh = revision_ == seen;
    if (fresh) {
      secret_ = {version, value};
      ++revision_;
    }
    schedule_.arrive();
    return fresh;
  }
  Duration roll_out(std::size_t) override {
    (void)schedule_.send("restart workload", false);
    pods_.fill(secret_.value);
    schedule_.arrive();
    return Duration(0);
  }
  void rolls_back(std::size_t, const std::string&) override {}
  void cannot_roll_back(std::size_t) override {}
  int rollbacks() const override { return 0; }
  Duration others(std::size_t, const Read&) override { return Duration::max(); }
  void forget(std::size_t) override {}
  void act(bool) override {}
  void one_act_of_a_person() override {}
  bool act_of_a_person(Act) override { return false; }

  std::string wrong_now(const Accepts& accepts) const override {
    if (!accepts(secret_.value)) return "I1: the Secret's credential is dead";
    return std::all_of(pods_.begin(), pods_.end(), accepts) ? "" : "I1: a pod's credential is dead";
  }
  std::string wrong_at_rest(const Current& current) const override {
    if (secret_.version != current.version || secret_.value != current.value)
      return "I3: the target does not hold AWSCURRENT";
    const bool all = std::all_of(pods_.begin(), pods_.end(),
                                 [&](const std::string& held) { return held == current.value; });
    return all ? "" : "I3: a pod does not hold AWSCURRENT";
  }

 private:
  bool open(const std::string& current) const {
    return secret_.version == current &&
           std::all_of(pods_.begin(), pods_.end(),
                       [this](const std::string& held) { return held == secret_.value; });
  }

  Schedule& schedule_;
  Current secret_;
  int revision_ = 0;
  std::array<int, 2> seen_{};
  std::array<std::string, 2> pods_;
};

}  // namespace

std::unique_ptr<SimCluster> make_small_cluster(Schedule& schedule,
                                               const SimCluster::Current& current) {
  return std::make_unique<Small>(schedule, current);
}

}  // namespace keyturn::simulation
