// Astra: what it takes and refuses, and the parts that clients fall over.
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class AstraSandboxTest : public ::testing::Test {
 protected:
  HttpResponse ask(const std::string& token, const std::string& method, const std::string& path,
                   const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = {{"Authorization", "Bearer " + token}};
    request.body = body;
    return astra.handle(request);
  }
  HttpResponse post(const std::string& token, const Json& body) {
    return ask(token, "POST", "/v2/clientIdSecrets", body.dump());
  }
  std::string role(const std::string& name) {
    for (const AstraRole& one : astra.roles("shop")) {
      if (one.name == name) return one.id;
    }
    return "";
  }

  SystemClock clock;
  AstraApi astra{clock};
  const AstraClient root = astra.create_org("shop", {});
  const AstraClient other = astra.create_org("other", {});
};

TEST_F(AstraSandboxTest, ATokenIsMadeOfItsClientAndItsSecretsDigestAndShownOnce) {
  const HttpResponse made = post(root.token, {{"roles", {role("Reader")}}, {"description", "ci"}});
  ASSERT_EQ(made.status, 200);
  const Json body = Json::parse(made.body);
  const auto id = body.at("clientId").get<std::string>();
  EXPECT_EQ(body.at("token"),
            "AstraCS:" + id + ":" + hex(sha256(body.at("secret").get<std::string>())));
  const HttpResponse list = ask(root.token, "GET", "/v2/clientIdSecrets");
  EXPECT_EQ(list.body.find(body.at("secret").get<std::string>()), std::string::npos);
  EXPECT_EQ(list.body.find(id), std::string::npos);  // in another case
  EXPECT_NE(list.body.find(lower_ascii(id)), std::string::npos);
  EXPECT_NE(list.body.find("\"description\":\"ci\""), std::string::npos);
  EXPECT_EQ(Json::parse(list.body).at("clients").size(), 2u);  // of this organisation alone
}

TEST_F(AstraSandboxTest, BodiesAreReadStrictly) {
  const std::string reader = role("Reader");
  const struct {
    Json body;
    int status;
  } cases[] = {
      {Json::array(), 400},
      {{{"roles", Json::array()}}, 400},
      {{{"roles", {reader}}, {"name", "x"}}, 400},
      {{{"roles", {reader}}, {"description", 7}}, 400},
      {{{"roles", {reader}}, {"tokenExpiry", "soon"}}, 400},
      {{{"roles", {reader}}, {"tokenExpiry", "2001-01-01T00:00:00Z"}}, 400},
      {{{"roles", {"no-such-role"}}}, 422},
      {{{"roles", {reader}}, {"orgId", astra.org_id("other")}}, 403},
      {{{"roles", {reader}}, {"orgId", astra.org_id("shop")}}, 200},
      {{{"roles", {reader}}, {"tokenExpiry", "2099-01-01T00:00:00Z"}}, 200},
  };
  for (const auto& one : cases)
    EXPECT_EQ(post(root.token, one.body).status, one.status) << one.body;
}

TEST_F(AstraSandboxTest, WhoMayDoWhat) {
  const AstraClient reader = astra.add_client("shop", {"Reader"}, "", "");
  EXPECT_EQ(ask(reader.token, "GET", "/v2/currentOrg").status, 200);
  for (const auto& [method, path] :
       {std::pair{"GET", "/v2/clientIdSecrets"}, std::pair{"GET", "/v2/organizations/roles"},
        std::pair{"DELETE", "/v2/clientIdSecrets/x"}}) {
    const HttpResponse refused = ask(reader.token, method, path);
    EXPECT_EQ(refused.status, 403) << path;
    EXPECT_TRUE(refused.content_type.starts_with("text/plain"));
  }
  const AstraClient half =
      astra.add_client("shop", {astra.add_role("shop", "Half", {"org-token-write"}).id}, "", "");
  EXPECT_EQ(post(half.token, {{"roles", {role("Reader")}}}).status,
            403);  // grants no more than it has
  EXPECT_EQ(ask("AstraCS:x:y", "GET", "/v2/currentOrg").status, 401);
  EXPECT_EQ(ask(root.token, "GET", "/v2/other").status, 404);
  EXPECT_EQ(ask(root.token, "PATCH", "/v2/clientIdSecrets").status, 405);
  const AstraClient expired = astra.add_client("shop", {"Reader"}, "", "2001-01-01T00:00:00Z");
  EXPECT_EQ(ask(expired.token, "GET", "/v2/currentOrg").status, 401);
}

TEST_F(AstraSandboxTest, AClientMayDeleteItselfAndIsDead) {
  EXPECT_EQ(ask(other.token, "DELETE", "/v2/clientIdSecrets/" + root.id).status, 404);  // another's
  EXPECT_EQ(ask(root.token, "DELETE", "/v2/clientIdSecrets/" + lower_ascii(root.id)).status, 200);
  EXPECT_EQ(ask(root.token, "GET", "/v2/currentOrg").status, 401);
}

TEST_F(AstraSandboxTest, DescriptionAndExpiryMayBeForgotten) {
  astra.behave("shop", {.drops_descriptions = true, .delete_status = 204});
  const Json made = Json::parse(post(root.token, {{"roles", {role("Reader")}},
                                                  {"description", "ci"},
                                                  {"tokenExpiry", "2099-01-01T00:00:00Z"}})
                                    .body);
  const std::string list = ask(root.token, "GET", "/v2/clientIdSecrets").body;
  EXPECT_EQ(list.find("description"), std::string::npos);
  EXPECT_EQ(list.find("tokenExpiry"), std::string::npos);
  EXPECT_EQ(
      ask(root.token, "DELETE", "/v2/clientIdSecrets/" + made.at("clientId").get<std::string>())
          .status,
      204);
}

TEST_F(AstraSandboxTest, FaultsSeeWhichOrganisationItIs) {
  HttpRequest request;
  request.method = "DELETE";
  request.path = "/v2/clientIdSecrets/" + root.id;
  request.headers = {{"Authorization", "Bearer " + root.token}};
  const Call call = astra.call_of(request);
  EXPECT_EQ(
      call.service + " " + call.operation + " " + call.resource + " " + call.ns + " " + call.name,
      "astra delete clients shop " + root.id);
  Fault fault;
  fault.status = 429;
  EXPECT_NE(AstraApi::fault_reply(fault).body.find("\"errors\""), std::string::npos);
}

TEST(AstraAdmin, OrganisationsAndClientsByTheControlApi) {
  Sandbox sandbox;
  const AdminClient admin(sandbox);
  const Json org = admin.send("POST", "/astra/orgs", {{"name", "shop"}});
  EXPECT_EQ(org.at("url"), sandbox.astra_url());
  const Json client =
      admin.send("POST", "/astra/orgs/shop/clients", {{"roles", {"Reader"}}, {"description", "x"}});
  admin.send("PATCH", "/astra/orgs/shop/clients/" + client.at("clientId").get<std::string>(),
             {{"description", "y"}});
  const Json state = admin.send("GET", "/astra/orgs/shop");
  ASSERT_EQ(state.at("clients").size(), 2u);
  const bool edited = std::any_of(state["clients"].begin(), state["clients"].end(),
                                  [](const Json& one) { return one.at("description") == "y"; });
  EXPECT_TRUE(edited);
  admin.send("DELETE", "/astra/orgs/shop/clients/" + client.at("clientId").get<std::string>());
  EXPECT_EQ(admin.send("GET", "/astra/orgs/shop").at("clients").size(), 1u);
}

}  // namespace
}  // namespace keyturn::sandbox::testing
