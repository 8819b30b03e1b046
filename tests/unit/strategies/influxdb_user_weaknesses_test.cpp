// The weaknesses of the rotation function that AWS publishes for InfluxDB users, one by one: the
// real engine with the real strategy, where the original's order of steps would fail. And what a
// single password wants besides: forward, whatever a person does meanwhile.
#include <algorithm>

#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class OriginalUserWeakness : public InfluxEngineTest {
 protected:
  static constexpr const char* kFirst = "first-password-of-shop";

  OriginalUserWeakness() {
    strategy_name = "influxdbUser";
    influx.user(Influx::kShop).password = kFirst;
    use({});
    trace();
  }
  // Every request to anybody, in order.
  void trace() {
    influx.fault = [this](const http::Request& r,
                          Influx::When when) -> std::optional<testing::Reply> {
      if (when == Influx::When::Before)
        asked.push_back(r.method + r.url.substr(r.url.find("/", 8)));
      return std::nullopt;
    };
    secrets.set_fault([this](const auto& call, auto when) -> std::optional<Error> {
      if (when == keyturn::testing::FakeSecretsManager::When::Before)
        asked.push_back(call.operation);
      return std::nullopt;
    });
  }
  void begin(const json& value) {
    store(value);
    first = secrets.holder(arn, "AWSCURRENT");
  }
  static json value(const std::string& password = kFirst) {
    return {{"engine", "timestream-influxdb"},
            {"username", "shop"},
            {"password", password},
            {"dbIdentifier", "shopdb"}};
  }
  std::string password() { return influx.user(Influx::kShop).password; }
  void expect_at_rest() {
    ASSERT_TRUE(moved()) << last;
    EXPECT_EQ(current().at("password"), password());
    EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
    EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
    EXPECT_EQ(influx.open_sessions(), 0u);
  }
  // Passes until the server has taken the new password, and no further.
  void run_until_set() {
    secrets.set_fault([this](const auto& call, auto) -> std::optional<Error> {
      if (call.operation != "UpdateSecretVersionStage" || password() == kFirst) return std::nullopt;
      return make_error(ErrorClass::Transient, "Reset", "the process died here");
    });
    for (int pass = 0; pass < 20 && password() == kFirst; ++pass) one_pass();
    secrets.set_fault(nullptr);
    ASSERT_NE(password(), kFirst) << last;
  }

  std::vector<std::string> asked;
};

TEST_F(OriginalUserWeakness, One_BetweenSettingAndTheLabelThereIsTheTestAndTwoMovesAndNoWait) {
  begin(value());
  run();
  expect_at_rest();
  const auto set = std::find(asked.begin(), asked.end(), "PUT/api/v2/me/password");
  ASSERT_NE(set, asked.end());
  EXPECT_EQ((std::vector<std::string>(set + 1, std::min(set + 7, asked.end()))),
            (std::vector<std::string>{"POST/api/v2/signout", "POST/api/v2/signin", "GET/api/v2/me",
                                      "POST/api/v2/signout", "UpdateSecretVersionStage",
                                      "UpdateSecretVersionStage"}));
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "PUT/api/v2/me/password"), 1);
}

TEST_F(OriginalUserWeakness, One_ACrashAfterSettingGoesForwardAtOnceAndLosesNothing) {
  begin(value());
  run_until_set();
  const std::string taken = password();
  EXPECT_FALSE(moved());
  trace();
  asked.clear();
  one_pass();  // another process: no quiet is waited for where the server has the new password
  ASSERT_TRUE(moved()) << last;
  EXPECT_EQ(current().at("password"), taken);
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "PUT/api/v2/me/password"), 0);
  run();
  expect_at_rest();
}

TEST_F(OriginalUserWeakness, Two_ThePreviousPasswordIsUsedForTheSameUserOnly) {
  const auto wanted = text(value("Fresh-password-1")), wrong = text(value("not-the-password"));
  json other = value("pa:ss word");  // which is right, for the administrator
  other["username"] = "admin";
  const auto admins = text(other), before = text(value());
  EXPECT_EQ(strategy->set(context("v-3"), wanted, wrong, &admins).error().code, "NoPasswordWorks");
  EXPECT_EQ(influx.user(Influx::kAdmin).password, "pa:ss word");
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "POST/api/v2/signin"), 2);
  EXPECT_EQ(strategy->set(context("v-3"), wanted, wrong, nullptr).error().code, "NoPasswordWorks");
  json elsewhere = value();
  elsewhere["dbIdentifier"] = "otherdb";
  const auto anothers = text(elsewhere);
  EXPECT_EQ(strategy->set(context("v-3"), wanted, wrong, &anothers).error().code,
            "NoPasswordWorks");
  EXPECT_TRUE(strategy->set(context("v-3"), wanted, wrong, &before).ok());
  EXPECT_EQ(password(), "Fresh-password-1");
}

TEST_F(OriginalUserWeakness, Three_ThePortIsWhatTimestreamSays) {
  timestream.instance.port = 8443;
  begin(value());
  run();
  expect_at_rest();
  for (const auto& request : transport->requests())
    EXPECT_TRUE(request.url.starts_with("https://shopdb.influx.example:8443/")) << request.url;
}

// The original takes "cannot connect" for "wrong password" and goes on with the next one.
TEST_F(OriginalUserWeakness, Four_ATroubleIsNotANo) {
  begin(value());
  influx.fault = [this](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
    if (!r.url.ends_with("/signin")) return std::nullopt;
    asked.push_back("sign-in");
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Timeout", "timed out"));
  };
  const auto previous = text(value("older-password"));
  const auto set =
      strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value()), &previous);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().cls, ErrorClass::Transient);
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "sign-in"), 1);  // no other password was tried

  trace();
  for (int pass = 0; pass < 20 && secrets.holder(arn, "AWSPENDING").empty(); ++pass) one_pass();
  const std::string pending = secrets.holder(arn, "AWSPENDING");
  ASSERT_NE(pending, "") << last;
  influx.fault = [](const http::Request&, Influx::When) {
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Connect", "refused"));
  };
  for (int pass = 0; pass < 10; ++pass) one_pass();
  EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), pending);  // nothing was given up
  EXPECT_EQ(password(), kFirst);
  trace();
  run();
  expect_at_rest();
  EXPECT_EQ(secrets.holder(arn, "AWSCURRENT"), pending);
}

TEST_F(OriginalUserWeakness, Five_TheSecretThatTimestreamMadeWorksAsItIs) {
  const json made_by_timestream = {{"organization", "shop-org"},
                                   {"bucket", "orders"},
                                   {"username", "shop"},
                                   {"password", kFirst}};
  begin(made_by_timestream);
  run();
  EXPECT_FALSE(moved());
  EXPECT_NE(last.find("spec.strategy.influxdbUser"), std::string::npos) << last;
  options = {{"dbIdentifier", "shopdb"}};
  run();
  expect_at_rest();
  json now = current();
  now["password"] = kFirst;
  EXPECT_EQ(now, made_by_timestream);
}

// What the server holds is carried into a successor of what the person put.
TEST_F(OriginalUserWeakness, AnEditWhileTheNewPasswordIsSetKeepsTheEditAndThePasswordThatWorks) {
  begin(value());
  run_until_set();
  json edited = value();
  edited["note"] = "by hand";
  secrets.put_as_person(arn, edited.dump());
  const std::string taken = password();
  run();
  expect_at_rest();
  EXPECT_EQ(current().at("note"), "by hand");
  EXPECT_EQ(password(), taken);  // the server was asked, not told
  EXPECT_TRUE(std::count(events.begin(), events.end(), "Rebased") > 0);
}

TEST_F(OriginalUserWeakness, APasswordChangedInBothPlacesByHandStands) {
  begin(value());
  for (int pass = 0; pass < 20 && secrets.holder(arn, "AWSPENDING").empty(); ++pass) one_pass();
  influx.user(Influx::kShop).password = "By-a-person-9";
  secrets.put_as_person(arn, value("By-a-person-9").dump());
  const std::string by_hand = secrets.holder(arn, "AWSCURRENT");
  run();
  EXPECT_EQ(secrets.holder(arn, "AWSCURRENT"), by_hand);
  EXPECT_EQ(password(), "By-a-person-9");
  EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
}

// AWSCURRENT was overwritten since: the password that works is in AWSPREVIOUS.
TEST_F(OriginalUserWeakness, AWrongValueThatAPersonPutIsMendedBeforeAnythingRotates) {
  begin(value());
  secrets.put_as_person(arn, value("a typing mistake").dump());
  first = secrets.holder(arn, "AWSCURRENT");
  run();
  expect_at_rest();
  EXPECT_EQ(password(), kFirst);  // the server's password is the one that is current again
}

TEST_F(OriginalUserWeakness, WhereNothingWorksThePersonIsToldAndNothingChanges) {
  begin(value("never right"));
  run();
  EXPECT_FALSE(moved());
  EXPECT_NE(last.find("accepts none of the values"), std::string::npos) << last;
  EXPECT_EQ(password(), kFirst);
}

TEST_F(OriginalUserWeakness, EveryAnswerMayBeLostOnce) {
  for (std::size_t lost = 0; lost < 40; ++lost) {
    SCOPED_TRACE(lost);
    secret_suffix = "-" + std::to_string(lost);
    influx.user(Influx::kShop).password = kFirst;
    begin(value());
    std::size_t seen = 0;
    const Error reset = make_error(ErrorClass::Transient, "Reset", "reset by peer");
    influx.fault = [&](const http::Request&, Influx::When when) -> std::optional<testing::Reply> {
      if (when == Influx::When::Before || seen++ != lost) return std::nullopt;
      return testing::Reply::failed(reset);
    };
    secrets.set_fault([&](const auto&, auto when) -> std::optional<Error> {
      if (when == keyturn::testing::FakeSecretsManager::When::Before || seen++ != lost)
        return std::nullopt;
      return reset;
    });
    run();
    secrets.set_fault(nullptr);
    influx.fault = nullptr;
    ASSERT_TRUE(moved()) << last;
    EXPECT_EQ(current().at("password"), password());
    EXPECT_EQ(secrets.holder(arn, "AWSPREVIOUS"), first);  // one new version
    EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
    if (seen <= lost) return;  // there were no more
  }
  ADD_FAILURE() << "a rotation does not take so many requests";
}

}  // namespace
}  // namespace keyturn::engine
