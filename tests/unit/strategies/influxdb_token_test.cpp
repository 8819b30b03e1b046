// influxdbToken: what it recognises, makes, proves and carries.
#include <algorithm>

#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class InfluxdbToken : public InfluxTest {
 protected:
  std::string problem(const json& value) {
    const auto known = strategy->recognise(text(value));
    return known ? "" : known.error().code + ": " + known.error().message;
  }
};

TEST_F(InfluxdbToken, RecognisesTheOriginalsFormats) {
  EXPECT_EQ(problem(original("custom")), "");
  EXPECT_EQ(problem(original("operator")), "");
  json single = original("allAccess");
  single.erase("adminSecretArn");
  EXPECT_EQ(problem(single), "");
  json self_hosted = original();
  self_hosted.erase("dbIdentifier");
  self_hosted["url"] = "http://influx.internal:8086/prefix/";
  EXPECT_EQ(problem(self_hosted), "");
}

TEST_F(InfluxdbToken, SaysWhatIsMissingAndHowToMendIt) {
  const auto without = [&](const char* field) {
    json value = original();
    value.erase(field);
    return problem(value);
  };
  const auto with = [&](const char* field, const json& changed) {
    json value = original();
    value[field] = changed;
    return problem(value);
  };
  const std::pair<std::string, const char*> cases[] = {
      {without("org"), "MissingField: field org is missing"},
      {without("type"), "MissingField: field type is missing"},
      {without("dbIdentifier"), "MissingField: nothing says where the server is"},
      {without("token"), "NoToken: field token is empty; store the token there, or set "},
      {without("adminSecretArn"), "a custom token cannot replace itself"},
      {with("type", "readonly"), "it must be operator, allAccess or custom"},
      {with("engine", "influxdb3"), "WrongEngine"},
      {with("engine", "postgres"), "WrongEngine"},
      {with("url", "https://other:8086"), "Contradiction: fields dbIdentifier and url"},
      {with("token", 7), "field token must be a string"},
      {with("token", "two\nlines"), "holds characters that no token has"},
      {with("readBuckets", "b1"), "field readBuckets must be a list of strings"},
      {with("authorizationId", "../orgs"), "authorizationId is not an id"},
      {with("dbIdentifier", "a/b"), "field dbIdentifier: must be 3 to 64 letters"},
  };
  for (const auto& [said, expected] : cases)
    EXPECT_NE(said.find(expected), std::string::npos) << said << " | " << expected;
  EXPECT_EQ(strategy->recognise(SecretString()).error().code, "NoValueYet");
  EXPECT_EQ(strategy->recognise(SecretString("bare-token")).error().code, "NotAnObject");
}

TEST_F(InfluxdbToken, AValueAndASpecThatDisagreeAreAnErrorNotAGuess) {
  use({{"dbIdentifier", "otherdb"}});
  EXPECT_EQ(strategy->recognise(text(original())).error().code, "Contradiction");
  use({{"url", "https://influx.internal:8086"}});
  EXPECT_EQ(strategy->recognise(text(original())).error().code, "Contradiction");
  use({{"dbIdentifier", "shopdb"}});
  EXPECT_TRUE(strategy->recognise(text(original())).ok());
  json silent = original();
  silent.erase("dbIdentifier");
  EXPECT_TRUE(strategy->recognise(text(silent)).ok());
}

TEST_F(InfluxdbToken, OptionsAreChecked) {
  const auto said = [](const char* options) {
    auto made = make_strategy("influxdbToken", options);
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(said("{}"), "");
  EXPECT_EQ(said(R"({"allowCreate":true,"dbIdentifier":"","url":""})"), "");
  EXPECT_NE(said(R"({"dbIdentifier":"shopdb","url":"https://a:1"})")
                .find("spec.strategy.influxdbToken.url: does not go with dbIdentifier"),
            std::string::npos);
  EXPECT_NE(said(R"({"url":"ftp://a"})").find("influxdbToken.url"), std::string::npos);
  EXPECT_NE(said(R"({"url":"https://a/?token=x"})").find("influxdbToken.url"), std::string::npos);
  EXPECT_NE(said(R"({"allowCreate":"yes"})").find("allowCreate"), std::string::npos);
  EXPECT_NE(said(R"({"dbIdentifer":"x"})").find("unknown option"), std::string::npos);
}

TEST_F(InfluxdbToken, ANewTokenIsTheOldOnesEqualAndSaysWhoseItIs) {
  const json value = original();
  store(value);
  const std::string old = influx.add(kOldToken, Influx::kShop, narrow(), "orders service");
  const auto made = strategy->create(context("v-2"), text(value));
  ASSERT_TRUE(made.ok()) << made.error().message;
  json next = json_of(*made);
  const auto* fresh = influx.find(next.at("authorizationId"));
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(next.at("token"), fresh->token);
  EXPECT_EQ(fresh->permissions, narrow());
  EXPECT_EQ(fresh->user_id, Influx::kShop);
  EXPECT_EQ(fresh->description, "orders service [keyturn " + arn + "#v-2 replaces " + old + "]");
  EXPECT_TRUE(influx.accepts(kOldToken));
  next["token"] = kOldToken;
  next.erase("authorizationId");
  EXPECT_EQ(next, value);
}

TEST_F(InfluxdbToken, EveryOtherByteOfTheSecretStays) {
  influx.add(kOldToken, Influx::kShop, narrow());
  const std::string value =
      "{\n  \"org\" : \"shop-org\",\n  \"type\":\"custom\",\"adminSecretArn\":\"" + admin_arn +
      "\",\n  \"token\": \"" + kOldToken + "\", \"dbIdentifier\":\"shopdb\", \"x\": 1.50 \n}\n";
  const auto made = strategy->create(context("v-2"), SecretString(value));
  ASSERT_TRUE(made.ok()) << made.error().message;
  std::string expected = value;
  expected.replace(expected.find(kOldToken), std::string(kOldToken).size(), "minted-token-2==");
  expected.insert(expected.find(" \n}\n"), ",\n  \"authorizationId\": \"0a00000000000002\"");
  EXPECT_EQ(made->reveal(), expected);
}

TEST_F(InfluxdbToken, TheSecondRotationPutsTheNewMarkInTheOldOnesPlace) {
  influx.add(kOldToken, Influx::kShop, narrow(), "orders [not ours]");
  store(original());
  const auto second = strategy->create(context("v-2"), text(original()));
  ASSERT_TRUE(second.ok());
  const auto third = strategy->create(context("v-3"), *second);
  ASSERT_TRUE(third.ok()) << third.error().message;
  EXPECT_EQ(influx.auths.back().description,
            "orders [not ours] [keyturn " + arn + "#v-3 replaces 0a00000000000002]");
}

TEST_F(InfluxdbToken, ATokenReplacesItselfWhereThereIsNoAdministrator) {
  for (const bool hides : {false, true}) {
    SCOPED_TRACE(hides);
    influx.auths.clear();
    influx.hides_values = hides;
    json value = original("allAccess");
    value.erase("adminSecretArn");
    store(value);
    influx.add(kOldToken, Influx::kAdmin, Influx::everything(Influx::kOrg));
    use({});
    const auto made = strategy->create(context("v-2"), text(value));
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(influx.auths.back().permissions, Influx::everything(Influx::kOrg));
    EXPECT_EQ(strategy->test(context("v-2"), *made).verdict, Verdict::Accepted);
    EXPECT_TRUE(strategy->retire(context("v-1"), text(value), *made, yes).ok());
    EXPECT_FALSE(influx.accepts(kOldToken));
    EXPECT_EQ(influx.auths.size(), 1u);
  }
  for (const auto& call : secrets.calls()) EXPECT_NE(call.secret_id, admin_arn);
}

TEST_F(InfluxdbToken, AFirstTokenIsMadeOnlyWhenAllowed) {
  json value = original("operator");
  value["token"] = "";
  store(value);
  EXPECT_EQ(strategy->create(context("v-2"), text(value)).error().code, "NoToken");
  EXPECT_EQ(writes(), 0u);
  use({{"allowCreate", true}});
  const auto made = strategy->create(context("v-2"), text(value));
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(influx.auths.at(0).user_id, Influx::kAdmin);
  EXPECT_EQ(influx.auths.at(0).permissions.size(), Influx::everything().size());
  const auto test = strategy->test(context("v-2"), *made);
  EXPECT_EQ(test.verdict, Verdict::Accepted) << test.detail;
  // There was no old one: nothing to retire, nothing to go back to.
  EXPECT_TRUE(strategy->retire(context("v-1"), text(value), *made, yes).ok());
  EXPECT_EQ(influx.auths.size(), 1u);
  EXPECT_EQ(strategy->carry(text(value), *made).error().code, "NoCredential");
  value.erase("adminSecretArn");
  EXPECT_EQ(strategy->recognise(text(value)).error().code, "NoToken");
}

TEST_F(InfluxdbToken, AnAllAccessTokenHasItsOrganisationAndItself) {
  json value = original("allAccess");
  value.erase("token");
  use({{"allowCreate", true}});
  const auto made = strategy->create(context("v-2"), text(value));
  ASSERT_TRUE(made.ok()) << made.error().message;
  auto expected = Influx::everything(Influx::kOrg);
  auto got = influx.auths.at(0).permissions;
  std::sort(expected.begin(), expected.end());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, expected);
}

TEST_F(InfluxdbToken, TheTestProvesTheTokenOnAConnectionOfItsOwn) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  const auto made = strategy->create(context("v-2"), text(original()));
  ASSERT_TRUE(made.ok());
  const auto test = strategy->test(context("v-2"), *made);
  EXPECT_EQ(test.verdict, Verdict::Accepted) << test.detail;
  bool fresh = false;
  for (const auto& request : transport->requests()) {
    EXPECT_TRUE(request.sensitive) << request.url;
    if (request.url.ends_with("/api/v2/me")) fresh = request.fresh_connection;
  }
  EXPECT_TRUE(fresh);
}

TEST_F(InfluxdbToken, TheTestTellsNoFromUnknown) {
  const std::string old = influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  const auto made = strategy->create(context("v-2"), text(original()));
  ASSERT_TRUE(made.ok());
  const auto verdict = [&] {
    use({});
    return strategy->test(context("v-2"), *made).verdict;
  };
  auto& fresh = influx.auths.back();
  fresh.active = false;  // GET /orgs would answer 200 with an empty list
  EXPECT_EQ(verdict(), Verdict::Rejected);
  fresh.active = true;
  const json same = fresh.permissions;
  fresh.permissions.push_back(Influx::permission("read", "tasks", "", Influx::kOrg));
  EXPECT_EQ(verdict(), Verdict::Rejected);  // more than the old one
  fresh.permissions = json::array({same.at(0)});
  EXPECT_EQ(verdict(), Verdict::Rejected);  // less
  fresh.permissions = json::array({same.at(1), same.at(0), same.at(0)});
  EXPECT_EQ(verdict(), Verdict::Accepted);  // the same
  fresh.user_id = Influx::kAdmin;
  EXPECT_EQ(verdict(), Verdict::Rejected);
  fresh.user_id = Influx::kShop;
  for (const int status : {500, 503, 429, 302, 404, 401}) {
    influx.fault = [&](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
      if (!r.url.ends_with("/me")) return std::nullopt;
      return testing::Reply::of(status, "<html>", {{"Retry-After", "7"}});
    };
    EXPECT_EQ(verdict(), Verdict::Unknown) << status;
  }
  influx.fault = [](const http::Request&, Influx::When) {
    return testing::Reply::failed(make_error(ErrorClass::Transient, "Connect", "refused"));
  };
  EXPECT_EQ(verdict(), Verdict::Unknown);
  influx.fault = nullptr;
  std::erase_if(influx.auths, [&](const auto& a) { return a.id == old; });
  EXPECT_EQ(verdict(), Verdict::Accepted);  // nothing left to compare with
  influx.auths.clear();
  EXPECT_EQ(verdict(), Verdict::Rejected);
}

TEST_F(InfluxdbToken, CarriesACredentialBack) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  const auto made = strategy->create(context("v-2"), text(original()));
  ASSERT_TRUE(made.ok());
  json edited = json_of(*made);
  edited["note"] = "kept";
  const auto back = strategy->carry(text(original()), text(edited));
  ASSERT_TRUE(back.ok());
  const json value = json_of(*back);
  EXPECT_EQ(value.at("token"), kOldToken);
  EXPECT_EQ(value.at("authorizationId"), "");  // not that of the newer token
  EXPECT_EQ(value.at("note"), "kept");
  EXPECT_TRUE(strategy->same_credential(text(original()), *back));
  EXPECT_FALSE(strategy->same_credential(*made, *back));
  EXPECT_EQ(strategy->test(context("v-3"), *back).verdict, Verdict::Accepted);
}

TEST_F(InfluxdbToken, CopiesNoTokenThatIsDeadOrSomebodyElses) {
  store(original());
  EXPECT_EQ(strategy->create(context("v-2"), text(original())).error().code, "NothingVisible");
  influx.add("another", Influx::kShop, narrow());
  const auto unknown = strategy->create(context("v-2"), text(original()));
  EXPECT_EQ(unknown.error().code, "TokenNotFound");
  EXPECT_EQ(unknown.error().cls, ErrorClass::Invalid);
  influx.add(kOldToken, Influx::kShop, narrow());
  influx.auths.back().active = false;
  EXPECT_EQ(strategy->create(context("v-2"), text(original())).error().code, "TokenInactive");
  influx.auths.back().active = true;
  influx.auths.back().description =
      "[keyturn arn:aws:secretsmanager:eu-west-1:123456789012:secret:reports/x-QwErTy#v-9]";
  EXPECT_EQ(strategy->create(context("v-2"), text(original())).error().code,
            "TokenOfAnotherSecret");
  // The same secret made anew is the same name with another ending.
  influx.auths.back().description =
      "[keyturn arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/orders-influx-QwErTy#v]";
  EXPECT_TRUE(strategy->create(context("v-2"), text(original())).ok());
  EXPECT_EQ(writes(), 1u);
}

TEST_F(InfluxdbToken, AnotherOrganisationIsAContradiction) {
  store(original());
  influx.add(kOldToken, Influx::kShop, narrow());
  json value = original();
  value["authorizationId"] = influx.auths[0].id;
  value["org"] = "other-org";
  EXPECT_EQ(strategy->create(context("v-2"), text(value)).error().code, "Contradiction");
}

TEST_F(InfluxdbToken, AnAdministratorWhoMayNotIsNamed) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  influx.users[0].password = "changed";
  auto refused = strategy->create(context("v-2"), text(original()));
  EXPECT_EQ(refused.error().code, "SignInRefused");
  EXPECT_NE(refused.error().message.find("shop/influx-admin"), std::string::npos);
  const auto with_admin = [&](const std::string& value) {
    secrets.put_as_person(admin_arn, value);
    use({});
    return strategy->create(context("v-2"), text(original())).error().code;
  };
  EXPECT_EQ(with_admin("not json"), "AdminSecret");
  EXPECT_EQ(with_admin(R"({"username":"admin"})"), "AdminSecret");
  EXPECT_EQ(with_admin(R"({"username":"a:b","password":"x"})"), "AdminSecret");
}

TEST_F(InfluxdbToken, NothingThatChangesIsSentAfterTheDeadline) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  const StepContext ctx = context("v-2");
  influx.fault = [&](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
    if (when == Influx::When::After && r.url.find("/authorizations?org") != std::string::npos)
      clock.advance(Duration(30'000));
    return std::nullopt;
  };
  EXPECT_EQ(strategy->create(ctx, text(original())).error().code, "ViewTooOld");
  EXPECT_EQ(writes(), 0u);
}

TEST_F(InfluxdbToken, ALostAnswerToTheMintingIsUnknownNotNo) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  influx.fault = [](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
    if (when == Influx::When::After && r.method == "POST" && r.url.ends_with("authorizations"))
      return testing::Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer"));
    return std::nullopt;
  };
  const auto lost = strategy->create(context("v-2"), text(original()));
  EXPECT_EQ(lost.error().cls, ErrorClass::Transient);
  influx.fault = nullptr;
  const auto left = strategy->leftovers(context("v-1"), text(original()));
  ASSERT_TRUE(left.ok());
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ(left->at(0).version_id, "v-2");
}

TEST_F(InfluxdbToken, NoErrorRepeatsACredential) {
  influx.add(kOldToken, Influx::kShop, narrow());
  json value = original("operator");
  for (const bool single : {false, true}) {
    if (single) value.erase("adminSecretArn");
    store(value);
    for (const int status : {400, 401, 403, 404, 422, 429, 500, 503}) {
      for (const char* where : {"/ping", "/signin", "/authorizations", "/me"}) {
        influx.fault = [&](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
          if (r.url.find(where) == std::string::npos) return std::nullopt;
          std::string echo = "you sent";
          for (const auto& [name, sent] : r.headers) echo += " " + sent;
          if (r.url.ends_with("/signin")) echo += " pa:ss word";
          return testing::Reply::of(status, json{{"code", "x"}, {"message", echo}}.dump());
        };
        use({});
        std::string said;
        const auto made = strategy->create(context("v-2"), text(value));
        if (!made) said += made.error().describe();
        said += strategy->test(context("v-2"), text(value)).detail;
        const auto left = strategy->leftovers(context("v-2"), text(value));
        if (!left) said += left.error().describe();
        for (const char* marker : {kOldToken, "Basic ", "ss word", "cookie-of"})
          EXPECT_EQ(said.find(marker), std::string::npos) << status << where << ": " << said;
      }
    }
  }
}

}  // namespace
}  // namespace keyturn::engine
