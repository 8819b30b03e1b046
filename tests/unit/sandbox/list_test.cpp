// Lists: pages, versions, selectors, forms.
#include <gtest/gtest.h>

#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class ListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      Json object = secret(name, {{"A", "MQ=="}});
      object["metadata"]["labels"] = {{"n", name}};
      ASSERT_EQ(kube.post(kSecrets, object).status, 201);
    }
  }
  Reply list(const std::string& query, const std::string& accept = "application/json") const {
    return kube.get(std::string(kSecrets) + "?" + query, accept);
  }
  static std::string names(const Reply& reply) {
    std::string out;
    for (const Json& item : at(reply.body, "items")) out += text_at(item, "metadata", "name");
    return out;
  }
  static std::string token(const Reply& reply) {
    return text_at(reply.body, "metadata", "continue");
  }

  Sandbox sandbox;
  KubeClient kube{sandbox};
};

TEST_F(ListTest, PagesShowOneMoment) {
  const Reply first = list("limit=2");
  EXPECT_EQ(names(first), "ab");
  EXPECT_EQ(first.body["metadata"]["remainingItemCount"], 3);
  // What changes meanwhile is not seen: a deletion, an addition, an edit.
  ASSERT_EQ(kube.del(std::string(kSecrets) + "/c").status, 200);
  ASSERT_EQ(kube.post(kSecrets, secret("cc", Json::object())).status, 201);
  ASSERT_EQ(
      kube.patch(std::string(kSecrets) + "/d", kMergePatch, {{"data", {{"A", "Mg=="}}}}).status,
      200);
  const Reply second = list("limit=2&continue=" + token(first));
  EXPECT_EQ(names(second), "cd");
  EXPECT_EQ(second.body["items"][1]["data"]["A"], "MQ==");
  EXPECT_EQ(second.body["metadata"]["resourceVersion"], first.body["metadata"]["resourceVersion"]);
  const Reply third = list("limit=2&continue=" + token(second));
  EXPECT_EQ(names(third), "e");
  EXPECT_EQ(token(third), "");
}

TEST_F(ListTest, TokensExpire) {
  const std::string page = token(list("limit=2"));
  sandbox.store().compact();
  ASSERT_EQ(kube.post(kSecrets, secret("x", Json::object())).status, 201);
  sandbox.store().compact();
  const Reply compacted = list("limit=2&continue=" + page);
  EXPECT_EQ(compacted.status, 410);
  EXPECT_EQ(compacted.body["reason"], "Expired");
  const std::string other = token(list("limit=2"));
  sandbox.kube_api().expire_continue_tokens();
  EXPECT_EQ(list("limit=2&continue=" + other).status, 410);
  EXPECT_EQ(list("limit=2&continue=nonsense").status, 400);
}

TEST_F(ListTest, VersionsMeanWhatTheySay) {
  const std::string then = std::to_string(sandbox.store().revision());
  ASSERT_EQ(kube.del(std::string(kSecrets) + "/a").status, 200);
  EXPECT_EQ(names(list("resourceVersion=" + then + "&resourceVersionMatch=Exact")), "abcde");
  EXPECT_EQ(names(list("resourceVersion=" + then + "&resourceVersionMatch=NotOlderThan")), "bcde");
  EXPECT_EQ(names(list("resourceVersion=" + then)), "bcde");
  EXPECT_EQ(names(list("resourceVersion=0&limit=2")), "bcde");  // from the watch cache: no pages
  EXPECT_EQ(list("resourceVersion=0&resourceVersionMatch=Exact").status, 422);
  EXPECT_EQ(list("resourceVersionMatch=Exact").status, 422);
  const Reply future = list("resourceVersion=999999");
  EXPECT_EQ(future.status, 504);
  EXPECT_EQ(future.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

TEST_F(ListTest, SelectsByLabelsAndFields) {
  EXPECT_EQ(names(list("labelSelector=n%20in%20(a,c)")), "ac");
  EXPECT_EQ(names(list("labelSelector=n,n!%3Da")), "bcde");
  EXPECT_EQ(names(list("labelSelector=!n")), "");
  EXPECT_EQ(names(list("fieldSelector=metadata.name%3Dd")), "d");
  EXPECT_EQ(list("fieldSelector=spec.nope%3Dd").status, 400);
  for (const char* bad : {"a%20b", "n%3Da%20b", "-n", "n%20in%20(a%20b)"}) {
    EXPECT_EQ(list(std::string("labelSelector=") + bad).status, 400) << bad;
  }
  // A page is filled with what matches, however far that is.
  const Reply page = list("labelSelector=n%20in%20(a,e)&limit=1");
  EXPECT_EQ(names(page), "a");
  EXPECT_FALSE(page.body["metadata"].contains("remainingItemCount"));
  EXPECT_EQ(names(list("labelSelector=n%20in%20(a,e)&limit=1&continue=" + token(page))), "e");
}

TEST_F(ListTest, ItemsOfBuiltInKindsDoNotRepeatTheKind) {
  const Json all = list("").body;
  EXPECT_EQ(all["kind"], "SecretList");
  EXPECT_FALSE(all["items"][0].contains("kind"));
  EXPECT_FALSE(all["items"][0].contains("apiVersion"));
  EXPECT_EQ(all["items"][0]["data"]["A"], "MQ==");
  EXPECT_EQ(kube.get(std::string(kSecrets) + "/a").body["kind"], "Secret");
}

TEST_F(ListTest, OtherForms) {
  const Reply metadata =
      list("", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  EXPECT_EQ(metadata.body["kind"], "PartialObjectMetadataList");
  EXPECT_FALSE(metadata.body["items"][0].contains("data"));
  const Reply table = list("", kTable);
  EXPECT_EQ(table.body["columnDefinitions"][1]["name"], "Type");
  EXPECT_EQ(table.body["rows"][0]["cells"][0], "a");
  EXPECT_EQ(list("", "application/cbor").status, 406);
}

TEST_F(ListTest, AllNamespacesAndOnesWithTheSamePrefix) {
  ASSERT_EQ(kube.post("/api/v1/namespaces", {{"metadata", {{"name", "default-2"}}}}).status, 201);
  ASSERT_EQ(kube.post("/api/v1/namespaces/default-2/secrets", secret("z", Json::object())).status,
            201);
  EXPECT_EQ(names(list("")), "abcde");
  EXPECT_EQ(names(kube.get("/api/v1/secrets")), "zabcde");  // '-' sorts before '/', as in etcd
}

}  // namespace
}  // namespace keyturn::sandbox::testing
