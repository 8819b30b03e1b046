// InfluxDB's sessions, passwords, lists and data endpoints; that its faults and counts are like
// everybody's; and the two calls of Timestream that lead to it.
#include <gtest/gtest.h>

#include "lib/base/text.h"
#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class InfluxTest : public ::testing::Test {
 protected:
  static std::string message(const Reply& reply) { return text_at(reply.body, "message"); }
  static std::string type(const Reply& reply) { return text_at(reply.body, "__type"); }
  std::string password_path(const std::string& user) const {
    return "/api/v2/users/" + user + "/password";
  }
  Reply put_password(const std::string& path, const std::string& session, const std::string& old,
                     const std::string& fresh) const {
    return client.send("PUT", path,
                       {{"Cookie", "influxdb-oss-session=" + session},
                        {"Authorization", "Basic " + base64("admin:" + old)}},
                       Json{{"password", fresh}}.dump());
  }

  mutable Sandbox sandbox;
  const InfluxInstance influx = sandbox.influx().create({});
  const InfluxClient client{sandbox, influx};
  const std::string admin = influx.setup.token;
};

TEST_F(InfluxTest, SaysWhichItIs) {
  const Reply ping = client.send("GET", "/ping", {});
  EXPECT_EQ(ping.status, 204);
  EXPECT_EQ(ping.header("x-influxdb-version"), "v2.7.12");
  EXPECT_EQ(client.send("HEAD", "/ping", {}).status, 204);
  EXPECT_EQ(client.send("GET", "/health", {}).body["status"], "pass");
  InfluxSpec third;
  third.name = "third";
  third.version = "3.4.1";
  const InfluxInstance v3 = sandbox.influx().create(third);
  const InfluxClient other(sandbox, v3);
  EXPECT_EQ(other.send("GET", "/ping", {}).body["version"], "3.4.1");
  EXPECT_EQ(other.as(v3.setup.token, "GET", "/api/v2/orgs").status, 404);
}

TEST_F(InfluxTest, SignsInAndOut) {
  for (const auto& [user, password] :
       {std::pair{"admin", "wrong-password"}, std::pair{"nobody", "password1"}}) {
    const Reply refused = client.sign_in(user, password);
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(message(refused), "unauthorized access");
  }
  EXPECT_EQ(client.send("POST", "/api/v2/signin", {}).status, 401);
  const Reply in = client.sign_in("admin", influx.password);
  EXPECT_EQ(in.status, 204);
  EXPECT_NE(in.header("set-cookie").find("Path=/api/"), std::string::npos);
  const std::string session = client.session("admin", influx.password);
  EXPECT_EQ(client.in(session, "GET", "/api/v2/me").body["id"], influx.setup.user);
  EXPECT_EQ(client.in(session, "POST", "/api/v2/signout").status, 204);
  EXPECT_EQ(client.in(session, "POST", "/api/v2/signout").status, 401);
  EXPECT_EQ(client.in(session, "GET", "/api/v2/me").status, 401);
  EXPECT_EQ(client.send("GET", "/api/v2/me", {}).status, 401);
}

TEST_F(InfluxTest, SessionsEndAnHourAfterTheLastRequestButFiveMinutes) {
  const std::string session = client.session("admin", influx.password);
  sandbox.influx().set_clock_offset(std::chrono::minutes(59));
  EXPECT_EQ(client.in(session, "GET", "/api/v2/me").status, 200);
  sandbox.influx().set_clock_offset(std::chrono::minutes(63));  // prolonged to minute 64
  EXPECT_EQ(client.in(session, "GET", "/api/v2/me").status, 200);
  sandbox.influx().set_clock_offset(std::chrono::minutes(69));
  const Reply late = client.in(session, "GET", "/api/v2/me");
  EXPECT_EQ(late.status, 401);
  EXPECT_EQ(message(late), "unauthorized access");
}

TEST_F(InfluxTest, ASessionHasTheRightsOfAllItsUsersTokens) {
  const std::string user = influx.db->add_user("bob", "password1");
  const std::string session = client.session("bob", "password1");
  EXPECT_EQ(client.in(session, "GET", "/api/v2/buckets").body["buckets"], Json::array());
  EXPECT_EQ(client.in(session, "GET", "/api/v2/orgs").body["orgs"], Json::array());
  const auto token = influx.db->add_authorization(
      influx.setup.org, user, {{"read", "buckets", influx.setup.bucket, ""}}, "");
  influx.db->edit_authorization(token.id, false, std::nullopt);  // even an inactive one's
  EXPECT_EQ(client.in(session, "GET", "/api/v2/buckets").body["buckets"].size(), 1U);
  influx.db->join_org(influx.setup.org, user, false);
  EXPECT_EQ(client.in(session, "GET", "/api/v2/orgs").body["orgs"].size(), 1U);
  EXPECT_EQ(client.in(session, "GET", "/api/v2/buckets").body["buckets"].size(), 3U);
  // A token of the same user sees what it may, not what the user may.
  EXPECT_EQ(client.as(influx.setup.token, "GET", "/api/v2/orgs").body["orgs"].size(), 1U);
  influx.db->set_user_active(user, false);
  EXPECT_EQ(client.in(session, "GET", "/api/v2/me").status, 403);
}

TEST_F(InfluxTest, PasswordsChangeWithTheOldOneOrByRight) {
  const std::string session = client.session("admin", influx.password);
  const std::string mine = "/api/v2/me/password";
  EXPECT_EQ(put_password(mine, session, "wrong-password", "new-password").status, 403);
  EXPECT_EQ(put_password(mine, session, influx.password, "short").status, 400);
  EXPECT_EQ(put_password(mine, session, influx.password, std::string(73, 'x')).status, 400);
  EXPECT_EQ(put_password(mine, session, influx.password, std::string(72, 'x')).status, 204);
  EXPECT_EQ(client.sign_in("admin", influx.password).status, 401);
  EXPECT_EQ(
      put_password(password_path(influx.setup.user), session, std::string(72, 'x'), "password2")
          .status,
      204);
  // Without the old one, for whoever may write the user: each for itself in a session.
  EXPECT_EQ(
      client.in(session, "POST", password_path(influx.setup.user), {{"password", "password3"}})
          .status,
      204);
  EXPECT_EQ(client.sign_in("admin", "password3").status, 204);
  EXPECT_EQ(client.in(session, "GET", "/api/v2/me").status, 200);  // sessions and tokens stay
  EXPECT_EQ(client.as(admin, "GET", "/api/v2/me").status, 200);
  // A bearer header and Basic cannot coexist.
  EXPECT_EQ(client.as(admin, "PUT", mine, {{"password", "password4"}}).status, 500);
  const std::string user = influx.db->add_user("bob", "password1");
  const std::string theirs = client.session("bob", "password1");
  EXPECT_EQ(client.in(theirs, "POST", password_path(influx.setup.user), {{"password", "password9"}})
                .status,
            401);
  influx.db->set_password(user, std::string(80, 'x'));  // from before there was an upper bound
  const Reply old = client.sign_in("bob", std::string(80, 'x'));
  EXPECT_EQ(old.status, 403);
  EXPECT_TRUE(message(old).starts_with("password change required"));
}

TEST_F(InfluxTest, AServerFromBeforeTheUpperBoundTakesLongPasswords) {
  InfluxSpec older;
  older.name = "older";
  older.version = "2.7.5";
  const InfluxInstance instance = sandbox.influx().create(older);
  const InfluxClient other(sandbox, instance);
  const std::string session = other.session("admin", instance.password);
  const auto set = [&](const std::string& password) {
    return other.in(session, "POST", password_path(instance.setup.user), {{"password", password}})
        .status;
  };
  EXPECT_EQ(set("short"), 400);
  EXPECT_EQ(set(std::string(80, 'x')), 204);
  EXPECT_EQ(other.sign_in("admin", std::string(80, 'x')).status, 204);
}

TEST_F(InfluxTest, ListsLeaveOutWhatMayNotBeRead) {
  const auto narrow = influx.db->add_authorization(
      influx.setup.org, influx.setup.user, {{"read", "buckets", influx.setup.bucket, ""}}, "");
  EXPECT_EQ(client.as(narrow.token, "GET", "/api/v2/orgs").body["orgs"], Json::array());
  EXPECT_EQ(client.as(narrow.token, "GET", "/api/v2/orgs?org=shop").body["orgs"], Json::array());
  EXPECT_EQ(client.as(narrow.token, "GET", "/api/v2/orgs?org=none").status, 404);
  const Reply org = client.as(narrow.token, "GET", "/api/v2/orgs/" + influx.setup.org);
  EXPECT_EQ(org.status, 401);
  EXPECT_EQ(message(org), "read:orgs/" + influx.setup.org + " is unauthorized");
  influx.db->add_bucket(influx.setup.org, "other");
  const Json seen = client.as(narrow.token, "GET", "/api/v2/buckets").body["buckets"];
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0]["name"], "orders");
  EXPECT_EQ(client.as(admin, "GET", "/api/v2/buckets").body["buckets"].size(), 4U);
  // The page is cut before permissions are looked at.
  EXPECT_EQ(client.as(narrow.token, "GET", "/api/v2/buckets?limit=1").body["buckets"].size(), 0U);
  EXPECT_EQ(client.as(admin, "GET", "/api/v2/buckets?limit=101").status, 400);
  EXPECT_EQ(client.as(admin, "GET", "/api/v2/buckets?org=shop&name=nope").status, 404);
  // All of its organisation, which its user is no member of: not listed unless named.
  const std::string bob = influx.db->add_user("bob", "password1");
  const auto all = influx.db->add_authorization(
      influx.setup.org, bob, influx_all_access_rights(influx.setup.org, bob), "");
  EXPECT_EQ(client.as(all.token, "GET", "/api/v2/orgs").body["orgs"].size(), 0U);
  EXPECT_EQ(client.as(all.token, "GET", "/api/v2/orgs?org=shop").body["orgs"].size(), 1U);
}

TEST_F(InfluxTest, WritingAndQueryingShowWhatATokenMay) {
  const auto writer = influx.db->add_authorization(
      influx.setup.org, influx.setup.user, {{"write", "buckets", influx.setup.bucket, ""}}, "");
  const auto write = [&](const std::string& token, const std::string& query) {
    return client.send("POST", "/api/v2/write?" + query, {{"Authorization", "Bearer " + token}},
                       "m v=1");
  };
  EXPECT_EQ(write(writer.token, "org=shop&bucket=orders").status, 204);
  EXPECT_EQ(
      write(writer.token, "org=" + influx.setup.org + "&bucket=" + influx.setup.bucket).status,
      204);
  EXPECT_EQ(write(writer.token, "org=shop&bucket=_tasks").status, 403);
  EXPECT_EQ(write(writer.token, "org=shop&bucket=none").status, 404);
  EXPECT_EQ(write(writer.token, "org=none&bucket=orders").status, 404);
  EXPECT_EQ(write("nonsense", "org=shop&bucket=orders").status, 401);
  const auto query = [&](const std::string& token, const std::string& flux) {
    return client.as(token, "POST", "/api/v2/query?org=shop", {{"query", flux}}).status;
  };
  EXPECT_EQ(query(admin, "buckets()"), 200);
  EXPECT_EQ(query(admin, "from(bucket: \"orders\") |> range(start: -1m)"), 200);
  EXPECT_EQ(query(writer.token, "from(bucket: \"orders\") |> range(start: -1m)"), 404);
}

TEST_F(InfluxTest, ConflictsAre422) {
  const Json again = {{"username", "x"}, {"password", "password1"}, {"org", "o"}, {"bucket", "b"}};
  EXPECT_EQ(client.as("", "POST", "/api/v2/setup", again).status, 422);
  EXPECT_EQ(client.as(admin, "POST", "/api/v2/users", {{"name", "admin"}}).status, 422);
  EXPECT_EQ(client.as(admin, "POST", "/api/v2/orgs", {{"name", "shop"}}).status, 422);
  EXPECT_EQ(
      client.as(admin, "POST", "/api/v2/buckets", {{"orgID", influx.setup.org}, {"name", "orders"}})
          .status,
      422);
}

TEST_F(InfluxTest, IsSetUpByItsOwnApi) {
  InfluxSpec fresh;
  fresh.name = "fresh";
  fresh.set_up = false;
  fresh.tls = false;
  const InfluxInstance other = sandbox.influx().create(fresh);
  const InfluxClient api(sandbox, other);
  EXPECT_EQ(api.send("GET", "/api/v2/setup", {}).body["allowed"], true);
  const Json wanted = {
      {"username", "me"}, {"password", "password1"}, {"org", "o"}, {"bucket", "b"}};
  const Reply made = api.send("POST", "/api/v2/setup", {}, wanted.dump());
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(api.send("GET", "/api/v2/setup", {}).body["allowed"], false);
  const std::string token = text_at(made.body, "auth", "token");
  EXPECT_EQ(api.as(token, "GET", "/api/v2/orgs").body["orgs"][0]["name"], "o");
  EXPECT_EQ(api.sign_in("me", "password1").status, 204);
}

TEST_F(InfluxTest, FaultsAndCountsAreLikeEverybodys) {
  sandbox.faults().add(fault_from_json({{"service", "influxdb"},
                                        {"operation", "create"},
                                        {"resource", "authorizations"},
                                        {"kind", "reset-after"},
                                        {"times", 1}}));
  const Json body = {
      {"orgID", influx.setup.org},
      {"permissions", Json::array({{{"action", "read"}, {"resource", {{"type", "buckets"}}}}})}};
  EXPECT_EQ(client.as(admin, "POST", "/api/v2/authorizations", body).status, 0);
  EXPECT_EQ(influx.db->authorizations().size(), 2U);  // an orphan
  EXPECT_EQ(sandbox.calls().count("influxdb", "create", "authorizations"), 1U);
  sandbox.faults().add(fault_from_json(
      {{"service", "influxdb"}, {"namespace", "influx"}, {"status", 503}, {"times", 1}}));
  const Reply busy = client.as(admin, "GET", "/api/v2/orgs");
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.body["code"], "unavailable");
  influx.server->stop();
  EXPECT_EQ(client.as(admin, "GET", "/api/v2/orgs").status, 0);
  influx.server->start();
  EXPECT_EQ(client.as(admin, "GET", "/api/v2/orgs").status, 200);
}

TEST_F(InfluxTest, TheControlApiMakesThemAndKnowsTheTruth) {
  const AdminClient control(sandbox);
  const Json made = control.send("POST", "/influx/instances",
                                 {{"name", "second"}, {"version", "2.9"}, {"tls", false}});
  const std::string path = "/influx/instances/" + text_at(made, "id");
  const InfluxClient api(sandbox, sandbox.influx().need("second"));
  const std::string token = text_at(made, "token");
  EXPECT_EQ(api.as(token, "GET", "/api/v2/me").body["id"], made["userID"]);
  EXPECT_EQ(api.sign_in(text_at(made, "username"), text_at(made, "password")).status, 204);
  const Json bob = control.send("POST", path + "/users",
                                {{"name", "bob"}, {"password", "password1"}, {"role", "member"}});
  const Json theirs = control.send(
      "POST", path + "/authorizations",
      {{"userID", bob["id"]}, {"type", "allAccess"}, {"description", "d"}, {"status", "inactive"}});
  EXPECT_EQ(api.as(text_at(theirs, "token"), "GET", "/api/v2/me").status, 401);
  control.send("PATCH", path + "/authorizations/" + text_at(theirs, "id"), {{"status", "active"}});
  EXPECT_EQ(api.as(text_at(theirs, "token"), "GET", "/api/v2/me").body["name"], "bob");
  const Json state = control.send("GET", path);
  ASSERT_EQ(state["authorizations"].size(), 2U);
  EXPECT_EQ(state["authorizations"][1]["token"], theirs["token"]);  // though the API hides it
  EXPECT_EQ(state["authorizations"][1]["userID"], bob["id"]);
  EXPECT_EQ(state["authorizations"][0]["permissions"].size(), 44U);
  EXPECT_EQ(state["sessions"], 1);
  control.send("DELETE", path + "/authorizations/" + text_at(theirs, "id"));
  EXPECT_EQ(control.send("GET", path)["authorizations"].size(), 1U);
  control.send("DELETE", path);
  EXPECT_EQ(api.as(token, "GET", "/api/v2/me").status, 0);
  EXPECT_TRUE(control.send("GET", path).contains("error"));
}

TEST_F(InfluxTest, TimestreamSaysWhereItIs) {
  AwsClient aws(sandbox);
  const auto get = [&](const std::string& id) {
    return aws.call("GetDbInstance", {{"identifier", id}}, kTimestream);
  };
  const Reply found = get(influx.id);
  ASSERT_EQ(found.status, 200);
  EXPECT_EQ(found.header("content-type"), "application/x-amz-json-1.0");
  EXPECT_EQ(found.body["endpoint"], "127.0.0.1");
  EXPECT_EQ(found.body["port"], influx.server->port());
  EXPECT_EQ(found.body["status"], "AVAILABLE");
  EXPECT_EQ(Json::parse(*sandbox.secrets().value(
                text_at(found.body, "influxAuthParametersSecretArn")))["username"],
            "admin");
  EXPECT_EQ(type(get("nothere")), "com.amazonaws.timestreaminfluxdb#ResourceNotFoundException");
  EXPECT_EQ(type(get(influx.name + "-x")), "com.amazonaws.timestreaminfluxdb#ValidationException");
  EXPECT_EQ(type(aws.call("GetDbInstance", {{"identifier", influx.id}},
                          {"secretsmanager", kTimestream.target, kTimestream.content_type})),
            "com.amazonaws.timestreaminfluxdb#InvalidSignatureException");
  sandbox.influx().set_status(influx.id, "CREATING");
  EXPECT_FALSE(get(influx.id).body.contains("endpoint"));
  sandbox.faults().add(fault_from_json({{"service", "timestream-influxdb"},
                                        {"operation", "GetDbInstance"},
                                        {"status", 400},
                                        {"code", "ThrottlingException"},
                                        {"retryAfter", 3},
                                        {"times", 1}}));
  EXPECT_EQ(get(influx.id).body["retryAfterSeconds"], 3);
  sandbox.accounts().set_rules(sandbox.access_key(),
                               {IamRule{true, {"timestream-influxdb:*"}, {"other"}}});
  EXPECT_EQ(type(get(influx.id)), "com.amazonaws.timestreaminfluxdb#AccessDeniedException");
}

TEST_F(InfluxTest, ClustersNameTheirEngine) {
  InfluxCluster wanted;
  wanted.name = "big";
  wanted.engine = "INFLUXDB_V3_CORE";
  wanted.instance = influx.name;
  const InfluxCluster cluster = sandbox.influx().create_cluster(wanted);
  AwsClient aws(sandbox);
  EXPECT_EQ(aws.call("GetDbInstance", {{"identifier", influx.id}}, kTimestream).body["dbClusterId"],
            cluster.id);
  const Reply found = aws.call("GetDbCluster", {{"dbClusterId", cluster.id}}, kTimestream);
  EXPECT_EQ(found.body["engineType"], "INFLUXDB_V3_CORE");
  EXPECT_EQ(found.body["port"], influx.server->port());
  EXPECT_EQ(type(aws.call("GetDbCluster", {{"dbClusterId", "nothere"}}, kTimestream)),
            "com.amazonaws.timestreaminfluxdb#ResourceNotFoundException");
}

}  // namespace
}  // namespace keyturn::sandbox::testing
