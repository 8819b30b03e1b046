// The exposed names and labels are a contract: users' alerts and dashboards hang on them.
#include "controller/rotation/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "lib/base/time.h"
#include "tests/testing/fake_clock.h"
#include "tests/unit/rotation/yaml_json.h"

namespace keyturn::rotation {
namespace {

using Names = std::set<std::string>;

// name → names of its labels, of every series; a histogram's parts count as the histogram.
std::map<std::string, Names> series_of(const std::string& text) {
  static const std::regex kLine(R"(^([a-z_]+)(\{([^}]*)\})? \S+$)");
  static const std::regex kLabel(R"re(([a-z_]+)="((?:[^"\\]|\\.)*)")re");
  std::map<std::string, Names> found;
  std::set<std::string> histograms;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ") && line.ends_with(" histogram"))
      histograms.insert(line.substr(7, line.size() - 7 - 10));
    std::smatch match;
    if (line.starts_with("#") || !std::regex_match(line, match, kLine)) continue;
    std::string name = match[1];
    for (const char* part : {"_bucket", "_sum", "_count"}) {
      const std::string whole = name.substr(0, name.size() - std::string(part).size());
      if (name.ends_with(part) && histograms.contains(whole)) name = whole;
    }
    Names& labels = found[name];
    const std::string inside = match[3];
    for (std::sregex_iterator it(inside.begin(), inside.end(), kLabel), end; it != end; ++it) {
      if ((*it)[1] != "le") labels.insert((*it)[1]);
    }
  }
  return found;
}

Policy retiring_policy() {
  Policy policy;
  policy.ns = "shop";
  policy.name = "orders";
  const WallTime at = *parse_rfc3339("2026-11-22T08:00:00Z");
  policy.status.last_rotation = policy.status.next_rotation = at;
  policy.status.retiring =
      RetiringStatus{.version_id = "v", .waiting_for = "", .since = at, .earliest = {}};
  policy.status.conditions.push_back({"Ready", "True", "Synced", "", at, 1});
  return policy;
}

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    for (const char* name : {"sync", "rotation"}) metrics.queue(name);
    metrics.watch_queue("sync", queue);
    metrics.watch_queue("rotation", queue);
    metrics.set_policies([](const auto& visit) { visit(retiring_policy()); });
  }
  bool shows(const std::string& line) const {
    return ("\n" + metrics.render()).find("\n" + line) != std::string::npos;
  }

  testing::FakeClock clock;
  SeededRng rng{1};
  runtime::WorkQueue queue{clock, rng, {}};
  Metrics metrics{"1.2.3"};
};

TEST_F(MetricsTest, NamesAndLabelsBeforeAnythingHappened) {
  auto found = series_of(metrics.render());
  const std::map<std::string, Names> contract{
      {"keyturn_rotations_total", {"strategy", "outcome"}},
      {"keyturn_rotation_duration_seconds", {"strategy"}},
      {"keyturn_rotation_step_duration_seconds", {"strategy", "step", "outcome"}},
      {"keyturn_policy_ready", {"namespace", "policy"}},
      {"keyturn_policy_last_rotation_timestamp_seconds", {"namespace", "policy"}},
      {"keyturn_policy_next_rotation_timestamp_seconds", {"namespace", "policy"}},
      {"keyturn_policy_retiring_since_timestamp_seconds", {"namespace", "policy"}},
      {"keyturn_policies", {"condition", "status", "reason"}},
      {"keyturn_syncs_total", {"outcome"}},
      {"keyturn_sync_lag_seconds", {}},
      {"keyturn_aws_requests_total", {"service", "operation", "code"}},
      {"keyturn_aws_request_duration_seconds", {"service", "operation"}},
      {"keyturn_kube_requests_total", {"verb", "resource", "code"}},
      {"keyturn_watch_restarts_total", {"resource", "reason"}},
      {"keyturn_leader", {}},
      {"keyturn_build_info", {"version"}},
      {"workqueue_depth", {"name"}},
      {"workqueue_adds_total", {"name"}},
      {"workqueue_queue_duration_seconds", {"name"}},
      {"workqueue_work_duration_seconds", {"name"}},
      {"workqueue_unfinished_work_seconds", {"name"}},
      {"workqueue_longest_running_processor_seconds", {"name"}},
      {"workqueue_retries_total", {"name"}},
  };
  for (const auto& [name, labels] : contract) {
    ASSERT_TRUE(found.contains(name)) << name << " is not pre-seeded";
    EXPECT_EQ(found.at(name), labels) << name;
    found.erase(name);
  }
  for (const auto& [name, unused] : found)
    EXPECT_TRUE(name.starts_with("process_")) << name << " is no part of the contract";
  EXPECT_TRUE(found.contains("process_resident_memory_bytes"));
}

TEST_F(MetricsTest, TheReadmeListsThemAll) {
  std::ifstream in(source_path("README.md"));
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  for (const auto& [name, unused] : series_of(metrics.render())) {
    if (!name.starts_with("keyturn_")) continue;
    EXPECT_NE(readme.find("`" + name + "`"), std::string::npos) << name << " is not in README.md";
  }
  static const std::regex kName("`(keyturn_[a-z_]+)");
  const auto found = series_of(metrics.render());
  for (std::sregex_iterator it(readme.begin(), readme.end(), kName), end; it != end; ++it)
    EXPECT_TRUE(found.contains((*it)[1])) << (*it)[1] << " in README.md is not exported";
}

// Else the first of its kind is missing in every rate.
TEST_F(MetricsTest, WhatSucceedsIsThereBeforeItHappens) {
  for (const char* step :
       {"createSecret", "setSecret", "testSecret", "finishSecret", "sync", "rollout", "retire"}) {
    for (const char* outcome : {"ok", "error"}) {
      const std::string labels =
          std::string("{outcome=\"") + outcome + "\",step=\"" + step + "\",strategy=\"generic\"} 0";
      EXPECT_TRUE(shows("keyturn_rotation_step_duration_seconds_count" + labels)) << labels;
    }
  }
  EXPECT_TRUE(shows(
      R"(keyturn_rotation_step_duration_seconds_count{outcome="ok",step="rollout",strategy="syncOnly"} 0)"));
  for (const char* labels : {R"(code="200",resource="secrets",verb="patch")",
                             R"(code="201",resource="secrets",verb="patch")",
                             R"(code="200",resource="rotationpolicies/status",verb="patch")",
                             R"(code="200",resource="deployments",verb="patch")",
                             R"(code="201",resource="events",verb="create")"}) {
    EXPECT_TRUE(shows("keyturn_kube_requests_total{" + std::string(labels) + "} 0")) << labels;
  }
}

TEST_F(MetricsTest, WhatIsCounted) {
  EXPECT_TRUE(shows(R"(keyturn_rotations_total{outcome="succeeded",strategy="generic"} 0)"));
  metrics.rotation("generic", "succeeded", Duration(1500));
  metrics.rotation("generic", "abandoned", Duration(1));
  EXPECT_TRUE(shows(R"(keyturn_rotations_total{outcome="succeeded",strategy="generic"} 1)"));
  EXPECT_TRUE(shows(R"(keyturn_rotation_duration_seconds_sum{strategy="generic"} 1.5)"))
      << "what was given up took no rotation's time";
  metrics.rotation_step("generic", "createSecret", "ok", Duration(250));
  EXPECT_TRUE(shows(
      R"(keyturn_rotation_step_duration_seconds_sum{outcome="ok",step="createSecret",strategy="generic"} 0.25)"));
  metrics.sync("conflict");
  EXPECT_TRUE(shows(R"(keyturn_syncs_total{outcome="conflict"} 1)"));
  metrics.on_request("secretsmanager", "DescribeSecret", "ThrottlingException", Duration(20));
  EXPECT_TRUE(shows(
      R"(keyturn_aws_requests_total{code="ThrottlingException",operation="DescribeSecret",service="secretsmanager"} 1)"));
  metrics.on_request("patch", "secrets", 409, Duration(5));
  EXPECT_TRUE(
      shows(R"(keyturn_kube_requests_total{code="409",resource="secrets",verb="patch"} 1)"));
  metrics.on_restart("secrets", "expired");
  EXPECT_TRUE(shows(R"(keyturn_watch_restarts_total{reason="expired",resource="secrets"} 1)"));
  metrics.leader(true);
  EXPECT_TRUE(shows("keyturn_leader 1"));
  EXPECT_TRUE(shows(R"(keyturn_build_info{version="1.2.3"} 1)"));
}

TEST_F(MetricsTest, PoliciesAreRenderedFromTheStore) {
  EXPECT_TRUE(shows(R"(keyturn_policy_ready{namespace="shop",policy="orders"} 1)"));
  EXPECT_TRUE(shows(
      R"(keyturn_policy_next_rotation_timestamp_seconds{namespace="shop",policy="orders"} 1795334400)"));
  EXPECT_TRUE(shows(R"(keyturn_policies{condition="Ready",status="True",reason="Synced"} 1)"));
  metrics.set_policies([](const auto&) {});
  EXPECT_EQ(metrics.render().find("shop"), std::string::npos) << "a policy that is gone is shown";
}

TEST_F(MetricsTest, WhatRunsNow) {
  queue.add("a");
  ASSERT_TRUE(queue.get());
  clock.advance(Duration(2500));
  EXPECT_TRUE(shows(R"(workqueue_unfinished_work_seconds{name="sync"} 2.5)"));
  EXPECT_TRUE(shows(R"(workqueue_longest_running_processor_seconds{name="sync"} 2.5)"));
}

}  // namespace
}  // namespace keyturn::rotation
