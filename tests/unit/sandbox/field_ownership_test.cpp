// Server-side apply: what was tried on a real API server (1.36) and must hold here.
#include <gtest/gtest.h>

#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class FieldOwnershipTest : public ::testing::Test {
 protected:
  // f:data of the manager's entry, or null.
  static Json data_of(const Json& object, const std::string& manager,
                      const std::string& operation) {
    for (const Json& entry : at(object, "metadata", "managedFields")) {
      if (entry["manager"] == manager && entry["operation"] == operation)
        return at(entry, "fieldsV1", "f:data");
    }
    return Json();
  }
  Json metadata() const { return kube.get(path, kMetadata).body; }

  const std::string path = std::string(kSecrets) + "/s";
  Sandbox sandbox;
  KubeClient kube{sandbox};
};

TEST_F(FieldOwnershipTest, ApplyToNothingCreatesAndIgnoresTheVersion) {
  Json config = secret("s", {{"A", "MQ=="}});
  config["metadata"]["resourceVersion"] = "12345";
  const Reply reply = kube.apply(path, "keyturn", config, true);
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.body["type"], "Opaque");
  EXPECT_EQ(data_of(reply.body, "keyturn", "Apply"), Json({{"f:A", Json::object()}}));
}

TEST_F(FieldOwnershipTest, ApplyThatChangesNothingKeepsTheVersion) {
  const Json config = secret("s", {{"A", "MQ=="}});
  const Reply first = kube.apply(path, "keyturn", config, true);
  const Reply second = kube.apply(path, "keyturn", config, true);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body["metadata"]["resourceVersion"], first.body["metadata"]["resourceVersion"]);
  EXPECT_EQ(second.body, first.body);
}

TEST_F(FieldOwnershipTest, ApplyWithAStaleVersionConflicts) {
  const Reply first = kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true);
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "Mg=="}}), true).status, 200);
  Json config = secret("s", {{"A", "Mw=="}});
  config["metadata"]["resourceVersion"] = first.body["metadata"]["resourceVersion"];
  const Reply stale = kube.apply(path, "keyturn", config, true);
  EXPECT_EQ(stale.status, 409);
  EXPECT_EQ(stale.body["reason"], "Conflict");
  EXPECT_EQ(kube.get(path).body["data"]["A"], "Mg==");
}

TEST_F(FieldOwnershipTest, MetadataAnswerEchoesNoData) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true).status, 201);
  const Json object = metadata();
  EXPECT_EQ(object["kind"], "PartialObjectMetadata");
  EXPECT_FALSE(object.contains("data"));
  EXPECT_EQ(data_of(object, "keyturn", "Apply"), Json({{"f:A", Json::object()}}));
}

TEST_F(FieldOwnershipTest, LabelOfAnotherLeavesOursAlone) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true).status, 201);
  ASSERT_EQ(kube.patch(path + "?fieldManager=person", kMergePatch,
                       {{"metadata", {{"labels", {{"x", "y"}}}}}})
                .status,
            200);
  EXPECT_EQ(data_of(metadata(), "keyturn", "Apply"), Json({{"f:A", Json::object()}}));
}

TEST_F(FieldOwnershipTest, PatchedValueMovesAndForcedApplyTakesItBack) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}, {"B", "MQ=="}}), true).status,
            201);
  ASSERT_EQ(
      kube.patch(path + "?fieldManager=person", kMergePatch, {{"data", {{"A", "Mg=="}}}}).status,
      200);
  Json object = metadata();
  EXPECT_EQ(data_of(object, "keyturn", "Apply"), Json({{"f:B", Json::object()}}));
  EXPECT_EQ(data_of(object, "person", "Update"), Json({{"f:A", Json::object()}}));

  const Reply refused = kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}, {"B", "MQ=="}}));
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.body["details"]["causes"][0]["reason"], "FieldManagerConflict");
  EXPECT_EQ(refused.body["details"]["causes"][0]["field"], ".data.A");

  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}, {"B", "MQ=="}}), true).status,
            200);
  object = metadata();
  EXPECT_EQ(data_of(object, "keyturn", "Apply"),
            Json({{"f:A", Json::object()}, {"f:B", Json::object()}}));
  EXPECT_TRUE(data_of(object, "person", "Update").is_null());
}

TEST_F(FieldOwnershipTest, ExtraKeyShowsUnderItsWriterAndStays) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true).status, 201);
  ASSERT_EQ(
      kube.patch(path + "?fieldManager=person", kMergePatch, {{"data", {{"X", "Mg=="}}}}).status,
      200);
  EXPECT_EQ(data_of(metadata(), "person", "Update"), Json({{"f:X", Json::object()}}));
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "Mw=="}}), true).status, 200);
  EXPECT_EQ(kube.get(path).body["data"], Json({{"A", "Mw=="}, {"X", "Mg=="}}));
}

TEST_F(FieldOwnershipTest, RemovedKeyVanishesFromOurs) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}, {"B", "MQ=="}}), true).status,
            201);
  ASSERT_EQ(
      kube.patch(path + "?fieldManager=person", kMergePatch, {{"data", {{"A", nullptr}}}}).status,
      200);
  EXPECT_EQ(data_of(metadata(), "keyturn", "Apply"), Json({{"f:B", Json::object()}}));
}

TEST_F(FieldOwnershipTest, OmittedOwnedFieldsAreRemovedUnlessShared) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}, {"B", "MQ=="}}), true).status,
            201);
  ASSERT_EQ(kube.apply(path, "other", secret("s", {{"B", "MQ=="}})).status,
            200);  // the same value: shared
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"C", "MQ=="}}), true).status, 200);
  EXPECT_EQ(kube.get(path).body["data"], Json({{"B", "MQ=="}, {"C", "MQ=="}}));
  Json nothing = secret("s", Json::object());
  nothing.erase("data");
  ASSERT_EQ(kube.apply(path, "keyturn", nothing, true).status, 200);
  EXPECT_EQ(kube.get(path).body["data"], Json({{"B", "MQ=="}}));
}

TEST_F(FieldOwnershipTest, ResetOwnershipComesBackWithTheNextApply) {
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true).status, 201);
  const Json reset = {{"metadata", {{"managedFields", Json::array({Json::object()})}}}};
  EXPECT_FALSE(kube.patch(path, kMergePatch, reset).body["metadata"].contains("managedFields"));
  const Json edited = kube.patch(path, kMergePatch, {{"data", {{"B", "MQ=="}}}}).body;
  EXPECT_FALSE(edited["metadata"].contains("managedFields"));
  const Json applied = kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}})).body;
  EXPECT_EQ(data_of(applied, "keyturn", "Apply"), Json({{"f:A", Json::object()}}));
  EXPECT_EQ(data_of(applied, "before-first-apply", "Update"),
            Json({{".", Json::object()}, {"f:A", Json::object()}, {"f:B", Json::object()}}));
}

TEST_F(FieldOwnershipTest, RestoreFromABackupBelongsToItsCreator) {
  const Json backup = kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true).body;
  ASSERT_EQ(kube.del(path).status, 200);
  Json restored = backup;
  restored["metadata"].erase("resourceVersion");
  restored["metadata"].erase("uid");
  ASSERT_EQ(kube.post(std::string(kSecrets) + "?fieldManager=velero", restored).status, 201);
  const Json object = metadata();
  EXPECT_TRUE(data_of(object, "keyturn", "Apply").is_null());
  EXPECT_EQ(data_of(object, "velero", "Update"),
            Json({{".", Json::object()}, {"f:A", Json::object()}}));
  EXPECT_NE(object["metadata"]["uid"], backup["metadata"]["uid"]);
}

TEST_F(FieldOwnershipTest, OwnerReferencesAreAListMapByUid) {
  const auto with_owner = [](const std::string& uid) {
    Json config = secret("s", {{"A", "MQ=="}});
    config["metadata"]["ownerReferences"] = {
        {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"name", "n"}, {"uid", uid}}};
    return config;
  };
  const std::string owner = kube.get("/api/v1/namespaces/default").body["metadata"]["uid"];
  ASSERT_EQ(kube.apply(path, "keyturn", with_owner(owner), true).status, 201);
  ASSERT_EQ(
      kube.apply(path, "other",
                 with_owner(kube.get("/api/v1/namespaces/kube-system").body["metadata"]["uid"]))
          .status,
      200);
  EXPECT_EQ(kube.get(path).body["metadata"]["ownerReferences"].size(), 2U);
  ASSERT_EQ(kube.apply(path, "keyturn", secret("s", {{"A", "MQ=="}}), true).status, 200);
  EXPECT_EQ(kube.get(path).body["metadata"]["ownerReferences"].size(), 1U);
}

TEST_F(FieldOwnershipTest, ApplyNeedsAManagerAndNoManagedFields) {
  EXPECT_EQ(kube.patch(path, kApply, secret("s", {{"A", "MQ=="}})).status, 422);
  Json config = secret("s", {{"A", "MQ=="}});
  config["metadata"]["managedFields"] = {{{"manager", "x"}}};
  EXPECT_EQ(kube.apply(path, "keyturn", config, true).status, 400);
}

}  // namespace
}  // namespace keyturn::sandbox::testing
