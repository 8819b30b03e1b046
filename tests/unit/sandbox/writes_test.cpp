// Writes other than apply: patches, status, finalizers, garbage collection, namespaces, Secrets'
// rules.
#include <gtest/gtest.h>

#include "lib/base/text.h"
#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class WritesTest : public ::testing::Test {
 protected:
  const std::string path = std::string(kSecrets) + "/s";
  Sandbox sandbox;
  KubeClient kube{sandbox};
};

TEST_F(WritesTest, CreateTwiceAndMissing) {
  EXPECT_EQ(kube.post(kSecrets, secret("s", {{"A", "MQ=="}})).status, 201);
  const Reply again = kube.post(kSecrets, secret("s", Json::object()));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.body["reason"], "AlreadyExists");
  EXPECT_EQ(again.body["details"]["name"], "s");
  const Reply missing = kube.get(std::string(kSecrets) + "/nope");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body["message"], "secrets \"nope\" not found");
  EXPECT_EQ(kube.post("/api/v1/namespaces/nowhere/secrets", secret("s", Json::object())).status,
            404);
  Json object = secret("v", Json::object());
  object["metadata"]["resourceVersion"] = "1";
  EXPECT_EQ(kube.post(kSecrets, object).status, 400);
}

TEST_F(WritesTest, StaleUpdatesConflict) {
  Json object = kube.post(kSecrets, secret("s", {{"A", "MQ=="}})).body;
  const Json old = object;
  object["data"]["A"] = "Mg==";
  EXPECT_EQ(kube.put(path, object).status, 200);
  const Reply stale = kube.put(path, old);
  EXPECT_EQ(stale.status, 409);
  EXPECT_EQ(stale.body["reason"], "Conflict");
  EXPECT_EQ(kube.patch(path, kMergePatch,
                       {{"metadata", {{"resourceVersion", old["metadata"]["resourceVersion"]}}},
                        {"data", {{"A", "Mw=="}}}})
                .status,
            409);
}

TEST_F(WritesTest, AnUpdateThatChangesNothingIsNone) {
  const Json object = kube.post(kSecrets, secret("s", {{"A", "MQ=="}})).body;
  const std::uint64_t revision = sandbox.store().revision();
  EXPECT_EQ(kube.put(path, object).status, 200);
  EXPECT_EQ(kube.patch(path, kMergePatch, Json::object()).status, 200);
  EXPECT_EQ(sandbox.store().revision(), revision);
}

TEST_F(WritesTest, SecretsAreChecked) {
  EXPECT_EQ(kube.post(kSecrets, secret("s", {{"A", "no base64!"}})).status, 400);
  EXPECT_EQ(kube.post(kSecrets, secret("s", {{"bad key", "MQ=="}})).status, 422);
  EXPECT_EQ(kube.post(kSecrets, secret("Bad_Name", Json::object())).status, 422);
  const std::string big = base64(std::string(1024 * 1024 + 1, 'x'));
  EXPECT_EQ(kube.post(kSecrets, secret("s", {{"A", big}})).status, 422);
  Json object = secret("s", {{"A", "MQ=="}});
  object["stringData"] = {{"B", "two"}};
  const Json made = kube.post(kSecrets, object).body;
  EXPECT_EQ(made["data"], Json({{"A", "MQ=="}, {"B", "dHdv"}}));
  EXPECT_FALSE(made.contains("stringData"));
  const Reply typed = kube.patch(path, kMergePatch, {{"type", "other"}});
  EXPECT_EQ(typed.status, 422);
  EXPECT_EQ(typed.body["details"]["causes"][0]["field"], "type");
  EXPECT_EQ(kube.patch(path, kMergePatch, {{"immutable", true}}).status, 200);
  EXPECT_EQ(kube.patch(path, kMergePatch, {{"data", {{"A", "Mg=="}}}}).status, 422);
  object = secret("t", {{"tls.crt", "MQ=="}});
  object["type"] = "kubernetes.io/tls";
  EXPECT_EQ(kube.post(kSecrets, object).status, 422);
}

TEST_F(WritesTest, JsonPatchTests) {
  ASSERT_EQ(kube.post(kSecrets, secret("s", {{"A", "MQ=="}})).status, 201);
  const Json good = {{{"op", "test"}, {"path", "/data/A"}, {"value", "MQ=="}},
                     {{"op", "replace"}, {"path", "/data/A"}, {"value", "Mg=="}}};
  EXPECT_EQ(kube.patch(path, kJsonPatch, good).status, 200);
  EXPECT_EQ(kube.patch(path, kJsonPatch, good).status, 422);
  EXPECT_EQ(kube.patch(path, "text/plain", good).status, 415);
}

TEST_F(WritesTest, StrategicPatchMergesListsByKey) {
  const std::string deployments = "/apis/apps/v1/namespaces/default/deployments";
  const Json container = {
      {"name", "app"}, {"image", "i"}, {"env", {{{"name", "A"}, {"value", "1"}}}}};
  const Json deployment = {
      {"metadata", {{"name", "web"}}},
      {"spec",
       {{"selector", {{"matchLabels", {{"a", "b"}}}}},
        {"template",
         {{"metadata", {{"labels", {{"a", "b"}}}}}, {"spec", {{"containers", {container}}}}}}}}};
  ASSERT_EQ(kube.post(deployments, deployment).status, 201);
  const Json patch = {
      {"spec",
       {{"template",
         {{"spec",
           {{"containers", {{{"name", "app"}, {"env", {{{"name", "B"}, {"value", "2"}}}}}}}}}}}}}};
  const Reply reply = kube.patch(deployments + "/web", kStrategicPatch, patch);
  ASSERT_EQ(reply.status, 200);
  const Json& after = reply.body["spec"]["template"]["spec"]["containers"];
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0]["image"], "i");
  EXPECT_EQ(after[0]["env"].size(), 2U);
  EXPECT_EQ(reply.body["metadata"]["generation"], 2);
  sandbox.controllers().settle();
  EXPECT_EQ(kube.get(deployments + "/web").body["status"]["observedGeneration"], 2);
}

TEST_F(WritesTest, DeleteHonoursPreconditionsAndFinalizers) {
  Json object = secret("s", Json::object());
  object["metadata"]["finalizers"] = {"keyturn.dev/rotation"};
  object = kube.post(kSecrets, object).body;
  EXPECT_EQ(kube.del(path, {{"preconditions", {{"uid", "another"}}}}).status, 409);
  EXPECT_EQ(kube.del(path, {{"preconditions", {{"resourceVersion", "1"}}}}).status, 409);
  const Reply marked = kube.del(path);
  EXPECT_EQ(marked.status, 200);
  EXPECT_TRUE(marked.body["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(kube.get(path).status, 200);
  EXPECT_EQ(kube.patch(path, kMergePatch, {{"metadata", {{"finalizers", nullptr}}}}).status, 200);
  EXPECT_EQ(kube.get(path).status, 404);
}

TEST_F(WritesTest, OwnedObjectsGoWithTheirOwner) {
  const Json owner =
      kube.post("/api/v1/namespaces/default/configmaps", {{"metadata", {{"name", "owner"}}}}).body;
  const auto owned = [&](const std::string& name, const std::string& uid) {
    Json object = secret(name, Json::object());
    object["metadata"]["ownerReferences"] = {
        {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", "owner"}, {"uid", uid}}};
    return object;
  };
  ASSERT_EQ(kube.post(kSecrets, owned("a", owner["metadata"]["uid"])).status, 201);
  ASSERT_EQ(kube.post(kSecrets, owned("b", owner["metadata"]["uid"])).status, 201);
  sandbox.controllers().settle();
  EXPECT_EQ(kube.get(std::string(kSecrets) + "/a").status, 200);
  ASSERT_EQ(kube.del("/api/v1/namespaces/default/configmaps/owner").status, 200);
  sandbox.controllers().settle();
  EXPECT_EQ(kube.get(std::string(kSecrets) + "/a").status, 404);
  EXPECT_EQ(kube.get(std::string(kSecrets) + "/b").status, 404);
  // An owner that never was, or lives in another namespace, does not keep an object.
  ASSERT_EQ(kube.post(kSecrets, owned("c", "00000000-0000-4000-8000-000000000000")).status, 201);
  sandbox.controllers().settle();
  EXPECT_EQ(kube.get(std::string(kSecrets) + "/c").status, 404);
}

TEST_F(WritesTest, NamespacesEmptyBeforeTheyGo) {
  ASSERT_EQ(kube.post("/api/v1/namespaces", {{"metadata", {{"name", "team"}}}}).status, 201);
  Json held = secret("held", Json::object());
  held["metadata"]["finalizers"] = {"x.dev/y"};
  ASSERT_EQ(kube.post("/api/v1/namespaces/team/secrets", held).status, 201);
  ASSERT_EQ(kube.post("/api/v1/namespaces/team/secrets", secret("free", Json::object())).status,
            201);
  EXPECT_EQ(kube.del("/api/v1/namespaces/team").body["status"]["phase"], "Terminating");
  sandbox.controllers().settle();
  EXPECT_EQ(kube.get("/api/v1/namespaces/team/secrets/free").status, 404);
  EXPECT_EQ(kube.get("/api/v1/namespaces/team").status, 200);
  const Reply refused = kube.post("/api/v1/namespaces/team/secrets", secret("new", Json::object()));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
  ASSERT_EQ(kube.patch("/api/v1/namespaces/team/secrets/held", kMergePatch,
                       {{"metadata", {{"finalizers", nullptr}}}})
                .status,
            200);
  sandbox.controllers().settle();
  EXPECT_EQ(kube.get("/api/v1/namespaces/team").status, 404);
}

TEST_F(WritesTest, DryRunChangesNothing) {
  EXPECT_EQ(kube.post(std::string(kSecrets) + "?dryRun=All", secret("s", Json::object())).status,
            201);
  EXPECT_EQ(kube.get(path).status, 404);
}

TEST_F(WritesTest, EventsAreOneThingInTwoVersions) {
  const Json event = {{"metadata", {{"name", "e.1"}}},
                      {"regarding", {{"kind", "Secret"}, {"name", "s"}, {"namespace", "default"}}},
                      {"reason", "Rotated"},
                      {"note", "done"},
                      {"type", "Normal"},
                      {"action", "Rotate"},
                      {"eventTime", "2026-01-01T00:00:00.000000Z"},
                      {"reportingController", "keyturn.dev/controller"},
                      {"reportingInstance", "pod-1"}};
  ASSERT_EQ(kube.post("/apis/events.k8s.io/v1/namespaces/default/events", event).status, 201);
  const Json core =
      kube.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Ds")
          .body["items"][0];
  EXPECT_EQ(core["message"], "done");
  EXPECT_EQ(core["involvedObject"]["name"], "s");
  const Reply series =
      kube.patch("/apis/events.k8s.io/v1/namespaces/default/events/e.1", kMergePatch,
                 {{"series", {{"count", 2}, {"lastObservedTime", "2026-01-01T00:00:01.000000Z"}}}});
  EXPECT_EQ(series.status, 200);
  EXPECT_EQ(series.body["note"], "done");
  Json bad = event;
  bad.erase("action");
  bad["metadata"]["name"] = "e.2";
  EXPECT_EQ(kube.post("/apis/events.k8s.io/v1/namespaces/default/events", bad).status, 422);
}

TEST_F(WritesTest, AccessFollowsRoles) {
  sandbox.auth().add_token("reader", {"system:serviceaccount:default:reader", {}});
  const KubeClient reader(sandbox, "reader");
  EXPECT_EQ(KubeClient(sandbox, "wrong").get(kSecrets).status, 401);
  const Reply denied = reader.get(kSecrets);
  EXPECT_EQ(denied.status, 403);
  EXPECT_NE(denied.body["message"].get<std::string>().find("cannot list resource \"secrets\""),
            std::string::npos);
  sandbox.load(
      "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: "
      "[{apiGroups: [''], resources: [secrets], verbs: [list]}]}\n"
      "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: r}, "
      "roleRef: {kind: Role, name: r},"
      " subjects: [{kind: ServiceAccount, name: reader}]}\n");
  EXPECT_EQ(reader.get(kSecrets).status, 200);
  EXPECT_EQ(reader.get("/api/v1/secrets").status, 403);
  EXPECT_EQ(reader.del(path).status, 403);
}

TEST_F(WritesTest, TokensOfServiceAccountsAuthenticate) {
  ASSERT_EQ(
      kube.post("/api/v1/namespaces/default/serviceaccounts", {{"metadata", {{"name", "robot"}}}})
          .status,
      201);
  const Reply made = kube.post("/api/v1/namespaces/default/serviceaccounts/robot/token",
                               {{"spec", {{"expirationSeconds", 600}}}});
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(KubeClient(sandbox, made.body["status"]["token"]).get(kSecrets).status,
            403);  // known, but no role
  const Reply other = kube.post("/api/v1/namespaces/default/serviceaccounts/robot/token",
                                {{"spec", {{"audiences", {"sts.amazonaws.com"}}}}});
  EXPECT_EQ(KubeClient(sandbox, other.body["status"]["token"]).get(kSecrets).status, 401);
}

}  // namespace
}  // namespace keyturn::sandbox::testing
