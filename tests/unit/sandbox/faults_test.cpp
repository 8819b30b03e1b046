// Faults to order: each kind as a client sees it, what had happened behind it, and the counts.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class FaultsTest : public ::testing::Test {
 protected:
  void order(const Json& fault) { sandbox.faults().add(fault_from_json(fault)); }
  std::size_t secrets() { return sandbox.store().count("secrets"); }

  Sandbox sandbox;
  KubeClient kube{sandbox};
};

TEST_F(FaultsTest, ResetBeforeDoesNothingResetAfterDoesIt) {
  order({{"operation", "create"}, {"kind", "reset-before"}, {"times", 1}});
  EXPECT_EQ(kube.post(kSecrets, secret("a", Json::object())).status, 0);
  EXPECT_EQ(secrets(), 0U);
  order({{"operation", "create"}, {"kind", "reset-after"}, {"times", 1}});
  EXPECT_EQ(kube.post(kSecrets, secret("a", Json::object())).status, 0);
  EXPECT_EQ(secrets(), 1U);
  EXPECT_EQ(kube.post(kSecrets, secret("a", Json::object())).status, 409);
}

TEST_F(FaultsTest, ErrorsComeAsStatusWithRetryAfter) {
  order({{"resource", "secrets"},
         {"operation", "get"},
         {"status", 429},
         {"retryAfter", 7},
         {"times", 1}});
  const Reply throttled = kube.get(std::string(kSecrets) + "/a");
  EXPECT_EQ(throttled.status, 429);
  EXPECT_EQ(throttled.header("retry-after"), "7");
  EXPECT_EQ(throttled.body["reason"], "TooManyRequests");
  EXPECT_EQ(throttled.body["details"]["retryAfterSeconds"], 7);
  EXPECT_EQ(kube.get(std::string(kSecrets) + "/a").status, 404);
}

TEST_F(FaultsTest, SkipEveryTimes) {
  order({{"operation", "list"}, {"status", 500}, {"skip", 1}, {"every", 2}, {"times", 2}});
  std::string story;
  for (int i = 0; i < 7; ++i) story += kube.get(kSecrets).status == 200 ? "." : "x";
  EXPECT_EQ(story, ".x.x...");
}

TEST_F(FaultsTest, ProbabilityIsSeeded) {
  const auto story = [](std::uint64_t seed) {
    FaultPlan plan(seed);
    Fault fault;
    fault.probability = 0.5;
    plan.add(fault);
    std::string out;
    for (int i = 0; i < 40; ++i) out += plan.decide({"s", "o", "", "", ""}) ? "x" : ".";
    return out;
  };
  EXPECT_EQ(story(7), story(7));
  EXPECT_NE(story(7), story(8));
  EXPECT_NE(story(7).find('x'), std::string::npos);
}

TEST_F(FaultsTest, BlackHolesNeverAnswer) {
  order({{"operation", "create"}, {"kind", "black-hole"}, {"times", 1}});
  kube.read_timeout_ms = 50;
  EXPECT_EQ(kube.post(kSecrets, secret("a", Json::object())).status, 0);
  kube.read_timeout_ms = 10'000;
  EXPECT_EQ(secrets(), 0U);
}

TEST_F(FaultsTest, DuplicatesHappenTwice) {
  order({{"operation", "create"}, {"kind", "duplicate"}, {"times", 1}});
  EXPECT_EQ(kube.post(kSecrets, secret("a", Json::object())).status,
            409);  // the answer to the second
  EXPECT_EQ(secrets(), 1U);
}

TEST_F(FaultsTest, WatchesBreakInEveryWay) {
  for (const char* name : {"a", "b", "c"})
    ASSERT_EQ(kube.post(kSecrets, secret(name, Json::object())).status, 201);
  const std::string path = std::string(kSecrets) + "?watch=true&resourceVersion=0";
  const auto lines = [](const std::string& bytes) {
    return std::count(bytes.begin(), bytes.end(), '\n');
  };
  const auto all = [](const std::string&) { return false; };
  order({{"id", "f"}, {"operation", "watch"}, {"kind", "cut-watch"}, {"events", 2}, {"times", 1}});
  std::string bytes = kube.watch_bytes(path, all);
  EXPECT_EQ(lines(bytes), 2);
  EXPECT_EQ(bytes.back(), '\n');
  order({{"id", "f"},
         {"operation", "watch"},
         {"kind", "cut-watch"},
         {"events", 2},
         {"torn", true},
         {"times", 1}});
  bytes = kube.watch_bytes(path, all);
  EXPECT_EQ(lines(bytes), 2);
  EXPECT_NE(bytes.back(), '\n');
  order({{"id", "f"}, {"operation", "watch"}, {"kind", "watch-gone"}, {"events", 1}, {"times", 1}});
  const std::vector<Json> events = kube.watch(path, 9);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1]["object"]["code"], 410);
  // Half a line, then silence: the client has to give up by itself.
  order({{"id", "f"}, {"operation", "watch"}, {"kind", "half-line"}, {"events", 1}, {"times", 1}});
  kube.read_timeout_ms = 50;
  bytes = kube.watch_bytes(path, all);
  kube.read_timeout_ms = 10'000;
  EXPECT_EQ(lines(bytes), 1);
  EXPECT_NE(bytes.back(), '\n');
  order({{"id", "f"}, {"operation", "watch"}, {"status", 410}, {"times", 1}});
  EXPECT_EQ(kube.get(path).status, 410);
}

TEST_F(FaultsTest, AServerStopsAndComesBackOnItsPort) {
  sandbox.kube_server().stop();
  EXPECT_EQ(kube.get(kSecrets).status, 0);
  sandbox.kube_server().start();
  EXPECT_EQ(kube.get(kSecrets).status, 200);
}

TEST_F(FaultsTest, AwsThrottlesAndLosesReplies) {
  sandbox.secrets().create("k", "one");
  const AwsClient aws(sandbox);
  order({{"service", "secretsmanager"},
         {"operation", "GetSecretValue"},
         {"status", 400},
         {"code", "ThrottlingException"},
         {"times", 1}});
  EXPECT_EQ(text_at(aws.call("GetSecretValue", {{"SecretId", "k"}}).body, "__type"),
            "ThrottlingException");
  order(
      {{"operation", "PutSecretValue"}, {"resource", "k"}, {"kind", "reset-after"}, {"times", 1}});
  EXPECT_EQ(aws.call("PutSecretValue", {{"SecretId", "k"},
                                        {"SecretString", "two"},
                                        {"ClientRequestToken", std::string(36, 'a')}})
                .status,
            0);
  EXPECT_EQ(sandbox.secrets().value("k"), "two");
}

TEST_F(FaultsTest, CallsAreCountedWithoutValues) {
  kube.get(kSecrets);
  kube.get(kSecrets);
  kube.post(kSecrets, secret("a", {{"A", "c2VjcmV0"}}));
  EXPECT_EQ(sandbox.calls().count("kubernetes", "list", "secrets"), 2U);
  EXPECT_EQ(sandbox.calls().count("kubernetes"), 3U);
  const auto entries = sandbox.calls().entries();
  EXPECT_EQ(entries[2].call.operation, "create");
  EXPECT_EQ(entries[2].status, 201);
  sandbox.calls().clear();
  EXPECT_EQ(sandbox.calls().total(), 0U);
}

TEST_F(FaultsTest, UnknownFieldsOfAFaultAreRefused) {
  EXPECT_THROW(fault_from_json({{"opration", "get"}}), std::invalid_argument);
  EXPECT_THROW(fault_from_json({{"kind", "explode"}}), std::invalid_argument);
}

}  // namespace
}  // namespace keyturn::sandbox::testing
