#include "controller/kube/client.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "lib/base/text.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;
using testing::Reply;

std::string header(const http::Request& request, std::string_view name) {
  const std::string* value = http::find_header(request.headers, name);
  return value == nullptr ? "" : *value;
}

TEST(ResourceType, Paths) {
  EXPECT_EQ(kSecrets.path("shop", "x"), "/api/v1/namespaces/shop/secrets/x");
  EXPECT_EQ(kRotationPolicies.path("shop", "p", "status"),
            "/apis/keyturn.dev/v1alpha1/namespaces/shop/rotationpolicies/p/status");
  EXPECT_EQ(kSecrets.path(""), "/api/v1/secrets");
  EXPECT_EQ(kNamespaces.path("", "shop"), "/api/v1/namespaces/shop");
  EXPECT_EQ(kSecrets.path("shop", "a/../b"), "/api/v1/namespaces/shop/secrets/a%2F..%2Fb");
  EXPECT_EQ(kDeployments.api_version(), "apps/v1");
  EXPECT_EQ(object_key("", "node"), "node");
}

TEST(Client, GetSendsTokenAndParses) {
  Bench bench;
  bench.transport->push(Reply::of(200, object_json("x", "7")));
  auto got = bench.client.get(kSecrets, "shop", "x");
  ASSERT_TRUE(got) << got.error().describe();
  EXPECT_EQ((*got)["metadata"]["resourceVersion"], "7");
  const auto request = bench.request(0);
  EXPECT_EQ(request.url, "https://api.test:6443/api/v1/namespaces/shop/secrets/x");
  EXPECT_EQ(header(request, "Authorization"), "Bearer token-one");
  EXPECT_EQ(header(request, "Accept"), "application/json");
  EXPECT_EQ(request.timeout, Duration(15'000));
  EXPECT_TRUE(request.sensitive);
  EXPECT_NE(request.tls, nullptr);
}

TEST(Client, MetadataOnlyAsksForPartialObjects) {
  Bench bench;
  bench.transport->on_request(
      [](const http::Request&) { return Reply::of(200, list_json("1", "")); });
  ListOptions options;
  options.metadata_only = true;
  options.label_selector = "keyturn.dev/managed=true,a in (b)";
  options.field_selector = "metadata.name=x";
  options.limit = 500;
  options.resource_version = "0";
  ASSERT_TRUE(bench.client.list(kSecrets, "", options));
  const auto request = bench.request(0);
  EXPECT_EQ(header(request, "Accept"),
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  EXPECT_EQ(query_of(request, "labelSelector"), "keyturn.dev%2Fmanaged%3Dtrue%2Ca%20in%20%28b%29");
  EXPECT_EQ(query_of(request, "fieldSelector"), "metadata.name%3Dx");
  EXPECT_EQ(query_of(request, "limit"), "500");
  EXPECT_EQ(query_of(request, "resourceVersion"), "0");
  EXPECT_EQ(query_of(request, "continue"), "-");
}

TEST(Client, ApplyIsServerSideApplyWithJson) {
  Bench bench;
  bench.transport->push(Reply::of(200, object_json("x", "8")));
  const json object = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "x"}}}};
  ApplyOptions options;
  options.metadata_only_reply = true;
  ASSERT_TRUE(bench.client.apply(kSecrets, "shop", object, options));
  const auto request = bench.request(0);
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(header(request, "Content-Type"), "application/apply-patch+yaml");
  EXPECT_EQ(header(request, "Accept"),
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
  EXPECT_EQ(query_of(request, "fieldManager"), "keyturn");
  EXPECT_EQ(query_of(request, "force"), "true");
  EXPECT_EQ(json::parse(request.body), object);
}

TEST(Client, ApplyStatusSubresource) {
  Bench bench;
  bench.transport->push(Reply::of(200, object_json("p", "8")));
  ApplyOptions options;
  options.subresource = "status";
  options.force = false;
  ASSERT_TRUE(
      bench.client.apply(kRotationPolicies, "shop", {{"metadata", {{"name", "p"}}}}, options));
  EXPECT_EQ(path_of(bench.request(0)),
            "/apis/keyturn.dev/v1alpha1/namespaces/shop/rotationpolicies/p/status");
  EXPECT_EQ(query_of(bench.request(0), "force"), "false");
}

TEST(Client, ApplyNeedsAName) {
  Bench bench;
  EXPECT_EQ(bench.client.apply(kSecrets, "shop", json::object()).error().cls, ErrorClass::Invalid);
  EXPECT_EQ(bench.transport->request_count(), 0u);
}

TEST(Client, PatchesAndDeletes) {
  Bench bench;
  bench.transport->on_request([](const http::Request&) { return Reply::of(200, "{}"); });
  ASSERT_TRUE(bench.client.merge_patch(kRotationPolicies, "shop", "p", {{"a", 1}}));
  ASSERT_TRUE(bench.client.remove(kSecrets, "shop", "x", "uid-1", "77"));
  ASSERT_TRUE(bench.client.create(kServiceAccounts, "shop", json::object(), "token", "sa"));
  EXPECT_EQ(header(bench.request(0), "Content-Type"), "application/merge-patch+json");
  EXPECT_EQ(bench.request(1).method, "DELETE");
  const json body = json::parse(bench.request(1).body);
  EXPECT_EQ(body["preconditions"], (json{{"uid", "uid-1"}, {"resourceVersion", "77"}}));
  EXPECT_EQ(path_of(bench.request(2)), "/api/v1/namespaces/shop/serviceaccounts/sa/token");
  EXPECT_EQ(bench.request(2).method, "POST");
}

TEST(Client, NamesObjectAndServerInErrors) {
  Bench bench;
  bench.transport->push(Reply::of(
      422, status_json(422, "Invalid", "x is invalid",
                       R"({"causes":[{"field":"spec.secretId","message":"is required"}]})")));
  auto got = bench.client.get(kRotationPolicies, "shop", "p");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().cls, ErrorClass::Invalid);
  EXPECT_EQ(got.error().code, "Invalid");
  EXPECT_EQ(got.error().message,
            "get rotationpolicies shop/p at https://api.test:6443: x is invalid; spec.secretId: is "
            "required");
}

TEST(Client, TlsErrorSaysWhichCaWasUsed) {
  Bench bench;
  bench.transport->push(Reply::failed(
      make_error(ErrorClass::Transient, "Tls", "unable to get local issuer certificate")));
  const Error error = bench.client.get(kSecrets, "shop", "x").error();
  EXPECT_NE(error.message.find("certificate-authority of cluster \"c\" in FILE"), std::string::npos)
      << error.message;
}

TEST(Client, UnauthorizedRefreshesAndTriesOnce) {
  Bench bench;
  bench.transport->push(Reply::of(401, status_json(401, "Unauthorized", "Unauthorized")));
  bench.transport->push(Reply::of(200, object_json("x", "7")));
  ASSERT_TRUE(bench.client.get(kSecrets, "shop", "x"));
  EXPECT_EQ(header(bench.request(0), "Authorization"), "Bearer token-one");
  EXPECT_EQ(header(bench.request(1), "Authorization"), "Bearer token-two");
  EXPECT_EQ(bench.connection->refused(), 1);
}

TEST(Client, UnauthorizedTwiceIsDenied) {
  Bench bench;
  bench.transport->on_request([](const http::Request&) {
    return Reply::of(401, status_json(401, "Unauthorized", "Unauthorized"));
  });
  const Error error = bench.client.get(kSecrets, "shop", "x").error();
  EXPECT_EQ(error.cls, ErrorClass::Denied);
  EXPECT_NE(error.message.find("the token of user \"t\" in FILE; it is wrong, expired or revoked"),
            std::string::npos)
      << error.message;
  EXPECT_EQ(bench.transport->request_count(), 2u);
}

TEST(Client, UnauthorizedWithoutNewCredentialsIsNotRepeated) {
  Bench bench;
  bench.connection->keep_token();
  bench.transport->on_request([](const http::Request&) { return Reply::of(401, "nope"); });
  const Error error = bench.client.get(kSecrets, "shop", "x").error();
  EXPECT_EQ(error.code, "Unauthorized");
  EXPECT_EQ(bench.transport->request_count(), 1u);
}

TEST(Client, SensitiveErrorsNeverQuoteValues) {
  for (const std::string quoted : {"aHVudGVyMg==", "hunter2"}) {
    Bench bench;
    bench.transport->push(Reply::of(400, status_json(400, "BadRequest", "cannot take " + quoted)));
    const json object = {{"metadata", {{"name", "x"}}}, {"data", {{"KEY", "aHVudGVyMg=="}}}};
    bench.transport->push(Reply::of(400, status_json(400, "BadRequest", "cannot take " + quoted)));
    for (const Error& error : {bench.client.apply(kSecrets, "shop", object).error(),
                               bench.client.create(kSecrets, "shop", object).error()}) {
      EXPECT_EQ(error.message.find(quoted), std::string::npos) << error.message;
      EXPECT_NE(error.message.find("KEY"), std::string::npos) << error.message;
    }
  }
}

TEST(Client, RefusesTextThatIsNotUtf8) {
  Bench bench;
  const json object = {{"metadata", {{"name", "x"}}}, {"stringData", {{"k", "\xff"}}}};
  EXPECT_EQ(bench.client.apply(kSecrets, "shop", object).error().code, "NotUtf8");
}

TEST(Client, MalformedReplyIsTransient) {
  Bench bench;
  bench.transport->push(Reply::of(200, "<html>"));
  EXPECT_EQ(bench.client.get(kSecrets, "shop", "x").error().code, "MalformedReply");
}

TEST(Client, ListEachHandsOverObjectsAtAnyChunking) {
  const std::string text = list_json(
      "42", object_json("a", "1", R"(,"note":"]}{[\"\\")") + " ,\n" + object_json("b", "2"),
      "next");
  for (std::size_t size = 1; size <= text.size(); ++size) {
    Bench bench;
    std::vector<std::string> chunks;
    for (std::size_t at = 0; at < text.size(); at += size) chunks.push_back(text.substr(at, size));
    bench.transport->push(Reply::chunks(chunks));
    std::vector<std::string> names;
    auto page = bench.client.list_each(kSecrets, "", {}, {}, [&](const json& object) -> Status {
      names.push_back(object["metadata"]["name"]);
      return {};
    });
    ASSERT_TRUE(page) << size << page.error().describe();
    EXPECT_EQ(page->resource_version, "42");
    EXPECT_EQ(page->continue_token, "next");
    EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  }
}

TEST(Client, ListEachCutShortIsAnErrorAtEveryByte) {
  const std::string text = list_json("42", object_json("a", "1"));
  for (std::size_t size = 0; size < text.size(); ++size) {
    Bench bench;
    bench.transport->push(Reply::chunks({text.substr(0, size)}));
    auto page = bench.client.list_each(kSecrets, "", {}, {}, [](const json&) { return Status(); });
    ASSERT_FALSE(page) << size;
    EXPECT_EQ(page.error().cls, ErrorClass::Transient);
  }
}

TEST(Client, ListEachStopsAtTheFirstError) {
  Bench bench;
  bench.transport->push(
      Reply::of(200, list_json("1", object_json("a", "1") + "," + object_json("b", "2"))));
  int seen = 0;
  auto page = bench.client.list_each(kSecrets, "", {}, {}, [&](const json&) -> Status {
    ++seen;
    return invalid("Enough", "enough");
  });
  EXPECT_EQ(page.error().code, "Enough");
  EXPECT_EQ(seen, 1);
}

TEST(Client, WatchDeliversLinesAndUsesAClientDeadline) {
  Bench bench;
  bench.transport->push(Reply::chunks({"{\"a\":", "1}\n{\"b\":2}\n{\"cut"}));
  std::vector<std::string> lines;
  const Status ended =
      bench.client.watch(kSecrets, "shop", "watch=true", true, 300, {}, [&](auto line) {
        lines.emplace_back(line);
        return true;
      });
  EXPECT_TRUE(ended);
  EXPECT_EQ(lines, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"}));
  EXPECT_EQ(bench.request(0).timeout, Duration(305'000));
  EXPECT_EQ(bench.request(0).url,
            "https://api.test:6443/api/v1/namespaces/shop/secrets?watch=true");
}

class Counter : public RequestObserver {
 public:
  void on_request(std::string_view verb, std::string_view resource, int code, Duration) override {
    calls.push_back(std::string(verb) + " " + std::string(resource) + " " + std::to_string(code));
  }
  std::vector<std::string> calls;
};

TEST(Client, ObserverSeesEveryExchange) {
  Bench bench;
  Counter counter;
  Client client(bench.transport, bench.connection, bench.clock, &counter);
  bench.transport->push(Reply::of(404, ""));
  bench.transport->push(Reply::failed(unreachable()));
  bench.transport->push(Reply::of(200, "{}"));
  bench.transport->push(Reply::of(201, "{}"));
  EXPECT_EQ(client.get(kSecrets, "shop", "x").error().cls, ErrorClass::NotFound);
  EXPECT_FALSE(client.get(kSecrets, "shop", "x"));
  EXPECT_TRUE(client.create(kServiceAccounts, "s", json::object(), "token", "sa"));
  EXPECT_TRUE(client.apply(kSecrets, "shop", {{"metadata", {{"name", "x"}}}}, {}));
  EXPECT_EQ(counter.calls,
            (std::vector<std::string>{"get secrets 404", "get secrets 0",
                                      "create serviceaccounts/token 200", "patch secrets 201"}));
}

TEST(Client, WithTimeoutChangesOnlyTheCopy) {
  Bench bench;
  bench.transport->on_request([](const http::Request&) { return Reply::of(200, "{}"); });
  ASSERT_TRUE(bench.client.with_timeout(Duration(5000)).get(kLeases, "ns", "l"));
  ASSERT_TRUE(bench.client.get(kLeases, "ns", "l"));
  EXPECT_EQ(bench.request(0).timeout, Duration(5000));
  EXPECT_EQ(bench.request(1).timeout, Duration(15000));
}

TEST(CleanseJson, EmptiesEveryString) {
  json object = {{"data", {{"k", "secret"}}}, {"list", {"secret", 1}}};
  cleanse_json(object);
  EXPECT_EQ(object.dump().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace keyturn::kube
