#include "controller/rotation/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <vector>

#include "controller/rotation/metrics_text.h"
#include "lib/engine/plan.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::rotation {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;
using Labels = prometheus::Labels;

// Requests and syncs: milliseconds to a request's deadline. Rotations: to the hour that a slow
// backend takes.
const Buckets kRequestBuckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30};
const Buckets kRotationBuckets{0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800, 3600};
const Buckets kQueueBuckets{0.0001, 0.001, 0.01, 0.1, 1, 10, 60, 300};

using Counters = prometheus::Family<prometheus::Counter>;
using Histograms = prometheus::Family<prometheus::Histogram>;
using Gauges = prometheus::Family<prometheus::Gauge>;

Counters& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Histograms& histogram(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}
Gauges& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

double seconds(Duration d) { return static_cast<double>(d.count()) / 1000.0; }

class QueueMetrics final : public runtime::QueueObserver {
 public:
  QueueMetrics(prometheus::Gauge& depth, prometheus::Counter& adds, prometheus::Histogram& waited,
               prometheus::Histogram& worked, prometheus::Counter& retries)
      : depth_(depth), adds_(adds), waited_(waited), worked_(worked), retries_(retries) {}
  void on_add(std::size_t depth) override {
    depth_.Set(static_cast<double>(depth));
    adds_.Increment();
  }
  void on_get(std::size_t depth, Duration waited) override {
    depth_.Set(static_cast<double>(depth));
    waited_.Observe(seconds(waited));
  }
  void on_done(Duration worked) override { worked_.Observe(seconds(worked)); }
  void on_retry() override { retries_.Increment(); }

 private:
  prometheus::Gauge& depth_;
  prometheus::Counter& adds_;
  prometheus::Histogram& waited_;
  prometheus::Histogram& worked_;
  prometheus::Counter& retries_;
};

}  // namespace

struct Metrics::Impl {
  void seed_strategy(const std::string& strategy);
  void seed_steps(const std::string& strategy, const std::vector<engine::Step>& steps);
  void seed_requests();

  prometheus::Registry registry;
  Counters& rotations =
      counter(registry, "keyturn_rotations_total", "Rotations that ended, by outcome.");
  Histograms& rotation_seconds =
      histogram(registry, "keyturn_rotation_duration_seconds",
                "From the start of a rotation until the new version is current.");
  Histograms& step_seconds = histogram(registry, "keyturn_rotation_step_duration_seconds",
                                       "One run of one step of a rotation.");
  Counters& syncs =
      counter(registry, "keyturn_syncs_total", "Writes of target Secrets, by outcome.");
  Histograms& lag =
      histogram(registry, "keyturn_sync_lag_seconds",
                "From a version becoming current, or being noticed, until the Secret is written.");
  Counters& aws_requests =
      counter(registry, "keyturn_aws_requests_total", "Requests to AWS, tries counted one by one.");
  Histograms& aws_seconds =
      histogram(registry, "keyturn_aws_request_duration_seconds", "Duration of requests to AWS.");
  Counters& kube_requests =
      counter(registry, "keyturn_kube_requests_total", "Requests to the Kubernetes API.");
  Counters& watch_restarts = counter(registry, "keyturn_watch_restarts_total",
                                     "Watches that had to start again, by reason.");
  prometheus::Gauge& leading =
      gauge(registry, "keyturn_leader", "1 while this replica leads.").Add({});
  Gauges& build_info = gauge(registry, "keyturn_build_info", "Always 1; the version is a label.");
  Gauges& depth = gauge(registry, "workqueue_depth", "Keys that are ready to be worked on.");
  Counters& adds = counter(registry, "workqueue_adds_total", "Keys added.");
  Histograms& queued =
      histogram(registry, "workqueue_queue_duration_seconds", "How long keys wait in the queue.");
  Histograms& worked =
      histogram(registry, "workqueue_work_duration_seconds", "How long a pass over a key takes.");
  Counters& retries =
      counter(registry, "workqueue_retries_total", "Keys put back after a failure.");
  Gauges& unfinished = gauge(registry, "workqueue_unfinished_work_seconds",
                             "How long all passes that are running have been running, together.");
  Gauges& longest = gauge(registry, "workqueue_longest_running_processor_seconds",
                          "How long the longest running pass has been running.");

  std::mutex mutex;
  std::map<std::string, std::unique_ptr<QueueMetrics>> queues;
  std::map<std::string, const runtime::WorkQueue*> watched;
  PolicyVisitor policies;
};

void Metrics::Impl::seed_steps(const std::string& strategy,
                               const std::vector<engine::Step>& steps) {
  for (const engine::Step step : steps) {
    for (const char* outcome : {"ok", "wait", "error"}) {
      if (step == engine::Step::Sync && outcome == std::string_view("wait")) continue;
      step_seconds.Add({{"strategy", strategy},
                        {"step", std::string(engine::to_string(step))},
                        {"outcome", outcome}},
                       kRequestBuckets);
    }
  }
}

// A rate needs the zero before the first event.
void Metrics::Impl::seed_strategy(const std::string& strategy) {
  using engine::Step;
  if (strategy == "syncOnly") {
    seed_steps(strategy, {Step::Rollout});
    return;
  }
  for (const char* outcome : {"succeeded", "abandoned", "failed"})
    rotations.Add({{"strategy", strategy}, {"outcome", outcome}});
  rotation_seconds.Add({{"strategy", strategy}}, kRotationBuckets);
  seed_steps(strategy, {Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret,
                        Step::Sync, Step::Rollout, Step::Retire});
}

// What the operator asks of the API server, and how it succeeds; the chart allows just this. Codes
// of failures are an open set.
struct KubeRequests {
  const char* resource;
  std::vector<const char*> verbs;
  std::vector<const char*> codes{"200"};
};
const std::vector<KubeRequests>& kube_requests_made() {
  static const std::vector<KubeRequests> all{
      {"rotationpolicies", {"list", "watch", "patch"}},
      {"rotationpolicies/status", {"patch"}},
      {"secrets", {"get", "list", "watch", "delete"}},
      {"secrets", {"patch"}, {"200", "201"}},  // an apply makes what is not there
      {"events", {"create"}, {"201"}},
      {"events", {"patch"}},
      {"leases", {"get", "update"}},
      {"leases", {"create"}, {"201"}},
      {"pods", {"list"}},
      {"deployments", {"get", "list", "patch"}},
      {"statefulsets", {"get", "list", "patch"}},
      {"daemonsets", {"get", "list", "patch"}},
      {"namespaces", {"get"}},
      {"serviceaccounts", {"get"}},
      {"serviceaccounts/token", {"create"}, {"201"}},
  };
  return all;
}

void Metrics::Impl::seed_requests() {
  for (const char* operation : {"DescribeSecret", "GetSecretValue", "ListSecretVersionIds",
                                "ListSecrets", "PutSecretValue", "UpdateSecretVersionStage"}) {
    const Labels what{{"service", "secretsmanager"}, {"operation", operation}};
    Labels counted = what;
    counted["code"] = "ok";
    aws_requests.Add(counted);
    aws_seconds.Add(what, kRequestBuckets);
  }
  for (const auto& [resource, verbs, codes] : kube_requests_made()) {
    for (const char* verb : verbs) {
      for (const char* code : codes)
        kube_requests.Add({{"verb", verb}, {"resource", resource}, {"code", code}});
    }
  }
}

Metrics::Metrics(const std::string& version) : impl_(std::make_unique<Impl>()) {
  impl_->build_info.Add({{"version", version}}).Set(1);
  impl_->leading.Set(0);
  impl_->lag.Add({}, kRequestBuckets);
  for (const char* outcome : {"ok", "error", "conflict"}) impl_->syncs.Add({{"outcome", outcome}});
  for (const char* resource : {"rotationpolicies", "secrets"}) {
    for (const auto reason : kube::kWatchEndReasons)
      impl_->watch_restarts.Add({{"resource", resource}, {"reason", std::string(reason)}});
  }
  for (const std::string_view name : engine::strategy_names())
    impl_->seed_strategy(std::string(name));
  impl_->seed_requests();
}

Metrics::~Metrics() = default;

void Metrics::on_request(std::string_view service, std::string_view operation,
                         std::string_view code, Duration took) {
  const Labels what{{"service", std::string(service)}, {"operation", std::string(operation)}};
  Labels counted = what;
  counted["code"] = code;
  impl_->aws_requests.Add(counted).Increment();
  impl_->aws_seconds.Add(what, kRequestBuckets).Observe(seconds(took));
}

void Metrics::on_request(std::string_view verb, std::string_view resource, int code, Duration) {
  impl_->kube_requests
      .Add({{"verb", std::string(verb)},
            {"resource", std::string(resource)},
            {"code", std::to_string(code)}})
      .Increment();
}

void Metrics::on_restart(std::string_view resource, std::string_view reason) {
  impl_->watch_restarts.Add({{"resource", std::string(resource)}, {"reason", std::string(reason)}})
      .Increment();
}

void Metrics::rotation(std::string_view strategy, std::string_view outcome, Duration took) {
  impl_->rotations.Add({{"strategy", std::string(strategy)}, {"outcome", std::string(outcome)}})
      .Increment();
  if (outcome == "succeeded")
    impl_->rotation_seconds.Add({{"strategy", std::string(strategy)}}, kRotationBuckets)
        .Observe(seconds(took));
}

void Metrics::rotation_step(std::string_view strategy, std::string_view step,
                            std::string_view outcome, Duration took) {
  impl_->step_seconds
      .Add({{"strategy", std::string(strategy)},
            {"step", std::string(step)},
            {"outcome", std::string(outcome)}},
           kRequestBuckets)
      .Observe(seconds(took));
}

void Metrics::sync(std::string_view outcome) {
  impl_->syncs.Add({{"outcome", std::string(outcome)}}).Increment();
}
void Metrics::sync_lag(Duration lag) { impl_->lag.Add({}, kRequestBuckets).Observe(seconds(lag)); }
void Metrics::leader(bool leads) { impl_->leading.Set(leads ? 1 : 0); }

runtime::QueueObserver& Metrics::queue(const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  auto& slot = impl_->queues[name];
  if (!slot) {
    const Labels label{{"name", name}};
    slot = std::make_unique<QueueMetrics>(
        impl_->depth.Add(label), impl_->adds.Add(label), impl_->queued.Add(label, kQueueBuckets),
        impl_->worked.Add(label, kQueueBuckets), impl_->retries.Add(label));
  }
  return *slot;
}

void Metrics::watch_queue(const std::string& name, const runtime::WorkQueue& queue) {
  const std::lock_guard lock(impl_->mutex);
  impl_->watched[name] = &queue;
}

void Metrics::set_policies(PolicyVisitor for_each_policy) {
  const std::lock_guard lock(impl_->mutex);
  impl_->policies = std::move(for_each_policy);
}

std::string Metrics::render() const {
  PolicyVisitor policies;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, queue] : impl_->watched) {
      impl_->longest.Add({{"name", name}}).Set(seconds(queue->longest_running()));
      impl_->unfinished.Add({{"name", name}}).Set(seconds(queue->unfinished_work()));
    }
    policies = impl_->policies;
  }
  std::string text = prometheus::TextSerializer().Serialize(impl_->registry.Collect());
  if (policies) text += policy_metrics(policies);
  return text + process_metrics();
}

}  // namespace keyturn::rotation
