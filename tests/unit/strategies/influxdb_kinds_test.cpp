// A secret that changes from one kind of strategy to the other while the old credential still waits
// to be revoked, with nobody left who knows which kind began: no status, another process.
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class InfluxdbKinds : public InfluxEngineTest {
 protected:
  static constexpr const char* kUserPassword = "the-password-of-the-user";

  // Rotated by influxdbToken; the old token waits for its readers.
  void waits_to_be_revoked(const json& value) {
    store(value);
    influx.user(Influx::kShop).password = kUserPassword;
    influx.add(kOldToken, Influx::kShop, narrow(), "orders service");
    first = secrets.holder(arn, "AWSCURRENT");
    gate_open = false;
    run();
    ASSERT_TRUE(moved());
    ASSERT_EQ(secrets.holder(arn, "KEYTURN_BATON"), first);
    gate_open = true;
  }
  json of_both_kinds() const {
    json value = original();
    value["username"] = "shop";
    value["password"] = kUserPassword;
    return value;
  }
  void becomes(const std::string& name) {
    strategy_name = name;
    events.clear();
    refused.clear();
    run();
  }
  bool one_old_token() const { return influx.accepts(kOldToken); }
};

TEST_F(InfluxdbKinds, APasswordsStrategyDropsNoBatonOfATokens) {
  waits_to_be_revoked(original());
  secrets.put_as_person(arn, json{{"engine", "timestream-influxdb"},
                                  {"username", "shop"},
                                  {"password", kUserPassword},
                                  {"dbIdentifier", "shopdb"}}
                                 .dump());
  becomes("influxdbUser");
  EXPECT_EQ(refused, "OtherStrategyUnderWay");
  EXPECT_NE(last.find("username and password"), std::string::npos) << last;
  EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), first);
  EXPECT_TRUE(events.empty());
}

TEST_F(InfluxdbKinds, NotEvenWhereTheSecretHoldsBoth) {
  waits_to_be_revoked(of_both_kinds());
  becomes("influxdbUser");
  EXPECT_EQ(refused, "OtherStrategyUnderWay");
  EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), first);
  ASSERT_TRUE(one_old_token());
  becomes("influxdbToken");  // the former kind ends what it began
  EXPECT_EQ(events, std::vector<std::string>{"Retired"});
  EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
  EXPECT_FALSE(one_old_token());
}

// What a password's rotation leaves is dropped, by another process too.
TEST_F(InfluxdbKinds, APasswordsOwnBatonIsDropped) {
  for (const bool another_process : {false, true}) {
    store(of_both_kinds());
    influx.user(Influx::kShop).password = kUserPassword;
    first = secrets.holder(arn, "AWSCURRENT");
    strategy_name = "influxdbUser";
    secrets.set_fault([&](const keyturn::testing::FakeSecretsManager::Call& call,
                          keyturn::testing::FakeSecretsManager::When) -> std::optional<Error> {
      if (call.operation != "UpdateSecretVersionStage" || !moved()) return std::nullopt;
      return make_error(ErrorClass::Transient, "Timeout", "killed here");
    });
    for (int pass = 0; pass < 10 && !moved(); ++pass) one_pass();
    secrets.set_fault(nullptr);
    ASSERT_TRUE(moved());
    ASSERT_EQ(secrets.holder(arn, "KEYTURN_BATON"), first);
    if (another_process) forget();
    run();
    EXPECT_EQ(refused, "");
    EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
    secret_suffix += "-again";
  }
}

}  // namespace
}  // namespace keyturn::engine
