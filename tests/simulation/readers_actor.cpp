#include "tests/simulation/readers_actor.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "controller/rotation/workload_refs.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/simulation/sim_process.h"

namespace keyturn::simulation::readers {

namespace {

using nlohmann::json;
using rotation::Policy;
using Kind = Request::Kind;

constexpr int kRounds = 2;  // of one process: what it remembers is used

// The replies, as bytes.
struct Look {
  std::uint16_t status;
  Held secret;
  std::uint8_t restarts_pods;
};
struct SecretShown {
  Held secret;
  std::uint8_t writes;
};
struct WorkloadShown {
  std::uint8_t marked, generation, observed, running, updated, available;
};
struct PodShown {
  std::uint8_t slot, going;
  Tick bound;
  std::uint8_t told;
  Tick told_start;
};

template <class T>
std::string bytes_of(const T& value) {
  static_assert(std::has_unique_object_representations_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
template <class T>
T read(const std::string& bytes, std::size_t at = 0) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

WorkloadShown workload_shown(const World& w) {
  const auto count = [](int number) { return static_cast<std::uint8_t>(number); };
  return {
      w.marked,        w.generation, w.observed, count(w.running(false)), count(w.running(true)),
      count(w.ready())};
}

std::uint32_t version_of(const WorkloadShown& s) {
  return (((s.generation * 16u + s.observed) * 16u + s.running) * 16u + s.available) * 16u +
         s.updated;
}

json spec_of_pods() {
  return {{"containers",
           {{{"name", "app"},
             {"image", "app"},
             {"env",
              {{{"name", "TOKEN"},
                {"valueFrom", {{"secretKeyRef", {{"name", kTarget}, {"key", "value"}}}}}}}}}}}};
}

json seconds(Tick tick) {
  return format_rfc3339(std::chrono::floor<std::chrono::seconds>(time_of(tick)));
}

json render(const WorkloadShown& s) {
  json annotations = json::object();
  if (s.marked != 0) annotations[rotation::restart_annotation(kTarget)] = kNewVersion;
  return {
      {"kind", "Deployment"},
      {"apiVersion", "apps/v1"},
      {"metadata",
       {{"name", "app"},
        {"namespace", "web"},
        {"uid", "uid-app"},
        {"resourceVersion", std::to_string(version_of(s))},
        {"creationTimestamp", "2001-01-01T00:00:00Z"},
        {"generation", s.generation}}},
      {"spec",
       {{"replicas", 1},
        {"template", {{"metadata", {{"annotations", annotations}}}, {"spec", spec_of_pods()}}}}},
      {"status",
       {{"observedGeneration", s.observed},
        {"replicas", s.running},
        {"updatedReplicas", s.updated},
        {"availableReplicas", s.available}}}};
}

json render(const PodShown& s, const Rules& rules) {
  json spec = spec_of_pods();
  if (rules.unreported) spec["nodeName"] = "node";  // else nothing of it could have started
  json metadata{{"name", "app-" + std::to_string(s.slot)},
                {"namespace", "web"},
                {"creationTimestamp", seconds(s.bound)}};
  if (s.going != 0) metadata["deletionTimestamp"] = seconds(s.bound);
  json status{{"phase", s.told != 0 ? "Running" : "Pending"}, {"startTime", seconds(s.bound)}};
  if (s.told != 0) {
    status["containerStatuses"] = {
        {{"name", "app"}, {"state", {{"running", {{"startedAt", seconds(s.told_start)}}}}}}};
  }
  return {{"kind", "Pod"},
          {"apiVersion", "v1"},
          {"metadata", metadata},
          {"spec", spec},
          {"status", status}};
}

http::Response answer(int status, const json& body) {
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}
http::Response conflict() {
  return answer(409, {{"kind", "Status"},
                      {"apiVersion", "v1"},
                      {"status", "Failure"},
                      {"reason", "Conflict"},
                      {"message", "the object has been modified"},
                      {"code", 409}});
}
http::Response list_of(const std::string& kind, json items) {
  return answer(200, {{"kind", kind},
                      {"apiVersion", "v1"},
                      {"metadata", {{"resourceVersion", "1"}}},
                      {"items", std::move(items)}});
}

struct Asks {
  Request request;
};

// The policy that rotates: it has no targets of its own.
Policy owner() {
  Policy policy;
  policy.ns = "shop";
  policy.name = kTarget;
  policy.uid = "uid-shop";
  policy.status.secret_arn = kArn;
  return policy;
}

Policy follower(const Look& seen) {
  Policy policy;
  policy.ns = "web";
  policy.name = kTarget;
  policy.uid = "uid-web";
  policy.spec.targets = {{.name = kTarget}};
  policy.spec.rollout.restart =
      seen.restarts_pods != 0 ? rotation::Restart::Auto : rotation::Restart::None;
  policy.status = status_of(seen.status);
  return policy;
}

class Run final : public http::Transport, public Clock {
 public:
  Run(const Rules& rules, std::vector<const std::string*> replies)
      : rules_(rules), replies_(std::move(replies)) {}

  Request next(Lane lane) {
    try {
      if (lane == Lane::Follower)
        follow();
      else
        retire();
    } catch (const Asks& asks) {
      return asks.request;
    }
    return {.kind = Kind::End};
  }

  // --- Clock ---
  WallTime now() const override {
    return time_of(static_cast<Tick>(ask({.kind = Kind::Clock})[0]));
  }
  MonoTime mono() const override { return MonoTime{}; }
  bool wait_until(std::unique_lock<std::mutex>&, std::condition_variable&, MonoTime) override {
    throw std::logic_error("nobody waits in the exploration");
  }

  // --- the API ---
  Result<http::Response> send(const http::Request& request) override {
    const std::string path = request.url.substr(request.url.find('/', 8));
    const bool writes = request.method == "PATCH";
    if (path.find("/secrets/") != std::string::npos)
      return writes ? write_secret(request) : secret();
    if (path.find("/deployments/") != std::string::npos && writes) return restart(request);
    if (path.find("/deployments/") != std::string::npos) return answer(200, render(workload()));
    if (path.find("/deployments") != std::string::npos)
      return list_of("DeploymentList", json::array({render(workload())}));
    if (path.find("/pods") != std::string::npos)
      return pods(path.find("/web/") != std::string::npos);
    return list_of("List", json::array());  // other kinds of workload: none here
  }
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(std::string_view)>& on_data) override {
    auto answered = send(request);
    if (!answered.ok() || answered->status != 200) return answered;
    (void)on_data(answered->body);
    answered->body.clear();
    return answered;
  }

 private:
  const std::string& ask(const Request& request) const {
    if (at_ == replies_.size()) throw Asks{request};
    return *replies_[at_++];
  }
  Look look() const { return read<Look>(ask({.kind = Kind::Look})); }
  WorkloadShown workload() const {
    return read<WorkloadShown>(ask({.kind = Kind::LookAtWorkload}));
  }

  static json metadata_of(const SecretShown& shown) {
    return {
        {"kind", "PartialObjectMetadata"},
        {"apiVersion", "meta.k8s.io/v1"},
        {"metadata",
         {{"name", kTarget},
          {"namespace", "web"},
          {"uid", "uid-orders"},
          {"resourceVersion", std::to_string(100 + shown.writes)},
          {"labels", {{rotation::kManagedLabel, "true"}}},
          {"annotations",
           {{rotation::kPolicyAnnotation, "web/" + std::string(kTarget)},
            {rotation::kSecretArnAnnotation, kArn},
            {rotation::kVersionIdAnnotation, shown.secret == kNew ? kNewVersion : kOldVersion}}}}}};
  }
  http::Response secret() const {
    return answer(200, metadata_of(read<SecretShown>(ask({.kind = Kind::LookAtSecret}))));
  }
  static std::uint32_t carried(const http::Request& request) {
    const json object = json::parse(request.body);
    return static_cast<std::uint32_t>(
        std::stoul(object["metadata"].value("resourceVersion", std::string("0"))));
  }
  http::Response write_secret(const http::Request& request) const {
    const std::string& reply = ask({.kind = Kind::WriteSecret, .version = carried(request)});
    return reply.empty() ? conflict() : answer(200, metadata_of(read<SecretShown>(reply)));
  }
  http::Response restart(const http::Request& request) const {
    const std::string& reply = ask({.kind = Kind::Restart, .version = carried(request)});
    return reply.empty() ? conflict() : answer(200, render(read<WorkloadShown>(reply)));
  }
  http::Response pods(bool of_follower) const {
    json items = json::array();
    if (!of_follower || !rules_.pods) return list_of("PodList", items);
    const std::string& reply = ask({.kind = Kind::LookAtPods});
    for (std::size_t at = 0; at < reply.size(); at += sizeof(PodShown))
      items.push_back(render(read<PodShown>(reply, at), rules_));
    return list_of("PodList", items);
  }

  void publish(const rotation::PolicyStatus& status) const {
    (void)ask({.kind = Kind::PublishStatus, .status = status_number(status)});
  }

  std::shared_ptr<http::Transport> wire() { return {std::shared_ptr<void>(), this}; }

  // The sync lane and the rotation lane's roll-out, for the follower.
  void follow() {
    Process process(wire(), *this, [](const Process::Visit&) {}, {});
    for (int round = 0; round < kRounds; ++round) {
      const Look seen = look();
      Policy policy = follower(seen);
      const bool told = policy.status.current_version_id == kNewVersion;
      if ((seen.secret != kNew || !told) && !sync(process, policy, seen)) return;
      if (rotation::pending_targets(policy, policy.status).empty()) return;
      const auto report = process.rollout.advance(
          policy, policy.status, rules_.spread_before_restart ? kPropagation : Duration(-1'000));
      if (!report.ok()) return;
      rotation::note_rollout(policy.status, policy, *report, now());
      publish(policy.status);
    }
  }
  bool sync(Process& process, Policy& policy, const Look& seen) {
    rotation::WrittenTarget written;
    if (seen.secret != kNew) {
      rotation::RenderedData data;
      data.emplace_back("value", SecretString("new"));
      auto wrote =
          process.targets.write(policy, policy.spec.targets.front(), kArn, kNewVersion, data);
      if (!wrote.ok()) return false;
      written = std::move(wrote).value();
    }
    note_synced(policy.status, policy, kArn, kNewVersion, written, now());
    publish(policy.status);
    return true;
  }

  // The rotation lane, for the policy that owns the secret: the gate, and once more before the
  // revocation. There is no grace period.
  void retire() {
    Look seen{};
    Process process(
        wire(), *this,
        [&](const Process::Visit& visit) {
          visit(owner());
          if (rules_.follower) visit(follower(seen));
        },
        [&](const Policy&, const std::string&) { return seen.secret == kNew; });
    for (int again = 0; again < 2; ++again) {
      seen = look();
      const auto verdict =
          process.gate.ask({.arn = kArn,
                            .version_id = kNewVersion,
                            .asker = owner().key(),
                            .after = rotation::RetireAfter::Rollout,
                            .propagation = rules_.spread ? kPropagation : Duration(-1'000)});
      if (!verdict.ok() || !verdict->open) return;
    }
    (void)ask({.kind = Kind::Revoke});
  }

  const Rules& rules_;
  const std::vector<const std::string*> replies_;
  mutable std::size_t at_ = 0;
};

}  // namespace

const char* to_string(Kind kind) {
  static const char* const kNames[] = {"looks",
                                       "reads the clock",
                                       "looks at the Secret",
                                       "writes the Secret",
                                       "publishes the status",
                                       "looks at the workload",
                                       "restarts the workload",
                                       "looks at the pods",
                                       "revokes the old credential",
                                       "ends"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::uint32_t workload_version(const World& w) { return version_of(workload_shown(w)); }

std::string shown(const World& w, Kind kind) {
  switch (kind) {
    case Kind::Look:
      return bytes_of(Look{w.status, w.secret, w.restarts_pods});
    case Kind::Clock:
      return {static_cast<char>(w.now)};
    case Kind::LookAtSecret:
    case Kind::WriteSecret:
      return bytes_of(SecretShown{w.secret, w.writes});
    case Kind::LookAtWorkload:
    case Kind::Restart:
      return bytes_of(workload_shown(w));
    case Kind::LookAtPods: {
      std::string reply;
      for (std::uint8_t n = 0; n < w.pods.size(); ++n) {
        const Pod& pod = w.pods[n];
        if (pod.there != 0)
          reply += bytes_of(PodShown{n, pod.going, pod.bound, pod.told, pod.told_start});
      }
      return reply;
    }
    default:
      return "ok";
  }
}

Tree::Tree(const Rules& rules) : rules_(rules) {
  for (auto& entries : entries_) entries.emplace_back();
}

Node Tree::child(Node node, Lane lane, const std::string& reply) {
  const auto n = static_cast<std::size_t>(lane);
  std::vector<Entry>& entries = entries_[n];
  std::string key(reinterpret_cast<const char*>(&node), sizeof node);
  key += reply;
  const auto [at, fresh] =
      children_[n].try_emplace(std::move(key), static_cast<Node>(entries.size()));
  if (!fresh) return at->second;
  const Node made = at->second;
  entries.push_back({node, reply, {}});
  std::vector<const std::string*> replies;
  for (Node each = made; each != 0; each = entries[each].parent)
    replies.insert(replies.begin(), &entries[each].reply);
  const Request next = Run(rules_, std::move(replies)).next(lane);
  entries[made].next = next;
  return made;
}

}  // namespace keyturn::simulation::readers
