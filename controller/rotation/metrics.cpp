#include "controller/rotation/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>

#include "controller/rotation/metrics_text.h"

namespace keyturn::rotation {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;
using Labels = prometheus::Labels;

// Requests and syncs: milliseconds to a request's deadline. Rotations: to the hour that a slow backend takes.
const Buckets kRequestBuckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30};
const Buckets kRotationBuckets{0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800, 3600};
const Buckets kQueueBuckets{0.0001, 0.001, 0.01, 0.1, 1, 10, 60, 300};

double seconds(Duration d) { return static_cast<double>(d.count()) / 1000.0; }

class QueueMetrics final : public runtime::QueueObserver {
 public:
  QueueMetrics(prometheus::Gauge& depth, prometheus::Counter& adds, prometheus::Histogram& waited, prometheus::Histogram& worked,
               prometheus::Counter& retries)
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
  template <class Builder>
  auto& family(Builder builder, const char* name, const char* help) {
    return builder.Name(name).Help(help).Register(registry);
  }

  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& rotations = family(prometheus::BuildCounter(), "keyturn_rotations_total", "Rotations that ended, by outcome.");
  prometheus::Family<prometheus::Histogram>& rotation_seconds =
      family(prometheus::BuildHistogram(), "keyturn_rotation_duration_seconds", "From the start of a rotation until the new version is current.");
  prometheus::Family<prometheus::Histogram>& step_seconds =
      family(prometheus::BuildHistogram(), "keyturn_rotation_step_duration_seconds", "One run of one step of a rotation.");
  prometheus::Family<prometheus::Counter>& syncs = family(prometheus::BuildCounter(), "keyturn_syncs_total", "Writes of target Secrets, by outcome.");
  prometheus::Family<prometheus::Histogram>& lag =
      family(prometheus::BuildHistogram(), "keyturn_sync_lag_seconds", "From a version becoming current, or being noticed, until the Secret is written.");
  prometheus::Family<prometheus::Counter>& aws_requests = family(prometheus::BuildCounter(), "keyturn_aws_requests_total", "Requests to AWS, tries counted one by one.");
  prometheus::Family<prometheus::Histogram>& aws_seconds =
      family(prometheus::BuildHistogram(), "keyturn_aws_request_duration_seconds", "Duration of requests to AWS.");
  prometheus::Family<prometheus::Counter>& kube_requests = family(prometheus::BuildCounter(), "keyturn_kube_requests_total", "Requests to the Kubernetes API.");
  prometheus::Family<prometheus::Counter>& watch_restarts = family(prometheus::BuildCounter(), "keyturn_watch_restarts_total", "Watches that had to start again, by reason.");
  prometheus::Gauge& leading = family(prometheus::BuildGauge(), "keyturn_leader", "1 while this replica leads.").Add({});
  prometheus::Family<prometheus::Gauge>& build_info = family(prometheus::BuildGauge(), "keyturn_build_info", "Always 1; the version is a label.");
  prometheus::Family<prometheus::Gauge>& depth = family(prometheus::BuildGauge(), "workqueue_depth", "Keys that are ready to be worked on.");
  prometheus::Family<prometheus::Counter>& adds = family(prometheus::BuildCounter(), "workqueue_adds_total", "Keys added.");
  prometheus::Family<prometheus::Histogram>& queued = family(prometheus::BuildHistogram(), "workqueue_queue_duration_seconds", "How long keys wait in the queue.");
  prometheus::Family<prometheus::Histogram>& worked = family(prometheus::BuildHistogram(), "workqueue_work_duration_seconds", "How long a pass over a key takes.");
  prometheus::Family<prometheus::Counter>& retries = family(prometheus::BuildCounter(), "workqueue_retries_total", "Keys put back after a failure.");
  prometheus::Family<prometheus::Gauge>& longest =
      family(prometheus::BuildGauge(), "workqueue_longest_running_processor_seconds", "How long the longest running pass has been running.");

  std::mutex mutex;
  std::map<std::string, std::unique_ptr<QueueMetrics>> queues;
  std::map<std::string, std::function<Duration()>> longest_running;
  PolicyVisitor policies;
};

Metrics::Metrics(const Clock& clock, const std::string& version) : impl_(std::make_unique<Impl>()) {
  static_cast<void>(clock);
  impl_->build_info.Add({{"version", version}}).Set(1);
  impl_->leading.Set(0);
  impl_->lag.Add({}, kRequestBuckets);
  for (const char* outcome : {"ok", "error", "conflict"}) impl_->syncs.Add({{"outcome", outcome}});
  for (const char* outcome : {"succeeded", "abandoned", "failed"}) impl_->rotations.Add({{"strategy", "generic"}, {"outcome", outcome}});
  impl_->rotation_seconds.Add({{"strategy", "generic"}}, kRotationBuckets);
}

Metrics::~Metrics() = default;

void Metrics::on_request(std::string_view service, std::string_view operation, std::string_view code, Duration took) {
  const Labels what{{"service", std::string(service)}, {"operation", std::string(operation)}};
  Labels counted = what;
  counted["code"] = code;
  impl_->aws_requests.Add(counted).Increment();
  impl_->aws_seconds.Add(what, kRequestBuckets).Observe(seconds(took));
}

void Metrics::on_request(std::string_view verb, std::string_view resource, int code, Duration) {
  impl_->kube_requests.Add({{"verb", std::string(verb)}, {"resource", std::string(resource)}, {"code", std::to_string(code)}}).Increment();
}

void Metrics::on_restart(std::string_view resource, std::string_view reason) {
  impl_->watch_restarts.Add({{"resource", std::string(resource)}, {"reason", std::string(reason)}}).Increment();
}

void Metrics::rotation(std::string_view strategy, std::string_view outcome, Duration took) {
  impl_->rotations.Add({{"strategy", std::string(strategy)}, {"outcome", std::string(outcome)}}).Increment();
  if (outcome == "succeeded") impl_->rotation_seconds.Add({{"strategy", std::string(strategy)}}, kRotationBuckets).Observe(seconds(took));
}

void Metrics::rotation_step(std::string_view strategy, std::string_view step, std::string_view outcome, Duration took) {
  impl_->step_seconds.Add({{"strategy", std::string(strategy)}, {"step", std::string(step)}, {"outcome", std::string(outcome)}}, kRequestBuckets)
      .Observe(seconds(took));
}

void Metrics::sync(std::string_view outcome) { impl_->syncs.Add({{"outcome", std::string(outcome)}}).Increment(); }
void Metrics::sync_lag(Duration lag) { impl_->lag.Add({}, kRequestBuckets).Observe(seconds(lag)); }
void Metrics::leader(bool leads) { impl_->leading.Set(leads ? 1 : 0); }

runtime::QueueObserver& Metrics::queue(const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  auto& slot = impl_->queues[name];
  if (!slot) {
    const Labels label{{"name", name}};
    slot = std::make_unique<QueueMetrics>(impl_->depth.Add(label), impl_->adds.Add(label), impl_->queued.Add(label, kQueueBuckets),
                                          impl_->worked.Add(label, kQueueBuckets), impl_->retries.Add(label));
  }
  return *slot;
}

void Metrics::set_longest_running(const std::string& name, std::function<Duration()> longest_running) {
  const std::lock_guard lock(impl_->mutex);
  impl_->longest_running[name] = std::move(longest_running);
}

void Metrics::set_policies(PolicyVisitor for_each_policy) {
  const std::lock_guard lock(impl_->mutex);
  impl_->policies = std::move(for_each_policy);
}

std::string Metrics::render() const {
  PolicyVisitor policies;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, longest] : impl_->longest_running) impl_->longest.Add({{"name", name}}).Set(seconds(longest()));
    policies = impl_->policies;
  }
  std::string text = prometheus::TextSerializer().Serialize(impl_->registry.Collect());
  if (policies) text += policy_metrics(policies);
  return text + process_metrics();
}

}  // namespace keyturn::rotation
