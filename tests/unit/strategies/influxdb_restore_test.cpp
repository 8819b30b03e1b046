// influxdbToken: giving back what a revocation set inactive before it died, and nothing else.
#include "lib/engine/labels.h"
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class InfluxdbRestore : public InfluxTest, public ::testing::WithParamInterface<bool> {
 protected:
  // The old version's value, its token, and a newer version that replaces it; the server hides
  // token values if the parameter says so.
  void set_up(const json& old_value, const std::string& user, const json& rights) {
    influx.hides_values = GetParam();
    value = old_value;
    store(value);
    old_id = influx.add(kOldToken, user, rights, "orders service");
    first = secrets.holder(arn, "AWSCURRENT");
    auto made = strategy->create(context(successor_id(arn, first, "")), text(value));
    ASSERT_TRUE(made.ok()) << made.error().message;
    next = std::move(made).value();
    new_id = json_of(next).at("authorizationId");
  }
  void with_administrator() { set_up(original(), Influx::kShop, narrow()); }
  void single_user() {
    json own = original("operator");
    own.erase("adminSecretArn");
    set_up(own, Influx::kAdmin, Influx::everything());
  }
  // The retirement dies when it has set the token inactive.
  void crash(const SecretString& retired, const SecretString& current, const std::string& version) {
    influx.fault = [](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
      if (when != Influx::When::After || r.method != "PATCH") return std::nullopt;
      return testing::Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer"));
    };
    ASSERT_FALSE(strategy->retire(context(version), retired, current, yes).ok());
    influx.fault = nullptr;
    use({});  // another process
    influx.log.clear();
  }

  json value;
  SecretString next;
  std::string old_id, new_id, first;
};
INSTANTIATE_TEST_SUITE_P(Servers, InfluxdbRestore, ::testing::Bool(),
                         [](const auto& server) { return server.param ? "Hiding" : "Showing"; });

TEST_P(InfluxdbRestore, WhatACrashLeftInactiveWorksAgain) {
  with_administrator();
  crash(text(value), next, first);
  ASSERT_FALSE(influx.accepts(kOldToken));
  ASSERT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
  EXPECT_EQ(influx.find(old_id)->description.find("retiring"), std::string::npos);
  // Active is success, and nothing is changed.
  influx.log.clear();
  ASSERT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_EQ(writes(), 0u);
}

TEST_P(InfluxdbRestore, ATokenThatKeyturnMadeIsKnownByItsId) {
  with_administrator();
  crash(next, text(value), "v-2");
  ASSERT_FALSE(influx.find(new_id)->active);
  ASSERT_TRUE(strategy->restore(context("v-2"), next, nullptr).ok());
  EXPECT_TRUE(influx.find(new_id)->active);
}

TEST_P(InfluxdbRestore, ASingleUsersTokenIsGivenBackByTheOther) {
  single_user();
  crash(text(value), next, first);
  EXPECT_EQ(strategy->restore(context(first), text(value), nullptr).error().cls,
            ErrorClass::Invalid);
  influx.find(new_id)->active =
      false;  // it sees nothing, which does not mean that nothing is there
  EXPECT_EQ(strategy->restore(context(first), text(value), &next).error().cls, ErrorClass::Invalid);
  influx.find(new_id)->active = true;
  ASSERT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_P(InfluxdbRestore, WhatAPersonSetInactiveStays) {
  with_administrator();
  influx.find(old_id)->active = false;
  influx.find(new_id)->active = false;
  EXPECT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_TRUE(strategy->restore(context("v-2"), next, nullptr).ok());
  EXPECT_FALSE(influx.find(old_id)->active);
  EXPECT_FALSE(influx.find(new_id)->active);
}

TEST_P(InfluxdbRestore, OnlyTheValuesOwnTokenIsGivenBack) {
  with_administrator();
  crash(next, text(value), "v-2");
  EXPECT_TRUE(strategy->restore(context(first), text(value), nullptr).ok());
  EXPECT_FALSE(influx.find(new_id)->active);
}

TEST_P(InfluxdbRestore, AbsentIsSuccess) {
  with_administrator();
  influx.auths.clear();
  influx.add("somebody", Influx::kShop, narrow());
  EXPECT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_TRUE(strategy->restore(context("v-2"), next, nullptr).ok());
  EXPECT_TRUE(strategy->restore(context(first), SecretString("not ours"), nullptr).ok());
}

// A proxy's refusal is no word about the token.
TEST_P(InfluxdbRestore, AProxysRefusalIsNoSignThatTheTokenWorks) {
  single_user();
  crash(text(value), next, first);
  for (const int status : {401, 403}) {
    influx.fault = [=](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
      if (!r.url.ends_with("/me")) return std::nullopt;
      return testing::Reply::of(status, R"({"message":"Unauthorized"})");
    };
    EXPECT_FALSE(strategy->restore(context(first), text(value), &next).ok());
  }
  influx.fault = nullptr;
  ASSERT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_P(InfluxdbRestore, ATokenThatWorksNeedsNoAdministrator) {
  with_administrator();
  secrets.put_as_person(admin_arn, R"({"username":"admin","password":"wrong"})");
  use({});
  EXPECT_TRUE(strategy->restore(context("v-2"), next, nullptr).ok());
  influx.find(new_id)->active = false;
  EXPECT_EQ(strategy->restore(context("v-2"), next, nullptr).error().code, "SignInRefused");
}

TEST_P(InfluxdbRestore, AnAnswerThatIsLostIsAskedForAgain) {
  with_administrator();
  crash(text(value), next, first);
  influx.fault = [](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
    if (when != Influx::When::Before || r.method != "PATCH") return std::nullopt;
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer"));
  };
  EXPECT_EQ(strategy->restore(context(first), text(value), &next).error().cls,
            ErrorClass::Transient);
  influx.fault = nullptr;
  ASSERT_TRUE(strategy->restore(context(first), text(value), &next).ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
}

}  // namespace
}  // namespace keyturn::engine
