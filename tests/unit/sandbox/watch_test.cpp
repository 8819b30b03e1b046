// Watches: where they start, what they show, how they end.
#include <gtest/gtest.h>

#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

class WatchTest : public ::testing::Test {
 protected:
  std::string revision() const { return std::to_string(sandbox.store().revision()); }
  std::string from(const std::string& version, const std::string& more = "") const {
    return std::string(kSecrets) + "?watch=true&resourceVersion=" + version + more;
  }
  void create(const std::string& name, const Json& labels = Json::object()) {
    Json object = secret(name, {{"A", "MQ=="}});
    object["metadata"]["labels"] = labels;
    ASSERT_EQ(kube.post(kSecrets, object).status, 201);
  }
  static std::vector<std::string> story(const std::vector<Json>& events) {
    std::vector<std::string> out;
    for (const Json& event : events) {
      out.push_back(event["type"].get<std::string>() + " " +
                    text_at(event, "object", "metadata", "name"));
    }
    return out;
  }
  using Story = std::vector<std::string>;

  mutable Sandbox sandbox;
  KubeClient kube{sandbox};
};

TEST_F(WatchTest, TellsWhatHappenedSinceAVersion) {
  create("a");
  const std::string start = revision();
  create("b");
  ASSERT_EQ(
      kube.patch(std::string(kSecrets) + "/a", kMergePatch, {{"data", {{"A", "Mg=="}}}}).status,
      200);
  ASSERT_EQ(kube.del(std::string(kSecrets) + "/b").status, 200);
  const std::vector<Json> events = kube.watch(from(start), 3);
  EXPECT_EQ(story(events), (Story{"ADDED b", "MODIFIED a", "DELETED b"}));
  // A deletion carries its own version, later than the object's last one.
  EXPECT_EQ(events[2]["object"]["metadata"]["resourceVersion"], revision());
}

TEST_F(WatchTest, StartsWithTheStateWithoutAVersion) {
  create("a");
  create("b");
  EXPECT_EQ(story(kube.watch(from(""), 2)), (Story{"ADDED a", "ADDED b"}));
  EXPECT_EQ(story(kube.watch(from("0"), 2)), (Story{"ADDED a", "ADDED b"}));
}

TEST_F(WatchTest, SendsInitialEventsAndTheirEnd) {
  create("a");
  const std::vector<Json> events = kube.watch(
      from("",
           "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"),
      2);
  EXPECT_EQ(story(events), (Story{"ADDED a", "BOOKMARK "}));
  EXPECT_EQ(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  EXPECT_EQ(events[1]["object"]["metadata"]["resourceVersion"], revision());
}

TEST_F(WatchTest, InitialEventsNeedTheirMatchRule) {
  EXPECT_EQ(kube.get(from("", "&sendInitialEvents=true")).status, 422);
  EXPECT_EQ(
      kube.get(from("999999", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")).status,
      504);
}

TEST_F(WatchTest, SelectorsMakeObjectsComeAndGo) {
  const std::string start = revision();
  create("a");
  const std::string path = std::string(kSecrets) + "/a";
  ASSERT_EQ(kube.patch(path, kMergePatch, {{"metadata", {{"labels", {{"m", "t"}}}}}}).status, 200);
  ASSERT_EQ(kube.patch(path, kMergePatch, {{"data", {{"A", "Mg=="}}}}).status, 200);
  ASSERT_EQ(kube.patch(path, kMergePatch, {{"metadata", {{"labels", {{"m", nullptr}}}}}}).status,
            200);
  ASSERT_EQ(kube.del(path).status, 200);
  create("z", {{"m", "t"}});
  const std::vector<Json> events = kube.watch(from(start, "&labelSelector=m%3Dt"), 4);
  EXPECT_EQ(story(events), (Story{"ADDED a", "MODIFIED a", "DELETED a", "ADDED z"}));
  // It left with the labels it had, at the version that took them.
  EXPECT_EQ(events[2]["object"]["metadata"]["labels"]["m"], "t");
}

TEST_F(WatchTest, MetadataOnly) {
  create("a");
  const std::vector<Json> events = kube.watch(from("0"), 1, kMetadata);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["object"]["kind"], "PartialObjectMetadata");
  EXPECT_FALSE(events[0]["object"].contains("data"));
}

TEST_F(WatchTest, AVersionThatWasCompactedIsGone) {
  create("a");
  const std::string start = revision();
  create("b");
  sandbox.store().compact();
  const std::vector<Json> events = kube.watch(from(start), 1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["type"], "ERROR");
  EXPECT_EQ(events[0]["object"]["code"], 410);
  EXPECT_EQ(events[0]["object"]["reason"], "Expired");
}

TEST_F(WatchTest, BookmarksFollowOtherResources) {
  sandbox.kube_api().set_bookmark_interval(Duration(1));
  create("a");
  const std::string start = revision();
  ASSERT_EQ(kube.post("/api/v1/namespaces", {{"metadata", {{"name", "other"}}}}).status, 201);
  sandbox.controllers().settle();
  const std::vector<Json> events = kube.watch(from(start, "&allowWatchBookmarks=true"), 1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["type"], "BOOKMARK");
  EXPECT_EQ(events[0]["object"]["metadata"]["resourceVersion"], revision());
}

TEST_F(WatchTest, EndsByItselfWithABookmark) {
  const std::vector<Json> events =
      kube.watch(from(revision(), "&allowWatchBookmarks=true&timeoutSeconds=1"), 9);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["type"], "BOOKMARK");
}

TEST_F(WatchTest, HistoryIsBounded) {
  SandboxOptions options;
  options.history = 2;
  Sandbox small(options);
  const KubeClient client(small);
  ASSERT_EQ(client.post(kSecrets, secret("a", Json::object())).status, 201);
  const std::string start = std::to_string(small.store().revision());
  for (const char* name : {"b", "c", "d"})
    ASSERT_EQ(client.post(kSecrets, secret(name, Json::object())).status, 201);
  EXPECT_EQ(client.watch(from(start), 1).front()["type"], "ERROR");
}

}  // namespace
}  // namespace keyturn::sandbox::testing
