// InfluxDB's authorizations: who sees, makes, changes and deletes which, in 2.7 and 2.9.
#include <gtest/gtest.h>

#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

constexpr const char* kTokens = "/api/v2/authorizations";

class InfluxTokensTest : public ::testing::TestWithParam<const char*> {
 protected:
  Json permission(const char* action, const char* type, const std::string& id = "") const {
    Json resource = {{"type", type}, {"orgID", influx.setup.org}};
    if (!id.empty()) resource["id"] = id;
    return {{"action", action}, {"resource", resource}};
  }
  // `permissions`: one or a list of them.
  Json body(const Json& permissions, const Json& more = Json::object()) const {
    Json out = {{"orgID", influx.setup.org},
                {"permissions", permissions.is_array() ? permissions : Json::array({permissions})}};
    out.update(more);
    return out;
  }
  Reply create(const std::string& token, const Json& what) const {
    return client.as(token, "POST", kTokens, what);
  }
  std::string path(const std::string& id) const { return std::string(kTokens) + "/" + id; }
  InfluxAuthorization truth(const std::string& id) const {
    for (const InfluxAuthorization& each : influx.db->authorizations()) {
      if (each.id == id) return each;
    }
    return {};
  }
  static std::string message(const Reply& reply) { return text_at(reply.body, "message"); }
  bool hidden() const { return std::string(GetParam()) == "2.9"; }

  static InfluxSpec spec() {
    InfluxSpec out;
    out.version = GetParam();
    return out;
  }
  mutable Sandbox sandbox;
  const InfluxInstance influx = sandbox.influx().create(spec());
  const InfluxClient client{sandbox, influx};
  const std::string admin = influx.setup.token;
};

TEST_P(InfluxTokensTest, TheValueIsShownAtBirthAndLaterByOldServersOnly) {
  const Reply made = create(admin, body(permission("read", "buckets"), {{"description", "d"}}));
  ASSERT_EQ(made.status, 201);
  const std::string id = text_at(made.body, "id");
  const std::string token = text_at(made.body, "token");
  EXPECT_EQ(token.size(), 88U);
  EXPECT_EQ(truth(id).token, token);
  EXPECT_EQ(text_at(made.body, "org"), "shop");
  EXPECT_EQ(text_at(made.body, "userID"), influx.setup.user);  // whoever asked
  const std::string shown = hidden() ? "" : token;
  EXPECT_EQ(client.as(admin, "GET", path(id)).body["token"], shown);
  const Json list = client.as(admin, "GET", kTokens).body["authorizations"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1]["token"], shown);
  EXPECT_EQ(client.as(admin, "PATCH", path(id), {{"description", "e"}}).body["token"], shown);
  EXPECT_EQ(client.as(token, "GET", "/api/v2/buckets").status, 200);
}

TEST_P(InfluxTokensTest, NobodyGrantsWhatTheyLack) {
  const std::string bucket = influx.setup.bucket;
  const auto weak = influx.db->add_authorization(
      influx.setup.org, influx.setup.user,
      {{"write", "authorizations", "", influx.setup.org}, {"read", "buckets", bucket, ""}}, "");
  const Reply foreign = create(weak.token, body(permission("read", "buckets", bucket)));
  EXPECT_EQ(foreign.status, 401);  // it may not write its own user
  EXPECT_EQ(message(foreign), "write:users/" + influx.setup.user + " is unauthorized");
  const auto able = influx.db->add_authorization(influx.setup.org, influx.setup.user,
                                                 {{"write", "authorizations", "", influx.setup.org},
                                                  {"write", "users", influx.setup.user, ""},
                                                  {"read", "buckets", bucket, ""}},
                                                 "");
  EXPECT_EQ(create(able.token, body(permission("read", "buckets", bucket))).status, 201);
  const Reply more = create(able.token, body(permission("write", "buckets", bucket)));
  EXPECT_EQ(more.status, 403);
  EXPECT_EQ(more.body["code"], "forbidden");
  EXPECT_EQ(more.header("x-platform-error-code"), "forbidden");
  // All of the type is more than one of it.
  EXPECT_EQ(create(able.token, body(permission("read", "buckets"))).status, 403);
  const auto reader = influx.db->add_authorization(influx.setup.org, influx.setup.user,
                                                   {{"read", "buckets", "", ""}}, "");
  const Reply denied = create(reader.token, body(permission("read", "buckets")));
  EXPECT_EQ(denied.status, 401);
  EXPECT_EQ(message(denied), "write:orgs/" + influx.setup.org + "/authorizations is unauthorized");
}

TEST_P(InfluxTokensTest, InstanceIsForSetUpAlone) {
  const Json wanted = body({{"action", "read"}, {"resource", {{"type", "instance"}}}});
  EXPECT_EQ(create(admin, wanted).status, 403);
  const std::string session = client.session("admin", influx.password);
  EXPECT_EQ(client.in(session, "POST", kTokens, wanted).status, 500);
  // But that session may mint an operator token, which has no scope at all.
  Json all = Json::array();
  for (const InfluxPermission& each : influx_operator_rights())
    all.push_back({{"action", each.action}, {"resource", {{"type", each.type}}}});
  const Reply made = client.in(session, "POST", kTokens, body(all));
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(truth(text_at(made.body, "id")).permissions.size(), all.size());
}

TEST_P(InfluxTokensTest, NamesInsideResourcesAreIgnored) {
  const Json named = {{"action", "read"},
                      {"resource",
                       {{"type", "buckets"},
                        {"orgID", influx.setup.org},
                        {"name", "orders"},
                        {"org", "elsewhere"}}}};
  const Reply made = create(admin, body(named));
  ASSERT_EQ(made.status, 201);
  // Every bucket of the organisation, whatever the name said.
  EXPECT_EQ(truth(text_at(made.body, "id")).permissions[0].text(),
            "read:orgs/" + influx.setup.org + "/buckets");
  EXPECT_FALSE(made.body["permissions"][0]["resource"].contains("name"));
  EXPECT_EQ(made.body["permissions"][0]["resource"]["org"], "shop");
}

TEST_P(InfluxTokensTest, BadBodiesAreRefused) {
  const std::string other = influx.db->add_org("other");
  Json stray = permission("read", "buckets");
  stray["resource"]["orgID"] = other;
  EXPECT_EQ(create(admin, body(stray)).status, 400);
  EXPECT_EQ(create(admin, body(Json::array())).status, 400);
  EXPECT_EQ(create(admin, body(permission("read", "bucket"))).status, 400);
  EXPECT_EQ(create(admin, body(permission("own", "buckets"))).status, 400);
  EXPECT_EQ(create(admin, {{"permissions", Json::array({permission("read", "buckets")})}}).status,
            400);
  EXPECT_EQ(create(admin, body(permission("read", "buckets", "xyz"))).status, 400);
  EXPECT_EQ(create(admin, body(permission("read", "buckets"), {{"status", "odd"}})).status, 400);
  EXPECT_EQ(
      create(admin, body(permission("read", "buckets"), {{"userID", "00000000000000aa"}})).status,
      400);
  EXPECT_EQ(client.as(admin, "POST", kTokens).status, 400);
  EXPECT_EQ(influx.db->authorizations().size(), 1U);
}

TEST_P(InfluxTokensTest, AnInactiveTokenIsKnownAndHasNoRights) {
  const Reply made = create(admin, body(permission("read", "buckets")));
  const std::string id = text_at(made.body, "id");
  const std::string token = text_at(made.body, "token");
  ASSERT_EQ(client.as(admin, "PATCH", path(id), {{"status", "inactive"}}).status, 200);
  EXPECT_FALSE(truth(id).active);
  const Reply orgs = client.as(token, "GET", "/api/v2/orgs");
  EXPECT_EQ(orgs.status, 200);  // not a refusal: an empty list
  EXPECT_EQ(orgs.body["orgs"], Json::array());
  EXPECT_EQ(client.as(token, "GET", "/api/v2/buckets").body["buckets"], Json::array());
  const Reply me = client.as(token, "GET", "/api/v2/me");
  EXPECT_EQ(me.status, 401);
  EXPECT_EQ(message(me), "token is inactive");
  EXPECT_EQ(client.as(token, "POST", "/api/v2/write?org=shop&bucket=orders").status, 403);
  ASSERT_EQ(client.as(admin, "PATCH", path(id), {{"status", "active"}}).status, 200);
  EXPECT_EQ(client.as(token, "GET", "/api/v2/buckets").body["buckets"].size(), 1U);
}

TEST_P(InfluxTokensTest, OnlyStatusAndDescriptionChange) {
  const Reply made = create(admin, body(permission("read", "buckets"), {{"description", "a"}}));
  const std::string id = text_at(made.body, "id");
  const Reply changed = client.as(admin, "PATCH", path(id),
                                  {{"description", "b"},
                                   {"token", "mine"},
                                   {"permissions", Json::array()},
                                   {"userID", "00000000000000aa"}});
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(truth(id).description, "b");
  EXPECT_EQ(truth(id).token, text_at(made.body, "token"));
  EXPECT_EQ(truth(id).permissions.size(), 1U);
  EXPECT_EQ(client.as(admin, "PATCH", path(id), {{"status", "gone"}}).status, 400);
}

TEST_P(InfluxTokensTest, DeletingTwice) {
  const Reply made = create(admin, body(permission("read", "buckets")));
  const std::string id = text_at(made.body, "id");
  const std::string token = text_at(made.body, "token");
  EXPECT_EQ(client.as(token, "DELETE", path(id)).status, 401);  // not even itself
  EXPECT_EQ(client.as(admin, "DELETE", path(id)).status, 204);
  const Reply again = client.as(admin, "DELETE", path(id));
  EXPECT_EQ(again.status, 404);
  EXPECT_EQ(message(again), "authorization not found");
  EXPECT_EQ(client.as(admin, "DELETE", path("short")).status, 400);
  EXPECT_EQ(client.as(admin, "GET", path(id)).status, 404);
  EXPECT_EQ(message(client.as(token, "GET", "/api/v2/orgs")), "unauthorized access");
}

TEST_P(InfluxTokensTest, ListsAreFilteredWithoutAWord) {
  const std::string user = influx.db->add_user("bob", "password1");
  const auto theirs = influx.db->add_authorization(
      influx.setup.org, user,
      {{"read", "authorizations", "", influx.setup.org}, {"read", "users", user, ""}}, "bob's");
  const auto ids = [&](const std::string& token, const std::string& query) {
    std::string out;
    const Reply reply = client.as(token, "GET", kTokens + query);
    for (const Json& each : reply.body["authorizations"]) out += text_at(each, "id") + " ";
    return out;
  };
  EXPECT_EQ(ids(theirs.token, ""),
            theirs.id + " ");  // the admin's belongs to a user it cannot read
  EXPECT_EQ(ids(admin, ""), influx.setup.token_id + " " + theirs.id + " ");
  EXPECT_EQ(ids(admin, "?user=bob"), theirs.id + " ");
  EXPECT_EQ(ids(admin, "?userID=" + user), theirs.id + " ");
  EXPECT_EQ(ids(admin, "?id=" + theirs.id), theirs.id + " ");
  EXPECT_EQ(ids(admin, "?org=shop&user=admin"), influx.setup.token_id + " ");
  EXPECT_EQ(client.as(admin, "GET", std::string(kTokens) + "?user=nobody").status, 404);
  EXPECT_EQ(client.as(theirs.token, "GET", path(influx.setup.token_id)).status, 401);
}

TEST_P(InfluxTokensTest, TheOwnerMayBeAnother) {
  const std::string user = influx.db->add_user("bob", "password1");
  const Reply made = create(admin, body(permission("read", "buckets"), {{"userID", user}}));
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.body["user"], "bob");
  const std::string token = text_at(made.body, "token");
  EXPECT_EQ(client.as(token, "GET", "/api/v2/buckets").status, 200);
  EXPECT_EQ(client.as(admin, "DELETE", "/api/v2/users/" + user).status, 204);
  const Reply orphan = client.as(token, "GET", "/api/v2/buckets");
  EXPECT_EQ(orphan.status, 403);
  EXPECT_EQ(message(orphan), "User is inactive");
}

INSTANTIATE_TEST_SUITE_P(Versions, InfluxTokensTest, ::testing::Values("2.7", "2.9"),
                         [](const auto& each) {
                           return std::string(each.param) == "2.7" ? "v2_7" : "v2_9";
                         });

}  // namespace
}  // namespace keyturn::sandbox::testing
