// astraToken, step by step: formats, access rules, whom it asks, and what a server may answer.
#include "lib/base/text.h"
#include "lib/engine/strategies/astra_client.h"
#include "lib/engine/strategies/astra_secret.h"
#include "lib/engine/strategies/mark.h"
#include "tests/unit/strategies/astra_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

TEST_F(AstraTokenTest, ValuesThatCannotWork) {
  const struct {
    json change;
    const char* code;
    const char* says;
  } cases[] = {
      {{{"astraKey", ""}}, "MissingField", "astraKey"},
      {{{"astraKey", "AstraCS:a b:c"}}, "BadField", "astraKey"},
      {{{"astraKey", "Bearer x"}}, "BadField", "astraKey"},
      {{{"astraKey", 7}}, "BadField", "astraKey"},
      {{{"clientID", ""}}, "MissingField", "clientID"},
      {{{"clientID", "../orgs"}}, "BadField", "clientID"},
      {{{"clientID", "another"}}, "Contradiction", "what is revoked"},
      {{{"rootarn", nullptr}}, "MissingField", "rootarn"},
      {{{"engine", "postgres"}}, "WrongEngine", "Astra"},
      {{{"note", std::string(65'300, 'x')}}, "ValueTooLarge", "65536"},
  };
  for (const auto& one : cases) {
    json value = original();
    value.update(one.change);
    const auto known = strategy->recognise(text(value));
    ASSERT_FALSE(known.ok()) << one.change.dump().substr(0, 80);
    EXPECT_EQ(known.error().code, one.code) << one.change.dump().substr(0, 80);
    EXPECT_EQ(known.error().cls, ErrorClass::Invalid);
    EXPECT_NE(known.error().message.find(one.says), std::string::npos) << known.error().message;
    EXPECT_EQ(known.error().message.find(old.token), std::string::npos);
  }
  EXPECT_EQ(strategy->recognise(SecretString()).error().code, "NoValueYet");
  EXPECT_EQ(strategy->recognise(SecretString(old.token)).error().code, "NotAnObject");
}

TEST_F(AstraTokenTest, ValuesThatWork) {
  json value = original();
  EXPECT_TRUE(strategy->recognise(text(value)).ok());
  value.erase("engine");
  value.erase("clientSecret");
  value["clientID"] = lower_ascii(old.id);
  EXPECT_TRUE(strategy->recognise(text(value)).ok());
}

TEST_F(AstraTokenTest, OnlyTheThreeFieldsChange) {
  json value = original();
  value["note"] = "kept";
  secrets.put_as_person(arn, value.dump());
  const json next = json_of(made());
  for (const auto& [field, content] : value.items()) {
    const bool credential = field == "astraKey" || field == "clientID" || field == "clientSecret";
    EXPECT_EQ(next.at(field) != content, credential) << field;
  }
  const auto client_made = client(next.at("clientID"));
  ASSERT_TRUE(client_made);
  EXPECT_EQ(client_made->token, next.at("astraKey"));
  EXPECT_EQ(client_made->secret, next.at("clientSecret"));
}

TEST_F(AstraTokenTest, NothingIsAskedBeforeARuleAllowsIt) {
  guard->denies = "backend api.astra.datastax.com:443";
  secrets.forget_calls();
  const auto denied = strategy->create(context("v1"), text(original()));
  EXPECT_EQ(denied.error().code, "NoAccessRule");
  EXPECT_EQ(denied.error().cls, ErrorClass::Invalid);
  EXPECT_TRUE(log.empty());
  EXPECT_TRUE(secrets.calls().empty());

  guard->denies = "secret shop/astra-root " + root_arn;
  use({});
  EXPECT_EQ(strategy->create(context("v1"), text(original())).error().code, "NoAccessRule");
  EXPECT_TRUE(log.empty());
  for (const auto& call : secrets.calls()) EXPECT_EQ(call.operation, "DescribeSecret");
  EXPECT_EQ(strategy->test(context("v1"), text(original())).verdict, Verdict::Unknown);
  for (const auto& line : log) EXPECT_EQ(line, "GET /v2/currentOrg");  // by its own token

  const auto named = strategy->references(text(original()));
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->secrets, std::vector<std::string>{root_arn});
  EXPECT_EQ(named->hosts, std::vector<std::string>{"api.astra.datastax.com:443"});
}

TEST_F(AstraTokenTest, AnotherEndpointIsAskedAboutInItsPlace) {
  use({{"url", "https://astra.proxy.example:8443/prefix/"}});
  guard->denies = "backend api.astra";
  (void)strategy->create(context("v1"), text(original()));
  EXPECT_EQ(guard->asked.front(), "backend astra.proxy.example:8443");
  ASSERT_FALSE(transport->requests().empty());
  EXPECT_EQ(transport->requests().front().url,
            "https://astra.proxy.example:8443/prefix/v2/clientIdSecrets");
  for (const char* url : {"astra.example", "https://a.example/?token=x", "ftp://a.example"}) {
    EXPECT_EQ(make_strategy("astraToken", json{{"url", url}}.dump()).error().code,
              "InvalidStrategy");
  }
}

TEST_F(AstraTokenTest, TheRootIsReadByItsCanonicalName) {
  json value = original();
  value["rootarn"] = "shop/astra-root";
  guard->asked.clear();
  EXPECT_TRUE(strategy->create(context("v1"), text(value)).ok());
  EXPECT_EQ(guard->asked.back(), "secret shop/astra-root " + root_arn);
  for (const char* wrong : {"no object", R"({"astraKey":""})", R"({"astraKey":"AstraCS:a b"})"}) {
    secrets.put_as_person(root_arn, wrong);
    use({});
    EXPECT_EQ(strategy->create(context("v1"), text(value)).error().code, "RootSecret") << wrong;
  }
}

TEST_F(AstraTokenTest, WhatMayNotBeCopied) {
  const auto problem = [this](const json& value) {
    auto next = strategy->create(context("v1"), text(value));
    return next.ok() ? std::string("made") : next.error().code;
  };
  EXPECT_EQ(problem(value_of(root, root_arn)), "RootOfOthers");
  const auto others = api.add_client(
      "shop", {"Reader"}, "[keyturn arn:aws:secretsmanager:eu-west-1:1:secret:b-AbCdEf#v]", "");
  EXPECT_EQ(problem(value_of(others, root_arn)), "TokenOfAnotherSecret");
  const auto none = api.add_client("shop", {}, "", "");
  EXPECT_EQ(problem(value_of(none, root_arn)), "NoRoles");
  const auto odd = add("Reader", "", "some day");
  EXPECT_EQ(problem(value_of(odd, root_arn)), "ClientUnreadable");
  const auto expired = add("Reader", "", "2001-01-01T00:00:00Z");
  EXPECT_EQ(problem(value_of(expired, root_arn)), "TokenExpired");
  EXPECT_EQ(writes(), 0u);
}

TEST_F(AstraTokenTest, AnAccessThatIsLimitedStaysLimited) {
  api.behave("shop", {.drops_descriptions = true});  // and with them expiries
  const auto limited = add("Reader", "", "2031-08-19T14:30:00Z");
  const auto before = clients().size();
  const auto next = strategy->create(context("v1"), text(value_of(limited, root_arn)));
  EXPECT_EQ(next.error().code, "ExpiryDropped");
  EXPECT_EQ(clients().size(), before);  // what was made is gone again

  const auto wide = api.add_role("shop", "Wide", {"org-read", "everything-else"});
  const auto more = add("Wide");
  EXPECT_EQ(strategy->create(context("v1"), text(value_of(more, root_arn))).error().code,
            "NotPermitted");  // the root has not that
}

TEST_F(AstraTokenTest, OtherRolesThanTheOldOnesAreTakenBack) {
  fault = [this](const http::Request& request, When when) -> std::optional<Reply> {
    if (request.method != "POST" || when != When::After) return std::nullopt;
    for (const auto& one : clients()) {
      if (one.id == old.id || one.id == root.id) continue;
      return Reply::of(200, json{{"clientId", one.id},
                                 {"secret", one.secret},
                                 {"token", one.token},
                                 {"roles", {"another"}}}
                                .dump());
    }
    return std::nullopt;
  };
  EXPECT_EQ(strategy->create(context("v1"), text(original())).error().code, "OtherRoles");
  EXPECT_EQ(clients().size(), 2u);
}

TEST_F(AstraTokenTest, VerdictsOfATest) {
  const SecretString next = made();
  const auto verdict = [&] {
    use({});
    return strategy->test(context("v1"), next).verdict;
  };
  EXPECT_EQ(verdict(), Verdict::Accepted);
  EXPECT_TRUE(transport->requests().size() >= 2);
  for (const auto& [status, body] : std::vector<std::pair<int, std::string>>{
           {401, "x"}, {403, "no"}, {404, "?"}, {429, ""}, {500, ""}, {302, ""}, {200, "<html>"}}) {
    SCOPED_TRACE(status);
    answer_with("GET", "/v2/currentOrg", status, body);
    EXPECT_EQ(verdict(), status == 401 ? Verdict::Rejected : Verdict::Unknown);
    answer_with("GET", "/v2/", status,
                body);  // the root is answered so, too: no word about the token
    EXPECT_EQ(verdict(), Verdict::Unknown);
    answer_with("GET", "/v2/clientIdSecrets", status, body);
    EXPECT_EQ(verdict(), Verdict::Unknown);
  }
  fault = nullptr;
  api.remove_client("shop", json_of(next).at("clientID"));
  EXPECT_EQ(verdict(), Verdict::Rejected);
  EXPECT_EQ(strategy->test(context("v1"), SecretString("{}")).verdict, Verdict::Rejected);
}

TEST_F(AstraTokenTest, ATestIsOnAConnectionOfItsOwn) {
  const SecretString next = made();
  const std::size_t before = transport->request_count();
  (void)strategy->test(context("v1"), next);
  EXPECT_TRUE(transport->requests().at(before).fresh_connection);
}

TEST_F(AstraTokenTest, ATokenWithOtherRolesOrAnotherExpiryIsRejected) {
  for (const auto& [roles, expiry] : std::vector<std::pair<std::string, std::string>>{
           {"Organization Administrator", ""}, {"Reader", "2031-08-19T14:30:00Z"}}) {
    const auto twin =
        api.add_client("shop", {roles}, Description{"", Mark{arn, "v1", old.id}}.write(), expiry);
    const auto test = strategy->test(context("v1"), text(value_of(twin, root_arn)));
    EXPECT_EQ(test.verdict, Verdict::Rejected);
    EXPECT_NE(test.detail.find(expiry.empty() ? "roles" : "expire"), std::string::npos);
  }
}

TEST_F(AstraTokenTest, OneThatIsNotListedYetIsWaitedFor) {
  const SecretString next = made();
  const std::string list =
      json{{"clients", {{{"clientId", root.id}, {"roles", json::array()}}}}}.dump();
  answer_with("GET", "/v2/clientIdSecrets", 200, list);
  EXPECT_EQ(strategy->test(context("v1"), next).verdict, Verdict::Unknown);
}

TEST_F(AstraTokenTest, CredentialsAreComparedByClientAndToken) {
  json same = original();
  same["note"] = "other";
  same["clientID"] = lower_ascii(old.id);
  same["astraKey"] = "written in another way";
  EXPECT_TRUE(strategy->same_credential(text(original()), text(same)));
  EXPECT_FALSE(strategy->same_credential(text(original()), text(value_of(root, root_arn))));
  EXPECT_FALSE(strategy->same_credential(SecretString("{}"), SecretString("{ }")));
  json onto = value_of(root, root_arn);
  onto["note"] = "kept";
  const json carried = json_of(*strategy->carry(text(original()), text(onto)));
  EXPECT_EQ(carried.at("astraKey"), old.token);
  EXPECT_EQ(carried.at("clientID"), old.id);
  EXPECT_EQ(carried.at("clientSecret"), old.secret);
  EXPECT_EQ(carried.at("note"), "kept");
}

TEST_F(AstraTokenTest, NoRefusalIsQuotedThatRepeatsAToken) {
  for (const int status : {400, 401, 403, 404, 409, 422, 429, 500}) {
    for (const bool as_json : {false, true}) {
      SCOPED_TRACE(status);
      fault = [&](const http::Request& request, When) -> std::optional<Reply> {
        const std::string said = "you sent " +
                                 *http::find_header(request.headers, "Authorization") + " and " +
                                 old.secret;
        return Reply::of(
            status, as_json ? json{{"errors", {{{"ID", 1}, {"message", said}}}}}.dump() : said);
      };
      use({});
      const std::string message =
          strategy->create(context("v1"), text(original())).error().message +
          strategy->test(context("v1"), text(original())).detail +
          strategy->retire(context("v1"), text(original()), text(value_of(root, root_arn)), yes)
              .error()
              .message;
      for (const std::string& secret : {root.token, old.token, old.secret, root.secret})
        EXPECT_EQ(message.find(secret), std::string::npos) << message;
      EXPECT_NE(message.find(std::to_string(status)), std::string::npos) << message;
    }
  }
  for (const auto& request : transport->requests()) EXPECT_TRUE(request.sensitive);
}

TEST_F(AstraTokenTest, NothingThatChangesIsSentTooLate) {
  StepContext late = context("v1");
  const SecretString next = made();
  const std::size_t before = writes();
  late.deadline = clock.mono();
  EXPECT_EQ(strategy->create(late, text(original())).error().code, "ViewTooOld");
  EXPECT_EQ(strategy->retire(late, text(original()), next, yes).error().code, "ViewTooOld");
  EXPECT_EQ(writes(), before);
}

TEST_F(AstraTokenTest, WithoutAWayToTheServerItSaysSo) {
  const auto bare = std::move(make_strategy("astraToken", "{}")).value();
  EXPECT_EQ(bare->create(context("v1"), text(original())).error().code, "NoBackendAccess");
  EXPECT_EQ(bare->test(context("v1"), text(original())).verdict, Verdict::Unknown);
  EXPECT_TRUE(bare->references(text(original())).ok());
}

TEST(AstraCodec, RepliesThatCannotBeUsed) {
  using namespace astra;  // NOLINT(google-build-using-namespace)
  for (const char* body : {"", "[]", "{}", R"({"clients":{}})", "<html>"}) {
    EXPECT_EQ(decode_clients(body).error().code, "BadReply") << body;
  }
  // Another tool's oddity does not hide what is ours.
  const auto read = decode_clients(
      R"({"clients":[{"clientId":"a","roles":7},{"clientId":"../x"},{"clientId":"B","roles":["2","1","2"],)"
      R"("tokenExpiry":"0001-01-01T00:00:00Z","generatedOn":"2026-08-19T14:30:00.123Z"},7]})");
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 2u);
  EXPECT_NE(read->at(0).problem, "");
  EXPECT_EQ(read->at(1).roles, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(read->at(1).expiry, "");
  EXPECT_TRUE(read->at(1).generated);
}

// A token is made of its client and the digest of its secret.
TEST(AstraCodec, TokenClientAndSecretBelongTogether) {
  using namespace astra;  // NOLINT(google-build-using-namespace)
  const std::string digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
  const auto minted = [&](const std::string& id, const std::string& secret,
                          const std::string& token) {
    std::string body = json{{"clientId", id}, {"secret", secret}, {"token", token}}.dump();
    return decode_minted(body).ok();
  };
  EXPECT_TRUE(minted("abc", "secret", "AstraCS:ABC:" + digest));
  EXPECT_FALSE(minted("abc", "Secret", "AstraCS:abc:" + digest));
  EXPECT_FALSE(minted("abd", "secret", "AstraCS:abc:" + digest));
  EXPECT_TRUE(minted("abc", "secret", "AstraCS:abc:of-another-form"));
  EXPECT_TRUE(minted("abc", "secret", "something-new"));
}

}  // namespace
}  // namespace keyturn::engine
