// influxdbUser: what it recognises, chooses, sets, proves and carries.
#include <algorithm>
#include <utility>

#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

constexpr const char* kMarked = "mArKeR-of-the-shop";

class InfluxdbUser : public InfluxTest {
 protected:
  InfluxdbUser() {
    strategy_name = "influxdbUser";
    influx.user(Influx::kShop).password = kMarked;
    use({});
  }
  static json value(const std::string& password = kMarked) {
    return {{"engine", "timestream-influxdb"},
            {"username", "shop"},
            {"password", password},
            {"dbIdentifier", "shopdb"}};
  }
  std::string problem(const json& changed) {
    const auto known = strategy->recognise(text(changed));
    return known ? "" : known.error().code + ": " + known.error().message;
  }
  std::string password() { return influx.user(Influx::kShop).password; }
  std::size_t count(std::string_view line) const {
    return static_cast<std::size_t>(std::count(influx.log.begin(), influx.log.end(), line));
  }
  static Influx::Fault answers(std::string where, int status, const std::string& body = "") {
    return [where, status, body](const http::Request& r,
                                 Influx::When when) -> std::optional<testing::Reply> {
      if (when == Influx::When::After || !r.url.ends_with(where)) return std::nullopt;
      return testing::Reply::of(status, body, {{"Retry-After", "7"}});
    };
  }
};

TEST_F(InfluxdbUser, RecognisesTheOriginalsFormatAndSaysWhatIsMissing) {
  EXPECT_EQ(problem(value()), "");
  json own = value();
  own.erase("dbIdentifier");
  own.erase("engine");
  own["url"] = "http://influx.internal:8086/prefix/";
  EXPECT_EQ(problem(own), "");
  const auto without = [&](const char* field) {
    json changed = value();
    changed.erase(field);
    return problem(changed);
  };
  const auto with = [&](const char* field, const json& to) {
    json changed = value();
    changed[field] = to;
    return problem(changed);
  };
  const std::pair<std::string, const char*> cases[] = {
      {without("username"), "MissingField: fields username and password"},
      {without("password"), "MissingField: fields username and password"},
      {with("password", ""), "MissingField: fields username and password"},
      {without("dbIdentifier"),
       "MissingField: nothing says where the server is: add the field dbIdentifier (a Timestream "
       "for InfluxDB database) or url to the secret, or set one in spec.strategy.influxdbUser"},
      {with("engine", "influxdb3"), "WrongEngine: field engine is \"influxdb3\": influxdbUser"},
      {with("password", 12345678), "BadField: field password must be a string"},
      {with("username", "a:b"), "BadField: a username with a colon"},
      {with("url", "https://other:8086"), "Contradiction: fields dbIdentifier and url"},
  };
  for (const auto& [said, expected] : cases) EXPECT_TRUE(said.starts_with(expected)) << said;
  EXPECT_EQ(strategy->recognise(SecretString()).error().code, "NoValueYet");
  EXPECT_EQ(strategy->recognise(SecretString("bare-password")).error().code, "NotAnObject");
}

TEST_F(InfluxdbUser, OptionsAreCheckedAndMayNotContradictTheSecret) {
  const auto said = [](const char* options) {
    auto made = make_strategy("influxdbUser", options);
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(said(R"({"dbIdentifier":"","url":"","passwordLength":8})"), "");
  EXPECT_NE(said(R"({"passwordLength":7})").find("passwordLength: must be a whole number from 8"),
            std::string::npos);
  EXPECT_NE(said(R"({"passwordLength":73})").find("to 72"), std::string::npos);
  EXPECT_NE(said(R"({"dbIdentifier":"shopdb","url":"https://a:1"})").find("influxdbUser.url"),
            std::string::npos);
  EXPECT_NE(said(R"({"allowCreate":true})").find("unknown option"), std::string::npos);
  use({{"dbIdentifier", "otherdb"}});
  EXPECT_EQ(problem(value()).substr(0, 14), "Contradiction:");
  use({{"dbIdentifier", "shopdb"}});
  EXPECT_EQ(problem(value()), "");
}

TEST_F(InfluxdbUser, ChoosesAPasswordThatStrictAndOldServersTakeAndKeepsEveryOtherByte) {
  const std::string before = "{\n \"username\" : \"shop\", \"password\":\"" + std::string(kMarked) +
                             "\",\"dbIdentifier\":\"shopdb\", \"x\": 1.50 \n}\n";
  influx.strong_passwords = true;
  for (const int length : {8, 32, 72}) {
    use({{"passwordLength", length}});
    const auto made = strategy->create(context("v-2"), SecretString(before));
    ASSERT_TRUE(made.ok()) << made.error().message;
    const std::string fresh = json_of(*made).at("password");
    EXPECT_EQ(fresh.size(), static_cast<std::size_t>(length));
    EXPECT_EQ(fresh.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789!@#$%^*_+"),
              std::string::npos);
    std::string expected = before;
    expected.replace(expected.find(kMarked), std::string(kMarked).size(), fresh);
    EXPECT_EQ(made->reveal(), expected);
    ASSERT_TRUE(strategy->set(context("v-2"), *made, text(value(password())), nullptr).ok());
    EXPECT_EQ(password(), fresh);
    EXPECT_EQ(strategy->test(context("v-2"), *made).verdict, Verdict::Accepted);
  }
  EXPECT_EQ(influx.open_sessions(), 0u);
}

TEST_F(InfluxdbUser, TheOldPasswordIsDeadFromTheMomentInWhichTheNewOneIsTaken) {
  const auto fresh = text(value("Fresh-password-1"));
  EXPECT_EQ(strategy->test(context("v-2"), fresh).verdict, Verdict::Rejected);
  ASSERT_TRUE(strategy->set(context("v-2"), fresh, text(value()), nullptr).ok());
  EXPECT_EQ(strategy->test(context("v-2"), fresh).verdict, Verdict::Accepted);
  EXPECT_EQ(strategy->test(context("v-1"), text(value())).verdict, Verdict::Rejected);
  EXPECT_EQ(strategy->traits().backend, Backend::ForwardOnly);
}

TEST_F(InfluxdbUser, SettingTwiceAsksFirst) {
  const auto fresh = text(value("Fresh-password-1"));
  ASSERT_TRUE(strategy->set(context("v-2"), fresh, text(value()), nullptr).ok());
  ASSERT_TRUE(strategy->set(context("v-2"), fresh, text(value()), nullptr).ok());
  EXPECT_EQ(count("PUT /api/v2/me/password"), 1u);
  EXPECT_EQ(influx.open_sessions(), 0u);
}

TEST_F(InfluxdbUser, ALostAnswerToTheChangeIsUnknownAndFoundDoneTheNextTime) {
  influx.fault = [](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
    if (when == Influx::When::Before || r.method != "PUT") return std::nullopt;
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer"));
  };
  const auto fresh = text(value("Fresh-password-1"));
  const auto lost = strategy->set(context("v-2"), fresh, text(value()), nullptr);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().cls, ErrorClass::Transient);
  influx.fault = nullptr;
  EXPECT_TRUE(strategy->set(context("v-2"), fresh, text(value()), nullptr).ok());
  EXPECT_EQ(count("PUT /api/v2/me/password"), 1u);
}

// As libcurl does where a connection breaks that had been used before.
TEST_F(InfluxdbUser, AChangeThatIsSentTwiceIsDone) {
  bool again = true;
  influx.fault = [&](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
    if (when == Influx::When::Before || r.method != "PUT" || !std::exchange(again, false))
      return std::nullopt;
    return influx.handle(r);
  };
  const auto set =
      strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value()), nullptr);
  EXPECT_TRUE(set.ok()) << set.error().describe();
  EXPECT_EQ(count("PUT /api/v2/me/password"), 2u);
  EXPECT_EQ(password(), "Fresh-password-1");
  EXPECT_EQ(influx.open_sessions(), 0u);
}

// The server compares the old password with what it has at that moment.
TEST_F(InfluxdbUser, AChangeThatComesLateOverwritesNothing) {
  influx.fault = [this](const http::Request& r,
                        Influx::When when) -> std::optional<testing::Reply> {
    if (when == Influx::When::Before && r.method == "PUT")
      influx.user(Influx::kShop).password = "somebody-elses-1";
    return std::nullopt;
  };
  const auto late =
      strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value()), nullptr);
  ASSERT_FALSE(late.ok());
  EXPECT_NE(late.error().cls, ErrorClass::Invalid);  // looked at again
  EXPECT_EQ(password(), "somebody-elses-1");
}

TEST_F(InfluxdbUser, NothingThatChangesIsSentAfterTheDeadline) {
  influx.fault = [this](const http::Request& r,
                        Influx::When when) -> std::optional<testing::Reply> {
    if (when == Influx::When::After && r.url.ends_with("/signin")) clock.advance(Duration(15'000));
    return std::nullopt;
  };
  EXPECT_EQ(strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value()), nullptr)
                .error()
                .code,
            "ViewTooOld");
  EXPECT_EQ(count("PUT /api/v2/me/password"), 0u);
}

TEST_F(InfluxdbUser, APasswordThatTheServerRefusesIsAMatterForAPerson) {
  influx.strong_passwords = true;
  const auto refused =
      strategy->set(context("v-2"), text(value("onlylowercase")), text(value()), nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().cls, ErrorClass::Invalid);
  EXPECT_NE(refused.error().message.find("8 to 72 bytes"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(password(), kMarked);
}

TEST_F(InfluxdbUser, TheTestTellsNoFromUnknown) {
  const auto verdict = [this](const json& of) {
    use({});
    return strategy->test(context("v-1"), text(of)).verdict;
  };
  EXPECT_EQ(verdict(value()), Verdict::Accepted);
  EXPECT_EQ(verdict(value("wrong-password")), Verdict::Rejected);
  EXPECT_EQ(verdict({{"username", "shop"}, {"dbIdentifier", "shopdb"}}), Verdict::Rejected);
  for (const int status : {500, 503, 429, 302, 404, 401, 403}) {
    for (const char* where : {"/signin", "/me"}) {
      influx.fault = answers(where, status, "<html>");  // 401 and 403 too: a proxy's
      EXPECT_EQ(verdict(value()), Verdict::Unknown) << status << where;
    }
  }
  influx.fault = answers("/me", 401, R"({"code":"unauthorized","message":"unauthorized access"})");
  EXPECT_EQ(verdict(value()), Verdict::Unknown);  // the session, not the password
  influx.fault = [](const http::Request&, Influx::When) {
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Connect", "refused"));
  };
  EXPECT_EQ(verdict(value()), Verdict::Unknown);
  influx.fault = nullptr;
  influx.user(Influx::kShop).active = false;
  EXPECT_EQ(verdict(value()), Verdict::Unknown);  // right, but of no use
  influx.user(Influx::kShop).active = true;
  use({{"dbIdentifier", "otherdb"}});  // the policy's mistake is no word about the password
  EXPECT_EQ(strategy->test(context("v-1"), text(value())).verdict, Verdict::Unknown);
}

// Set by a server that had no upper bound, which was upgraded since (2.7.6).
TEST_F(InfluxdbUser, APasswordFromBeforeTheRulesIsNamed) {
  const std::string old(80, 'x');
  influx.user(Influx::kShop).password = old;
  const auto test = strategy->test(context("v-1"), text(value(old)));
  EXPECT_EQ(test.verdict, Verdict::Unknown);
  EXPECT_NE(test.detail.find("8 to 72 bytes"), std::string::npos) << test.detail;
  EXPECT_EQ(
      strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value(old)), nullptr)
          .error()
          .code,
      "PasswordTooOld");
  influx.longest_password = 4096;  // and before the upgrade it could be replaced
  EXPECT_TRUE(
      strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value(old)), nullptr)
          .ok());
}

TEST_F(InfluxdbUser, TheTestSignsInOnAConnectionOfItsOwnAndSignsOut) {
  EXPECT_EQ(strategy->test(context("v-1"), text(value())).verdict, Verdict::Accepted);
  bool fresh = false;
  for (const auto& request : transport->requests()) {
    EXPECT_TRUE(request.sensitive) << request.url;
    if (request.url.ends_with("/api/v2/signin")) fresh = request.fresh_connection;
  }
  EXPECT_TRUE(fresh);
  EXPECT_EQ(influx.open_sessions(), 0u);
  influx.fault = answers("/signout", 503);
  EXPECT_EQ(strategy->test(context("v-1"), text(value())).verdict, Verdict::Accepted);
  for (const auto& request : transport->requests()) {
    if (!request.url.ends_with("/signout")) continue;
    EXPECT_LE(request.timeout, Duration(5'000));
  }
}

TEST_F(InfluxdbUser, CarriesThePasswordOfTheSameUserAndNoOther) {
  json edited = value("edited-password");
  edited["note"] = "kept";
  const auto carried = strategy->carry(text(value()), text(edited));
  ASSERT_TRUE(carried.ok());
  EXPECT_EQ(json_of(*carried).at("password"), kMarked);
  EXPECT_EQ(json_of(*carried).at("note"), "kept");
  EXPECT_TRUE(strategy->same_credential(text(value()), *carried));
  EXPECT_FALSE(strategy->same_credential(text(edited), *carried));
  edited["username"] = "admin";
  const auto other = strategy->carry(text(value()), text(edited));
  EXPECT_EQ(other.error().code, "OtherUser");
  // Names nobody: a person may have saved a password in the field of the name.
  EXPECT_EQ(other.error().message.find("shop"), std::string::npos) << other.error().message;
  json elsewhere = value();
  elsewhere["dbIdentifier"] = "shopcluster";
  EXPECT_EQ(strategy->carry(text(value()), text(elsewhere)).error().code, "OtherUser");
  EXPECT_FALSE(strategy->same_credential(text(value()), text(elsewhere)));
  EXPECT_EQ(strategy->set(context("v-2"), text(edited), text(value()), nullptr).error().code,
            "OtherUser");
}

TEST_F(InfluxdbUser, AsksTheRulesBeforeItTouchesAnything) {
  ASSERT_EQ(strategy->test(context("v-1"), text(value())).verdict, Verdict::Accepted);
  EXPECT_EQ(guard->asked, (std::vector<std::string>{"resource " + timestream.instance.arn,
                                                    "backend shopdb.influx.example:8086"}));
  const std::size_t sent = influx.log.size();
  for (const char* rule : {"resource", "backend"}) {
    guard->denies = rule;
    use({});
    EXPECT_EQ(strategy->test(context("v-1"), text(value())).verdict, Verdict::Unknown);
    EXPECT_EQ(strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value()), nullptr)
                  .error()
                  .code,
              "NoAccessRule");
  }
  EXPECT_EQ(influx.log.size(), sent);  // not even a ping
  EXPECT_TRUE(secrets.calls().empty());
  EXPECT_TRUE(strategy->references(text(value()))->hosts.empty());
  json own = value();
  own.erase("dbIdentifier");
  own["url"] = "https://Influx.Internal";
  EXPECT_EQ(strategy->references(text(own))->hosts,
            std::vector<std::string>{"influx.internal:443"});
}

TEST_F(InfluxdbUser, NoRequestWithoutDepsNorToAnotherVersion) {
  auto bare = make_strategy("influxdbUser", "{}");
  ASSERT_TRUE(bare.ok());
  EXPECT_TRUE((*bare)->recognise(text(value())).ok());
  EXPECT_TRUE((*bare)->create(context("v-2"), text(value())).ok());  // it only chooses
  EXPECT_EQ((*bare)->test(context("v-2"), text(value())).verdict, Verdict::Unknown);
  influx.version = "3.1.0";
  const auto refused =
      strategy->set(context("v-2"), text(value("Fresh-password-1")), text(value()), nullptr);
  EXPECT_EQ(refused.error().code, "WrongVersion");
  EXPECT_EQ(count("POST /api/v2/signin"), 0u);
}

TEST_F(InfluxdbUser, NoErrorRepeatsAPassword) {
  const std::string fresh = "Fresh-mArKeR-password-2";
  for (const int status : {400, 401, 403, 404, 422, 429, 500, 503}) {
    for (const char* where : {"/ping", "/signin", "/me", "/me/password", "/signout"}) {
      influx.user(Influx::kShop).password = kMarked;
      influx.fault = [&](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
        if (!r.url.ends_with(where)) return std::nullopt;
        const bool sees_passwords = r.url.ends_with("/signin") || r.url.ends_with("/password");
        std::string echo = "you sent " + r.body + (sees_passwords ? kMarked : "");
        for (const auto& [name, sent] : r.headers) {
          if (sees_passwords != (name == "Cookie")) echo += " " + sent;
        }
        return testing::Reply::of(status, json{{"code", "x"}, {"message", echo}}.dump());
      };
      use({});
      std::string said;
      const auto done = strategy->set(context("v-2"), text(value(fresh)), text(value()), nullptr);
      if (!done) said += done.error().describe();
      said += strategy->test(context("v-2"), text(value())).detail;
      for (const char* marker : {"mArKeR", "Basic ", "cookie-of"})
        EXPECT_EQ(said.find(marker), std::string::npos) << status << where << ": " << said;
    }
  }
}

}  // namespace
}  // namespace keyturn::engine
