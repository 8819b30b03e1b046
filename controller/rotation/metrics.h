// The operator's metrics (design 2.5): names, labels and units are contract. Counters and
// histograms live in prometheus-cpp's registry, pre-seeded at 0; the per-policy gauges are rendered
// from the policy store at scrape, so that a deleted policy leaves no series behind.
//
// Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/reflector.h"
#include "controller/rotation/policy.h"
#include "controller/runtime/workqueue.h"
#include "lib/aws/observer.h"
#include "lib/base/clock.h"

namespace keyturn::rotation {

class Metrics final : public aws::RequestObserver,
                      public kube::RequestObserver,
                      public kube::WatchObserver {
 public:
  explicit Metrics(const std::string& version);
  ~Metrics() override;

  void on_request(std::string_view service, std::string_view operation, std::string_view code,
                  Duration took) override;
  void on_request(std::string_view verb, std::string_view resource, int code,
                  Duration took) override;
  void on_restart(std::string_view resource, std::string_view reason) override;

  // outcome: "succeeded", "abandoned", "failed"
  void rotation(std::string_view strategy, std::string_view outcome, Duration took);
  // outcome: "ok", "wait", "error"
  void rotation_step(std::string_view strategy, std::string_view step, std::string_view outcome,
                     Duration took);
  // outcome: "ok", "error", "conflict"
  void sync(std::string_view outcome);
  // AWSCURRENT moved or a change was noticed → Secret written.
  void sync_lag(Duration lag);
  void leader(bool leads);

  // The observer of one queue, for workqueue_*{name}. Lives as long as this.
  runtime::QueueObserver& queue(const std::string& name);
  // Asked at each scrape for what runs now (workqueue_longest_running_processor_seconds{name},
  // workqueue_unfinished_work_seconds{name}); `queue` lives as long as scrapes are served.
  void watch_queue(const std::string& name, const runtime::WorkQueue& queue);

  // Called at each scrape for keyturn_policy_* and keyturn_policies.
  using PolicyVisitor = std::function<void(const std::function<void(const Policy&)>&)>;
  void set_policies(PolicyVisitor for_each_policy);

  std::string render() const;  // text exposition format 0.0.4

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::rotation
