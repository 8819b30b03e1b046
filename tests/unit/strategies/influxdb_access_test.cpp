// influxdbToken: how it gets at its server, and what is asked before: the access rules, AWS, the
// server's version.
#include <algorithm>

#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

using InfluxdbAccess = InfluxTest;

TEST_F(InfluxdbAccess, ReferencesAreWhatTheValueAndTheSpecName) {
  auto named = strategy->references(text(original()));
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->secrets, std::vector<std::string>{admin_arn});
  EXPECT_TRUE(named->hosts.empty());
  json self_hosted = original();
  self_hosted.erase("dbIdentifier");
  use({{"url", "https://Influx.Internal"}});
  named = strategy->references(text(self_hosted));
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->hosts, std::vector<std::string>{"influx.internal:443"});
}

TEST_F(InfluxdbAccess, AsksTheRulesBeforeItTouchesAnything) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  ASSERT_TRUE(strategy->create(context("v-2"), text(original())).ok());
  EXPECT_EQ(guard->asked, (std::vector<std::string>{"resource " + timestream.instance.arn,
                                                    "backend shopdb.influx.example:8086",
                                                    "secret shop/influx-admin " + admin_arn}));
  const std::size_t sent = influx.log.size();
  guard->denies = "resource";
  use({});
  const auto denied = strategy->create(context("v-2"), text(original()));
  EXPECT_EQ(denied.error().code, "NoAccessRule");
  EXPECT_EQ(denied.error().cls,
            ErrorClass::Invalid);  // the policy is Stalled until the rules change
  guard->denies = "backend";
  use({});
  EXPECT_EQ(strategy->create(context("v-2"), text(original())).error().code, "NoAccessRule");
  EXPECT_EQ(influx.log.size(), sent);  // not even a ping
  guard->denies = "secret";
  use({});
  secrets.forget_calls();
  EXPECT_EQ(strategy->create(context("v-2"), text(original())).error().code, "NoAccessRule");
  ASSERT_EQ(secrets.calls().size(), 1u);
  EXPECT_EQ(secrets.calls()[0].operation, "DescribeSecret");  // its name was resolved, no more
  EXPECT_EQ(influx.log.size(), sent + 1);                     // a ping, no credential
}

TEST_F(InfluxdbAccess, WhatIsRememberedIsNotAskedOfAwsAgainButOfTheRules) {
  reference_memory = std::make_shared<ReferenceMemory>();
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  const auto count = [this](const char* operation) {
    const auto calls = secrets.calls();
    return std::count_if(calls.begin(), calls.end(),
                         [&](const auto& call) { return call.operation == operation; });
  };
  for (int pass = 0; pass < 3; ++pass) {
    use({});
    guard->asked.clear();
    ASSERT_TRUE(strategy->leftovers(context("v-1"), text(original())).ok());
    EXPECT_EQ(guard->asked.size(), 3u);
  }
  EXPECT_EQ(count("DescribeSecret"), 1);
  EXPECT_EQ(count("GetSecretValue"), 3);
  EXPECT_EQ(timestream.asked.size(), 1u);
  for (const char* rule : {"resource", "backend", "secret"}) {
    guard->denies = rule;
    use({});
    EXPECT_EQ(strategy->leftovers(context("v-1"), text(original())).error().code, "NoAccessRule");
  }
  guard->denies.clear();
  // Nobody answers there any more: AWS is asked anew.
  influx.fault = [](const http::Request&, Influx::When) {
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Connect", "refused"));
  };
  use({});
  EXPECT_FALSE(strategy->leftovers(context("v-1"), text(original())).ok());
  influx.fault = nullptr;
  timestream.instance.endpoint = "moved.influx.example";
  use({});
  EXPECT_TRUE(strategy->leftovers(context("v-1"), text(original())).ok());
  EXPECT_EQ(guard->asked.end()[-2], "backend moved.influx.example:8086");
  clock.advance(Duration(86'400'001));
  use({});
  EXPECT_TRUE(strategy->leftovers(context("v-1"), text(original())).ok());
  EXPECT_EQ(timestream.asked.size(), 3u);
}

TEST_F(InfluxdbAccess, ASecretThatIsNamedAndNotItsArnIsResolvedEveryTime) {
  reference_memory = std::make_shared<ReferenceMemory>();
  influx.add(kOldToken, Influx::kShop, narrow());
  json by_name = original();
  by_name["adminSecretArn"] = "shop/influx-admin";
  store(by_name);
  for (int pass = 0; pass < 2; ++pass) {
    use({});
    ASSERT_TRUE(strategy->leftovers(context("v-1"), text(by_name)).ok());
  }
  const auto calls = secrets.calls();
  EXPECT_EQ(std::count_if(calls.begin(), calls.end(),
                          [](const auto& call) { return call.operation == "DescribeSecret"; }),
            2);
}

TEST_F(InfluxdbAccess, NoRequestWithoutDeps) {
  auto bare = make_strategy("influxdbToken", "{}");
  ASSERT_TRUE(bare.ok());
  EXPECT_TRUE((*bare)->recognise(text(original())).ok());
  EXPECT_EQ((*bare)->create(context("v-2"), text(original())).error().code, "NoBackendAccess");
  EXPECT_EQ((*bare)->test(context("v-2"), text(original())).verdict, Verdict::Unknown);
}

TEST_F(InfluxdbAccess, RefusesInfluxDb3ByName) {
  store(original());
  influx.version = "3.1.0";
  EXPECT_EQ(strategy->create(context("v-2"), text(original())).error().code, "WrongVersion");
  influx.version = "v2.7.12";
  timestream.instance.cluster_id = "shopcluster";
  timestream.cluster.engine_type = "INFLUXDB_V3_ENTERPRISE";
  use({});
  const auto refused = strategy->create(context("v-2"), text(original()));
  EXPECT_EQ(refused.error().code, "WrongVersion");
  EXPECT_NE(refused.error().message.find("INFLUXDB_V3_ENTERPRISE"), std::string::npos);
  EXPECT_EQ(refused.error().cls, ErrorClass::Invalid);
}

TEST_F(InfluxdbAccess, FindsClustersAndSaysWhatIsNotReady) {
  influx.add(kOldToken, Influx::kShop, narrow());
  json value = original();
  value["dbIdentifier"] = "shopcluster";
  store(value);
  EXPECT_TRUE(strategy->create(context("v-2"), text(value)).ok());
  EXPECT_TRUE(influx.log.size() > 0 && transport->requests().at(0).url.starts_with(
                                           "https://shopcluster.influx.example:8086"));
  value["dbIdentifier"] = "nothere";
  EXPECT_EQ(strategy->create(context("v-2"), text(value)).error().code, "NoSuchDatabase");
  timestream.instance.endpoint = "";
  timestream.instance.status = "CREATING";
  const auto early = strategy->create(context("v-2"), text(original()));
  EXPECT_EQ(early.error().code, "DatabaseNotReady");
  EXPECT_EQ(early.error().cls, ErrorClass::Transient);
}

TEST_F(InfluxdbAccess, UsesAUrlAsItIs) {
  influx.add(kOldToken, Influx::kShop, narrow());
  json value = original();
  value.erase("dbIdentifier");
  value["url"] = "http://127.0.0.1:9/";
  store(value);
  ASSERT_TRUE(strategy->create(context("v-2"), text(value)).ok());
  EXPECT_EQ(transport->requests().at(0).url, "http://127.0.0.1:9/ping");
  EXPECT_TRUE(timestream.asked.empty());
}

}  // namespace
}  // namespace keyturn::engine
