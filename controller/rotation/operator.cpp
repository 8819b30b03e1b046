#include "controller/rotation/operator.h"

#include <unistd.h>

#include <condition_variable>
#include <nlohmann/json.hpp>
#include <thread>

#include "controller/kube/client.h"
#include "controller/kube/config.h"
#include "controller/kube/events.h"
#include "controller/kube/informer_set.h"
#include "controller/kube/lease.h"
#include "controller/rotation/config_file.h"
#include "controller/rotation/detector.h"
#include "controller/rotation/gate_keeper.h"
#include "controller/rotation/gather.h"
#include "controller/rotation/identities.h"
#include "controller/rotation/listener.h"
#include "controller/rotation/metrics.h"
#include "controller/rotation/owners.h"
#include "controller/rotation/rollout.h"
#include "controller/rotation/rotation_pass.h"
#include "controller/rotation/secret_knowledge.h"
#include "controller/rotation/status.h"
#include "controller/rotation/sync_pass.h"
#include "controller/rotation/target_sync.h"
#include "controller/rotation/workloads.h"
#include "controller/runtime/lanes.h"
#include "controller/runtime/lifecycle.h"
#include "lib/base/log.h"
#include "lib/base/uuid.h"
#include "lib/http/breaker.h"
#include "lib/http/curl_transport.h"

namespace keyturn::rotation {
namespace {

// A request is bounded to far less, its retries and the waits between them included: no pass that
// still gets on is silent for so long, however many requests it has to make.
constexpr Duration kStuck{180'000};
constexpr Duration kDetectorStuck{300'000};
constexpr Duration kCachePoll{20};

// Each exchange of a lane's worker is a sign of life of it.
class NotingTransport final : public http::Transport {
 public:
  explicit NotingTransport(std::unique_ptr<http::Transport> inner) : inner_(std::move(inner)) {}
  Result<http::Response> send(const http::Request& request) override {
    return noted(inner_->send(request));
  }
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(std::string_view)>& on_data) override {
    return noted(inner_->stream(request, on_data));
  }

 private:
  static Result<http::Response> noted(Result<http::Response> response) {
    runtime::note_progress();
    return response;
  }
  const std::unique_ptr<http::Transport> inner_;
};

std::string host_identity(Rng& rng) {
  char host[256] = "keyturn";
  static_cast<void>(gethostname(host, sizeof host - 1));
  return std::string(host) + "_" + uuid_v4(rng);
}

// Whether a change is anything that a pass would look at; our own status writes come back here,
// too.
bool matters(const PolicyPtr& before, const PolicyPtr& after) {
  if (!before || !after) return true;
  return before->uid != after->uid || before->generation != after->generation ||
         before->deleted != after->deleted ||
         before->rotate_requested_at != after->rotate_requested_at ||
         before->sync_requested_at != after->sync_requested_at ||
         before->rollback_requested_at != after->rollback_requested_at ||
         before->revoke_requested_at != after->revoke_requested_at;
}

// A pass that ends in an error tells nobody else: what is shown in a status is told there, too, but
// not what kept the status from being written.
void tell_retry(const char* lane, const runtime::Key& key, const runtime::Outcome& outcome) {
  if (outcome.kind != runtime::Outcome::Kind::Retry) return;
  log::info("a pass is tried again", {{"lane", lane},
                                      {"policy", key},
                                      {"reason", outcome.error.code},
                                      {"error", outcome.error.message}});
}

}  // namespace

struct Operator::Impl {
  Impl(OperatorOptions o, const OperatorConfig& c, aws::Settings s,
       std::shared_ptr<kube::Connection> conn);

  kube::ReflectorOptions watch(const kube::ResourceType& type);
  void policy_changed(const std::string& key, const PolicyPtr& before, const PolicyPtr& after);
  void secret_changed(const std::string& key, const std::shared_ptr<const ManagedSecret>& before,
                      const std::shared_ptr<const ManagedSecret>& after);
  void wake(const std::string& key, const PolicyPtr& policy);
  void wake(const std::vector<std::string>& keys);
  void wake_all();
  bool claims(const std::string& policy_key, const std::string& secret_name) const;
  bool allowed(const Policy& policy) const;
  Status healthy() const;
  Status ready() const;
  void lead();
  void start_lanes_when_ready(const std::stop_token& stop);
  void assemble(runtime::Lifecycle& lifecycle);

  OperatorOptions options;
  SystemClock clock;
  SystemRng rng;
  Metrics metrics;
  std::shared_ptr<http::Transport> transport;
  std::shared_ptr<http::Transport> backends;  // the same, with a breaker for each server
  std::shared_ptr<kube::Connection> connection;
  kube::Client client;
  kube::Client lease_client;  // its own connections: nothing may delay a renewal
  ConfigFile config;
  std::string identity;
  kube::ApiEventRecorder events;
  runtime::WorkQueue sync_queue;
  runtime::WorkQueue rotation_queue;
  SecretKnowledge knowledge;
  Owners owners;
  engine::Memory memory;
  StatusBoard status;
  PolicyInformer policies;
  TargetSync::SecretInformer secrets;
  TargetSync targets;
  Identities identities;
  ChangeDetector detector;
  Gatherer gatherer;
  SyncPass sync;
  Workloads workloads;
  Rollout rollout;
  GateKeeper gate;
  RotationPass rotation;
  runtime::Lane sync_lane;
  runtime::Lane rotation_lane;
  Listener listener;
  kube::LeaderElection election;

  std::mutex lead_mutex;
  std::condition_variable_any lead_changed;
  bool leading = false;
  std::atomic<bool> lanes_running{false};
  std::jthread starter;
};

Operator::Impl::Impl(OperatorOptions o, const OperatorConfig& c, aws::Settings settings,
                     std::shared_ptr<kube::Connection> conn)
    : options(std::move(o)),
      metrics(options.version),
      transport(std::make_shared<NotingTransport>(http::make_curl_transport(
          {.max_idle_handles = 32, .user_agent = "keyturn/" + options.version}))),
      backends(http::make_breaker(
          transport, clock, rng,
          {.probes = std::max(1, c.rotation_workers / 2),
           // What a strategy gives a request that should cost a server nothing.
           .enough = [this] { return std::min(config.get()->request_deadline, Duration(5000)); }})),
      connection(std::move(conn)),
      client(transport, connection, clock, &metrics),
      lease_client(http::make_curl_transport(
                       {.max_idle_handles = 1, .user_agent = "keyturn/" + options.version}),
                   connection, clock, &metrics),
      config(options.config_path, c, clock,
             [this](const OperatorConfig& next) {
               log::configure(next.log_level, next.log_format);
               wake_all();
             }),
      identity(host_identity(rng)),
      events(client, clock, "keyturn.dev/controller", identity),
      sync_queue(clock, rng, {}, &metrics.queue("sync")),
      rotation_queue(clock, rng, {}, &metrics.queue("rotation")),
      status(client, clock, [this](const std::string& key) { return policies.get(key); }),
      policies(watch(kube::kRotationPolicies), c.namespaces, parse_policy,
               [this](const std::string& key, const PolicyPtr& before, const PolicyPtr& after) {
                 policy_changed(key, before, after);
               }),
      secrets(watch(kube::kSecrets), c.namespaces, decode_managed_secret,
              [this](const std::string& key, const auto& before, const auto& after) {
                secret_changed(key, before, after);
              }),
      targets(client, secrets,
              [this](const std::string& policy, const std::string& secret) {
                return claims(policy, secret);
              }),
      identities({client, transport, backends, std::move(settings), options.env, c.region,
                  c.request_deadline, clock, rng, &metrics}),
      detector({knowledge, clock, rng,
                [this](const aws::SecretMetadata& secret, const std::vector<std::string>& keys) {
                  sync.noticed(secret.arn);
                  for (const auto& key : keys) sync.force_next(key);
                  wake(keys);
                },
                [this](const std::string&, const std::vector<std::string>& keys) { wake(keys); },
                [this](const std::vector<std::string>& keys) { wake(keys); }}),
      gatherer({identities, knowledge, detector, owners, clock,
                [this](const Policy& policy) { return status.latest(policy); },
                [this] { return config.get(); },
                [this](const std::string& key) { rotation_queue.add(key); }}),
      sync({policies, gatherer, targets, status, owners, knowledge, events, metrics, clock,
            [this](const std::string& key) { rotation_queue.add(key); }}),
      workloads(client),
      rollout({workloads, [this](const std::string& key) { return policies.get(key); },
               [this](const std::string& key) { return targets.find(key); },
               [this](const Policy& policy) { return status.latest(policy); }, clock}),
      gate({client, owners,
            [this](const std::function<void(const Policy&)>& visit) {
              policies.for_each(
                  [&](const std::string&, const PolicyPtr& policy) { visit(*policy); });
            },
            [this](const Policy& policy) { return status.latest(policy); },
            [this](const Policy& policy) { return allowed(policy); },
            [this](const Policy& policy, const TargetSpec& target, const std::string& arn,
                   const std::string& version) {
              return sync.in_sync(policy, target, arn, version);
            },
            clock}),
      rotation({policies, gatherer, sync, rollout, gate, status, owners, knowledge, memory, client,
                events, metrics, clock, rng,
                [this](const std::string& key) { sync_queue.add(key); },
                [this](const std::string& key) { sync_queue.add_backoff(key); }}),
      sync_lane(
          "sync", sync_queue, c.sync_workers,
          [this](const runtime::Key& key) { return sync.run(key); },
          [](const runtime::Key& key, const runtime::Outcome& outcome) {
            tell_retry("sync", key, outcome);
          }),
      rotation_lane(
          "rotation", rotation_queue, c.rotation_workers,
          [this](const runtime::Key& key) { return rotation.run(key); },
          [](const runtime::Key& key, const runtime::Outcome& outcome) {
            tell_retry("rotation", key, outcome);
          }),
      listener(c.listen, {[this] { return metrics.render(); }, [this] { return healthy(); },
                          [this] { return ready(); }}),
      election(
          {.client = &lease_client,
           .ns = c.lease_namespace.empty() ? connection->default_namespace() : c.lease_namespace,
           .name = c.lease_name,
           .identity = identity,
           .clock = &clock,
           .rng = &rng,
           .on_started = [this] { lead(); },
           .on_lost =
               [] {
                 runtime::Lifecycle::die("the leader lease was lost; another replica takes over");
               }}) {
  metrics.watch_queue("sync", sync_queue);
  metrics.watch_queue("rotation", rotation_queue);
  metrics.set_policies([this](const std::function<void(const Policy&)>& visit) {
    policies.for_each([&](const std::string&, const PolicyPtr& policy) { visit(*policy); });
  });
}

kube::ReflectorOptions Operator::Impl::watch(const kube::ResourceType& type) {
  kube::ReflectorOptions reflector;
  reflector.client = &client;
  reflector.type = type;
  reflector.clock = &clock;
  reflector.rng = &rng;
  reflector.observer = &metrics;
  if (type.plural == kube::kSecrets.plural) {
    reflector.metadata_only = true;
    reflector.label_selector = std::string(kManagedLabel) + "=true";
  } else {
    reflector.list_latest = true;
  }
  return reflector;
}

void Operator::Impl::policy_changed(const std::string& key, const PolicyPtr& before,
                                    const PolicyPtr& after) {
  if (after) status.observed(*after);
  if (matters(before, after)) wake(key, after);
}

void Operator::Impl::secret_changed(const std::string& key,
                                    const std::shared_ptr<const ManagedSecret>& before,
                                    const std::shared_ptr<const ManagedSecret>& after) {
  const auto seen = targets.observed(key, after.get());
  if (seen == TargetSync::Observed::Ours) return;
  // Two sights look alike also when we repaired what the first showed and somebody broke it again
  // before the watch showed our repair.
  const bool comparable = seen == TargetSync::Observed::NotWritten;
  if (comparable && before && after && same_for_us(*before, *after)) return;
  if (before && !before->policy.empty()) sync_queue.add(before->policy);
  if (after && !after->policy.empty() && (!before || before->policy != after->policy))
    sync_queue.add(after->policy);
}

// Sync goes first and wakes the rotation lane when it is done: it learns on its way what that needs
// to know (the current version's date comes with its value), and two first looks at one secret
// would cost twice. What sync leaves alone goes to the rotation lane at once.
void Operator::Impl::wake(const std::string& key, const PolicyPtr& policy) {
  sync_queue.add(key);
  if (!policy || policy->deleted) rotation_queue.add(key);
}

void Operator::Impl::wake(const std::vector<std::string>& keys) {
  for (const auto& key : keys) wake(key, policies.get(key));
}

void Operator::Impl::wake_all() {
  policies.for_each([&](const std::string& key, const PolicyPtr& policy) { wake(key, policy); });
}

bool Operator::Impl::allowed(const Policy& policy) const {
  const std::string& arn = policy.status.secret_arn;
  return !policy.spec.identity().is_operator() ||
         config.get()->access.secret(policy.ns, name_of_arn(arn), arn).ok();
}

bool Operator::Impl::claims(const std::string& policy_key, const std::string& secret_name) const {
  const PolicyPtr policy = policies.get(policy_key);
  if (!policy || policy->deleted) return false;
  const auto& all = policy->spec.targets;
  return std::any_of(all.begin(), all.end(),
                     [&](const TargetSpec& target) { return target.name == secret_name; });
}

Status Operator::Impl::healthy() const {
  if (!lanes_running) return {};
  if (auto moving = runtime::check_progress({&sync_queue, &rotation_queue}, kStuck); !moving)
    return moving;
  if (clock.mono() - detector.last_turn() > kDetectorStuck)
    return make_error(ErrorClass::Unavailable, "DetectorStuck",
                      "the change detector has not turned for five minutes");
  return {};
}

Status Operator::Impl::ready() const {
  if (!policies.synced())
    return make_error(ErrorClass::Unavailable, "NotSynced", "RotationPolicies are not listed yet");
  if (!secrets.synced())
    return make_error(ErrorClass::Unavailable, "NotSynced", "Secrets' metadata is not listed yet");
  return {};
}

void Operator::Impl::lead() {
  metrics.leader(true);
  {
    const std::lock_guard lock(lead_mutex);
    leading = true;
  }
  lead_changed.notify_all();
}

void Operator::Impl::start_lanes_when_ready(const std::stop_token& stop) {
  {
    std::unique_lock lock(lead_mutex);
    if (!lead_changed.wait(lock, stop, [this] { return leading; })) return;
    while (!ready()) {
      // The informers tell nobody that they are synced; this is a matter of milliseconds at the
      // start.
      lead_changed.wait_for(lock, stop, kCachePoll, [] { return false; });
      if (stop.stop_requested()) return;
    }
  }
  detector.start();
  sync_lane.start();
  rotation_lane.start();
  lanes_running = true;
  log::info("working", {{"policies", static_cast<std::int64_t>(policies.size())},
                        {"managedSecrets", static_cast<std::int64_t>(secrets.size())}});
}

void Operator::Impl::assemble(runtime::Lifecycle& lifecycle) {
  lifecycle.add({"listener", [this] { return listener.start(); }, [this] { listener.stop(); }});
  lifecycle.add({"events",
                 [this] {
                   events.start();
                   return Status();
                 },
                 [this] { events.stop(); }});
  lifecycle.add({"config",
                 [this] {
                   config.start();
                   return Status();
                 },
                 [this] { config.stop(); }});
  lifecycle.add({"secrets watch", [this] { return secrets.start(); }, [this] { secrets.stop(); }});
  lifecycle.add(
      {"policies watch", [this] { return policies.start(); }, [this] { policies.stop(); }});
  lifecycle.add({"leadership",
                 [this] {
                   if (config.get()->leader_election) return election.start();
                   lead();
                   return Status();
                 },
                 [this] {
                   if (config.get()->leader_election) election.stop();
                 }});
  lifecycle.add({"lanes",
                 [this] {
                   starter = std::jthread(
                       [this](const std::stop_token& stop) { start_lanes_when_ready(stop); });
                   return Status();
                 },
                 [this] {
                   starter.request_stop();
                   if (starter.joinable()) starter.join();
                   sync_lane.stop(false);
                   rotation_lane.stop(false);
                   detector.stop();
                 }});
}

Operator::Operator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Operator::~Operator() = default;

Result<std::unique_ptr<Operator>> Operator::create(OperatorOptions options) {
  OperatorConfig config;
  if (!options.config_path.empty()) {
    auto loaded = load_operator_config(options.config_path);
    if (!loaded) return std::move(loaded).error();
    config = std::move(loaded).value();
  }
  log::configure(config.log_level, config.log_format);
  auto settings = aws::load_settings(options.env);
  if (!settings) return std::move(settings).error();
  static SystemClock clock;
  auto connection = kube::load_config({.kubeconfig = options.kubeconfig,
                                       .context = options.context,
                                       .env = options.env,
                                       .clock = &clock});
  if (!connection) return std::move(connection).error();
  return std::unique_ptr<Operator>(new Operator(std::make_unique<Impl>(
      std::move(options), config, std::move(settings).value(), std::move(connection).value())));
}

Status Operator::run() {
  runtime::Lifecycle lifecycle(impl_->clock);
  impl_->assemble(lifecycle);
  log::info("keyturn starts",
            {{"version", impl_->options.version},
             {"identity", impl_->identity},
             {"accessRules", static_cast<int>(impl_->config.get()->access.rules().size())}});
  auto end = lifecycle.run();
  log::info("keyturn ended");
  return end;
}

}  // namespace keyturn::rotation
