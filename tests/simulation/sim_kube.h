// Namespaces, Secrets, workloads and pods of the simulated world, with the controllers and the
// kubelet that make them move, as far as roll-outs and readers go; and the API through which the
// real clients of controller/rotation reach them, each request a point of the schedule.
//
// What a program in a pod holds is the truth here: what it read when it started (a node may see a
// Secret up to `propagation` late, the volume of an older pod up to two minutes), and, in a
// namespace whose programs re-read mounted files, what the kubelet put there since, two minutes
// late at most. Thread rule: whoever holds the turn.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "lib/http/transport.h"
#include "tests/simulation/sim_schedule.h"

namespace keyturn::simulation {

class SimKube final : public http::Transport {
 public:
  static constexpr Duration kPropagation{10'000};
  static constexpr Duration kRefresh{120'000};  // of a mounted Secret, at most

  SimKube(Schedule& schedule, Clock& clock) : schedule_(schedule), clock_(clock) {}

  enum class Way { Env, SubPath, Volume };
  struct Secret {
    nlohmann::json metadata;
    std::string value, before;  // "before": what nodes that are behind still show
    WallTime written{};
  };
  struct Workload {
    std::string ns, name, secret;
    Way way = Way::Env;
    int replicas = 1;
    std::string kind = "Deployment";
    bool on_delete = false;  // its pods are replaced only when somebody deletes them
    bool paused = false;     // not at all, until a person resumes it
    int generation = 1, observed = 1, revision = 1;
    nlohmann::json annotations = nlohmann::json::object();  // of the pod template
    bool changed = false;                                   // the template is newer than `revision`
    bool stuck = false;       // new pods do not become ready until a person mends it
    std::string cannot_use;   // nor do, for very long, those that read this value
    bool fails_once = false;  // the next value will be such a one
  };
  struct Pod {
    std::string ns, name, owner;  // a workload's name, "" or "job"
    std::string secret;
    Way way = Way::Env;
    int revision = 0;  // of the owner's template
    std::string held;
    WallTime created{}, started{};
    bool ready = true, done = false;
    bool counts = true;                 // its policy stands for what it read
    MonoTime gone_at{MonoTime::max()};  // being deleted
    MonoTime ends_at{MonoTime::max()};  // a job's, at the latest
    bool going() const { return gone_at != MonoTime::max(); }
  };
  struct Namespace {
    bool rereads = false;  // its programs read mounted files again
    bool going = false;
    MonoTime refuses_until{};            // somebody's webhook refuses every write of Secrets
    MonoTime crash_at{MonoTime::max()};  // all containers, soon after a Secret was written
  };

  // --- the world ---
  // Whether a policy stands for what programs of that namespace read now.
  std::function<bool(const std::string& ns)> stands_for;
  // Since when readers of that namespace are told to be new.
  std::function<WallTime(const std::string& ns)> told_since;
  std::map<std::string, Namespace> namespaces;
  std::map<std::string, Secret> secrets;  // by "ns/name"
  std::vector<Workload> workloads;
  std::vector<Pod> pods;

  void add_pod(const std::string& ns, const std::string& owner, const std::string& secret, Way way);
  void restart(Workload& workload, nlohmann::json annotations);
  void pause(Workload& workload, bool paused);
  void remove_namespace(const std::string& ns);
  void act(bool calm);  // controllers, kubelets and, when it is calm, people who tidy up

  // --- the API ---
  Result<http::Response> send(const http::Request& request) override;
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(std::string_view)>& on_data) override;

 private:
  using Json = nlohmann::json;
  http::Response answer(const http::Request& request);
  http::Response answer_secret(const http::Request& request, const std::string& ns,
                               const std::string& name);
  http::Response answer_workloads(const http::Request& request, const std::string& kind,
                                  const std::string& ns, const std::string& name);
  http::Response list_pods(const std::string& ns) const;
  Json render(const Workload& workload) const;
  Json render(const Pod& pod) const;
  static Json spec(const std::string& secret, Way way);

  void start(Pod& pod, Duration behind);  // its program reads what the node shows
  void control(Workload& workload, bool calm);
  void replace_pods(Workload& workload, bool calm);
  void tidy_up(Workload& workload);
  bool is_of(const Pod& pod, const Workload& workload) const {
    return pod.ns == workload.ns && pod.owner == workload.name && !pod.going();
  }
  void refresh(Pod& pod);
  std::string read(const Pod& pod, Duration behind);
  bool chance(double p) { return schedule_.likely(p); }
  bool accident(double p) { return schedule_.accident(p); }

  Schedule& schedule_;
  Clock& clock_;
  int names_ = 0, revision_ = 100;
};

}  // namespace keyturn::simulation
