#include "controller/rotation/target_sync.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "tests/unit/kube/kube_testing.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;
using testing::Reply;

constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf";

// One Secret behind an API server that checks resourceVersions as the real one does: an apply that
// names another than the object's is refused with 409; "1" is ignored while there is no object.
class ApiServer {
 public:
  int revision = 0;  // 0: there is no object
  std::string version_id;
  std::vector<std::string> carried;  // by the applies, in order

  Reply answer(const http::Request& request) {
    if (request.method == "GET") return revision == 0 ? Reply::of(404, status(404)) : object();
    const json body = json::parse(request.body);
    const auto& metadata = body.at("metadata");
    carried.push_back(metadata.value("resourceVersion", std::string()));
    if (revision != 0 && carried.back() != std::to_string(revision))
      return Reply::of(409, status(409));
    stored_ = metadata;
    version_id = metadata["annotations"]["keyturn.dev/version-id"];
    revision = revision == 0 ? 7 : revision + 1;
    return object();
  }

 private:
  static std::string status(int code) {
    return json{{"kind", "Status"},
                {"status", "Failure"},
                {"reason", code == 404 ? "NotFound" : "Conflict"},
                {"message", "the object has been modified"},
                {"code", code}}
        .dump();
  }
  Reply object() const {
    json metadata = stored_;
    metadata["uid"] = "u";
    metadata["resourceVersion"] = std::to_string(revision);
    return Reply::of(200, json{{"kind", "PartialObjectMetadata"},
                               {"apiVersion", "meta.k8s.io/v1"},
                               {"metadata", metadata}}
                              .dump());
  }
  json stored_;
};

class TargetSyncTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.transport->on_request([this](const http::Request& r) { return server.answer(r); });
    policy.ns = "shop";
    policy.name = "orders";
  }
  bool write(const std::string& version) {
    RenderedData data;
    data.emplace_back("TOKEN", SecretString("value of " + version));
    return sync.write(policy, {.name = "t"}, kArn, version, data).ok();
  }

  kube::Bench bench;
  ApiServer server;
  Policy policy;
  // Never started: the watch shows nothing, so that what was written is what is remembered.
  TargetSync::SecretInformer informer{
      {.client = &bench.client, .type = kube::kSecrets}, {}, decode_managed_secret, nullptr};
  TargetSync sync{bench.client, informer,
                  [](const std::string&, const std::string&) { return true; }};
};

TEST_F(TargetSyncTest, EachApplyCarriesTheRevisionThatWasSeen) {
  ASSERT_TRUE(write("v1"));
  ASSERT_TRUE(write("v2"));
  EXPECT_EQ(server.carried, (std::vector<std::string>{"1", "7"}));
  EXPECT_EQ(server.version_id, "v2");
}

// The protocol's second line: who looked at an older world loses with 409, and looks.
TEST_F(TargetSyncTest, WhoLookedAtAnOlderWorldLosesAndLooksAgain) {
  ASSERT_TRUE(write("v1"));
  server.revision = 9;  // another leader wrote it since
  ASSERT_TRUE(write("v2"));
  EXPECT_EQ(server.carried, (std::vector<std::string>{"1", "7", "9"}));
  EXPECT_EQ(server.version_id, "v2");
}

// The watch may be faster than the reply.
TEST_F(TargetSyncTest, WhatTheWatchShowsOfAWriteUnderWayIsOurs) {
  std::vector<TargetSync::Observed> seen;
  bench.transport->on_request([&](const http::Request& r) {
    Reply reply = server.answer(r);
    ManagedSecret shown;
    shown.version_id = "v1";
    shown.intact = true;
    seen.push_back(sync.observed("shop/t", &shown));
    shown.intact = false;  // somebody has edited it since
    seen.push_back(sync.observed("shop/t", &shown));
    shown.intact = true;
    shown.version_id = "v0";
    seen.push_back(sync.observed("shop/t", &shown));
    seen.push_back(sync.observed("shop/t", nullptr));
    return reply;
  });
  ASSERT_TRUE(write("v1"));
  using Observed = TargetSync::Observed;
  EXPECT_EQ(seen, (std::vector<Observed>{Observed::Ours, Observed::NotWritten, Observed::NotWritten,
                                         Observed::NotWritten}));
  ManagedSecret later;
  later.version_id = "v1";
  later.intact = true;
  later.resource_version = "9";
  EXPECT_EQ(sync.observed("shop/t", &later), Observed::Overtaken);
}

TEST_F(TargetSyncTest, ASecretThatAppearedUnseenIsNotOverwritten) {
  ASSERT_TRUE(write("v1"));
  TargetSync unknowing{bench.client, informer,
                       [](const std::string&, const std::string&) { return true; }};
  RenderedData data;
  data.emplace_back("TOKEN", SecretString("x"));
  server.carried.clear();
  ASSERT_TRUE(unknowing.write(policy, {.name = "t"}, kArn, "v2", data).ok());
  EXPECT_EQ(server.carried, (std::vector<std::string>{"1", "7"}));  // refused, then looked at
}

}  // namespace
}  // namespace keyturn::rotation
