// CustomResourceDefinitions: serving, defaults, pruning, validation with CEL, status, Tables.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sandbox/cel.h"
#include "tests/unit/sandbox/clients.h"

namespace keyturn::sandbox::testing {
namespace {

constexpr const char* kCrd = R"yaml(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.dev}
spec:
  group: example.dev
  scope: Namespaced
  names: {kind: Thing, plural: things, shortNames: [th]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [id]
            x-kubernetes-validations:
            - {rule: "has(self.zone) == has(oldSelf.zone)", message: zone comes and goes not, fieldPath: .zone}
            - {rule: "!has(self.items) || self.items.all(i, i.name != self.id)", message: no item like the id}
            properties:
              id: {type: string, minLength: 2, pattern: '^[a-z]+$', x-kubernetes-validations: [{rule: self == oldSelf, message: is immutable}]}
              zone: {type: string}
              mode: {type: string, enum: [Slow, Fast], default: Slow}
              count: {type: integer, minimum: 1, maximum: 9}
              items:
                type: array
                maxItems: 2
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, on: {type: boolean, default: true}}}
          status:
            type: object
            properties:
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
)yaml";

class CustomResourceTest : public ::testing::Test {
 protected:
  void SetUp() override { sandbox.load(kCrd); }
  static Json thing(const Json& spec) {
    return {{"apiVersion", "example.dev/v1"},
            {"kind", "Thing"},
            {"metadata", {{"name", "t"}}},
            {"spec", spec}};
  }
  // The field of the first cause of a refusal, or "".
  std::string refusal(const Json& spec) const {
    const Reply reply = kube.post(all, thing(spec));
    return reply.status == 422 ? text_at(reply.body["details"]["causes"][0], "field") : "";
  }

  const std::string all = "/apis/example.dev/v1/namespaces/default/things";
  const std::string one = all + "/t";
  Sandbox sandbox;
  KubeClient kube{sandbox};
};

TEST_F(CustomResourceTest, DefaultsAndPruning) {
  const Json made =
      kube.post(all, thing({{"id", "ab"}, {"nope", 1}, {"items", {{{"name", "x"}}}}})).body;
  EXPECT_EQ(made["spec"],
            Json({{"id", "ab"}, {"mode", "Slow"}, {"items", {{{"name", "x"}, {"on", true}}}}}));
  EXPECT_EQ(made["metadata"]["generation"], 1);
  EXPECT_EQ(kube.post(all + "?fieldValidation=Strict", thing({{"id", "ab"}, {"nope", 1}})).status,
            400);
  Json next = thing({{"id", "ab"}, {"nope", 1}});
  EXPECT_EQ(kube.put(one, next).status, 422);  // at no version
  next["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"];
  const Reply warned = kube.put(one, next);
  EXPECT_NE(warned.header("Warning").find("unknown field"), std::string::npos);
}

TEST_F(CustomResourceTest, TheLastFieldOfMetadataThatIsReleasedTakesNoMoreAlong) {
  kube.post(all, thing({{"id", "ab"}}));
  Json config = {
      {"apiVersion", "example.dev/v1"}, {"kind", "Thing"}, {"metadata", {{"name", "t"}}}};
  config["metadata"]["finalizers"] = {"example.dev/f"};
  EXPECT_EQ(kube.apply(one, "kt", config).status, 200);
  config["metadata"].erase("finalizers");
  const Reply released = kube.apply(one, "kt", config);
  EXPECT_EQ(released.status, 200);
  EXPECT_FALSE(released.body["metadata"].contains("finalizers"));
}

TEST_F(CustomResourceTest, Validation) {
  EXPECT_EQ(refusal(Json::object()), "spec.id");
  EXPECT_EQ(refusal({{"id", "a"}}), "spec.id");
  EXPECT_EQ(refusal({{"id", "A1"}}), "spec.id");
  EXPECT_EQ(refusal({{"id", 5}}), "spec.id");
  EXPECT_EQ(refusal({{"id", "ab"}, {"mode", "Medium"}}), "spec.mode");
  EXPECT_EQ(refusal({{"id", "ab"}, {"count", 0}}), "spec.count");
  EXPECT_EQ(refusal({{"id", "ab"}, {"count", 10}}), "spec.count");
  EXPECT_EQ(refusal({{"id", "ab"}, {"items", {{{"name", "x"}}, {{"name", "y"}}, {{"name", "z"}}}}}),
            "spec.items");
  EXPECT_EQ(refusal({{"id", "ab"}, {"items", {{{"name", "x"}}, {{"name", "x"}}}}}),
            "spec.items[1]");
  EXPECT_EQ(refusal({{"id", "ab"}, {"items", {{{"name", "ab"}}}}}), "spec");
  EXPECT_EQ(kube.get(all).body["items"].size(), 0U);
}

TEST_F(CustomResourceTest, RulesWaitForTheRightShape) {
  const auto fields = [&](const Json& spec) {
    std::string out;
    const Json causes = kube.post(all, thing(spec)).body["details"]["causes"];
    for (const Json& cause : causes) out += text_at(cause, "field") + " ";
    return out;
  };
  const Json bad_rule = {{{"name", "a"}}};  // an item like the id
  EXPECT_EQ(fields({{"id", "a"}, {"items", bad_rule}}), "spec.id spec ");
  EXPECT_EQ(fields({{"id", "a"}, {"items", bad_rule}, {"mode", "Odd"}}),
            "spec.id spec.mode <nil> ");
}

TEST_F(CustomResourceTest, RulesAboutChanges) {
  ASSERT_EQ(kube.post(all, thing({{"id", "ab"}})).status, 201);
  EXPECT_EQ(kube.patch(one, kMergePatch, {{"spec", {{"id", "cd"}}}}).status, 422);
  const Reply zone = kube.patch(one, kMergePatch, {{"spec", {{"zone", "z"}}}});
  EXPECT_EQ(zone.status, 422);
  EXPECT_EQ(zone.body["details"]["causes"][0]["field"], "spec.zone");
  EXPECT_EQ(kube.patch(one, kMergePatch, {{"spec", {{"count", 2}}}}).status, 200);
}

TEST_F(CustomResourceTest, StatusIsItsOwnDoor) {
  Json object = thing({{"id", "ab"}});
  object["status"] = {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}};
  EXPECT_FALSE(kube.post(all, object).body.contains("status"));
  const Reply status = kube.apply(one + "/status", "keyturn", object, true);
  ASSERT_EQ(status.status, 200);
  EXPECT_EQ(status.body["status"]["conditions"][0]["status"], "True");
  EXPECT_EQ(status.body["metadata"]["generation"], 1);
  const Json& entry = status.body["metadata"]["managedFields"];
  EXPECT_EQ(std::count_if(entry.begin(), entry.end(),
                          [](const Json& e) { return text_at(e, "subresource") == "status"; }),
            1);
  // A status write leaves the spec alone, a spec write the status.
  EXPECT_EQ(kube.patch(one + "/status", kMergePatch, {{"spec", {{"count", 5}}}})
                .body["spec"]
                .contains("count"),
            false);
  const Json spec =
      kube.patch(one, kMergePatch,
                 {{"spec", {{"count", 5}}}, {"status", {{"conditions", Json::array()}}}})
          .body;
  EXPECT_EQ(spec["status"]["conditions"].size(), 1U);
  EXPECT_EQ(spec["metadata"]["generation"], 2);
  const Json table = kube.get(all, kTable).body;
  EXPECT_EQ(table["rows"][0]["cells"][1], "True");
  EXPECT_EQ(table["columnDefinitions"][1]["name"], "Ready");
}

TEST_F(CustomResourceTest, ConditionsAreOwnedOneByOne) {
  ASSERT_EQ(kube.post(all, thing({{"id", "ab"}})).status, 201);
  const auto with = [](const std::string& type) {
    return Json{{"apiVersion", "example.dev/v1"},
                {"kind", "Thing"},
                {"metadata", {{"name", "t"}}},
                {"status", {{"conditions", {{{"type", type}, {"status", "True"}}}}}}};
  };
  ASSERT_EQ(kube.apply(one + "/status", "a", with("A")).status, 200);
  ASSERT_EQ(kube.apply(one + "/status", "b", with("B")).status, 200);
  EXPECT_EQ(kube.get(one).body["status"]["conditions"].size(), 2U);
  ASSERT_EQ(kube.apply(one + "/status", "a", with("C")).status, 200);
  const Json conditions = kube.get(one).body["status"]["conditions"];
  EXPECT_EQ(conditions[0]["type"], "B");
  EXPECT_EQ(conditions[1]["type"], "C");
}

TEST_F(CustomResourceTest, DefinitionsComeAndGo) {
  ASSERT_EQ(kube.post(all, thing({{"id", "ab"}})).status, 201);
  const std::string crd =
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.dev";
  EXPECT_EQ(kube.get(crd).body["status"]["conditions"][1]["type"], "Established");
  EXPECT_EQ(kube.get("/apis/example.dev/v1").body["resources"][0]["name"], "things");
  ASSERT_EQ(kube.del(crd).status, 200);
  EXPECT_EQ(kube.get(all).status, 404);
  EXPECT_EQ(kube.get("/apis/example.dev/v1").status, 404);
  sandbox.load(kCrd);
  EXPECT_EQ(kube.get(all).body["items"].size(), 0U);
}

TEST(CelTest, SmallLanguage) {
  const Json self = {{"a", "arn:x"}, {"n", 3}, {"list", {1, 2}}, {"map", {{"k", "v"}}}};
  const auto holds = [&](const char* rule) {
    return cel::evaluate(*cel::parse(rule), {{"self", &self}});
  };
  EXPECT_EQ(holds("has(self.a) && !has(self.b)"), true);
  EXPECT_EQ(holds("self.a.startsWith('arn:') ? self.n > 2 : false"), true);
  EXPECT_EQ(holds("self.a == 'arn:' + 'x' && size(self.list) == 2"), true);
  EXPECT_EQ(holds("'k' in self.map && self.map['k'] == \"v\" && 2 in self.list"), true);
  EXPECT_EQ(holds("self.map.all(k, k.matches('^[a-z]$')) && self.list.exists(i, i == 2)"), true);
  EXPECT_EQ(holds("duration('1h') >= duration('60m') && self.n - 1 == 2"), true);
  EXPECT_EQ(holds("self.b == 1 || self.n == 3"), true);  // the other side decides
  EXPECT_THROW(holds("self.b == 1 || self.n == 4"), cel::EvalError);
  EXPECT_THROW(cel::parse("self.a.split(':')"), cel::Unsupported);
  EXPECT_THROW(cel::parse("self.a ==="), cel::Unsupported);
}

}  // namespace
}  // namespace keyturn::sandbox::testing
