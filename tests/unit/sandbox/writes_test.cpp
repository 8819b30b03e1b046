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

// A member of the first cause of a refusal, or "".
std::string cause(const Reply& reply, const std::string& member) {
  return reply.body.value(Json::json_pointer("/details/causes/0/" + member), "");
}

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
  EXPECT_EQ(kube.post(kSecrets, object).status, 500);  // as the real one: no Status of its own
  const Reply nowhere = kube.get("/api/v1/namespaces/default/nopes");
  EXPECT_EQ(nowhere.status, 404);
  EXPECT_EQ(at(nowhere.body, "details"), Json::object());
}

TEST_F(WritesTest, SomeKindsAreReplacedOnlyAtAVersion) {
  EXPECT_EQ(kube.post(kSecrets, secret("s", {{"A", "MQ=="}})).status, 201);
  EXPECT_EQ(kube.put(path, secret("s", {{"A", "Mg=="}})).status, 200);
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  Json lease = {{"metadata", {{"name", "l"}}}, {"spec", {{"holderIdentity", "me"}}}};
  const Json made = kube.post(leases, lease).body;
  const Reply refused = kube.put(leases + "/l", lease);
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(cause(refused, "field"), "metadata.resourceVersion");
  lease["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"];
  EXPECT_EQ(kube.put(leases + "/l", lease).status, 200);
  EXPECT_EQ(kube.patch(leases + "/l", kMergePatch, {{"spec", {{"holderIdentity", "you"}}}}).status,
            200);
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
  const Reply added = kube.patch(
      path, kMergePatch, {{"metadata", {{"finalizers", {"keyturn.dev/rotation", "x.dev/y"}}}}});
  EXPECT_EQ(added.status, 422);
  EXPECT_EQ(cause(added, "reason"), "FieldValueForbidden");
  const std::uint64_t before = sandbox.store().revision();
  const Reply freed = kube.patch(path, kMergePatch, {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_EQ(freed.status, 200);
  EXPECT_EQ(kube.get(path).status, 404);
  // That write was no revision of its own: the object went as it was.
  EXPECT_EQ(freed.body["metadata"]["resourceVersion"], marked.body["metadata"]["resourceVersion"]);
  const auto events = sandbox.store().events_after("secrets", before, 10);
  ASSERT_EQ(events->size(), 1U);
  EXPECT_EQ(events->front().type, EventType::Deleted);
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

const std::string kEvents = "/apis/events.k8s.io/v1/namespaces/default/events";
const Json kEvent = {{"metadata", {{"name", "e.1"}}},
                     {"regarding", {{"kind", "Secret"}, {"name", "s"}, {"namespace", "default"}}},
                     {"reason", "Rotated"},
                     {"note", "done"},
                     {"type", "Normal"},
                     {"action", "Rotate"},
                     {"eventTime", "2026-01-01T00:00:00.000000Z"},
                     {"reportingController", "keyturn.dev/controller"},
                     {"reportingInstance", "pod-1"}};

TEST_F(WritesTest, EventsAreOneThingInTwoVersions) {
  const Reply made = kube.post(kEvents, kEvent);
  ASSERT_EQ(made.status, 201);
  // What nobody set, and is written all the same.
  EXPECT_EQ(at(made.body, "deprecatedSource"), Json::object());
  EXPECT_TRUE(made.body.contains("deprecatedFirstTimestamp"));
  const Json core =
      kube.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Ds")
          .body["items"][0];
  EXPECT_EQ(core["message"], "done");
  EXPECT_EQ(core["involvedObject"]["name"], "s");
  EXPECT_TRUE(core.contains("firstTimestamp"));
}

TEST_F(WritesTest, OfAnEventOnlyTheSeriesChanges) {
  ASSERT_EQ(kube.post(kEvents, kEvent).status, 201);
  const std::string one = kEvents + "/e.1";
  Json series = {{"count", 1}, {"lastObservedTime", "2026-01-01T00:00:01.000000Z"}};
  EXPECT_EQ(kube.patch(one, kMergePatch, {{"series", series}}).status, 422);
  series["count"] = 2;
  const Reply grown = kube.patch(one, kMergePatch, {{"series", series}});
  EXPECT_EQ(grown.status, 200);
  EXPECT_EQ(grown.body["note"], "done");
  EXPECT_EQ(kube.patch(one, kMergePatch, {{"note", "undone"}}).status, 422);
}

TEST_F(WritesTest, NewEventsAreChecked) {
  const auto refusal = [&](const char* field, const Json& value) {
    Json event = kEvent;
    event[field] = value;
    const Reply reply = kube.post(kEvents, event);
    EXPECT_EQ(reply.status, 422) << field;
    return cause(reply, "field");
  };
  EXPECT_EQ(refusal("action", ""), "action");
  EXPECT_EQ(refusal("eventTime", nullptr), "eventTime");
  EXPECT_EQ(refusal("type", "Odd"), "type");
  EXPECT_EQ(refusal("note", std::string(1025, 'n')), "message");
  EXPECT_EQ(refusal("reportingController", ""), "reportingController");
  EXPECT_EQ(refusal("deprecatedCount", 3), "count");
  Json elsewhere = kEvent;
  elsewhere["regarding"]["namespace"] = "kube-system";
  EXPECT_EQ(kube.post(kEvents, elsewhere).status, 201);
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
