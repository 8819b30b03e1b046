#include "controller/rotation/workload_refs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace keyturn::rotation {
namespace {

using nlohmann::json;

json pod(const char* text) { return json::parse(text); }

std::string said(const json& spec) {
  std::string text;
  for (const SecretUse& use : secret_uses(spec))
    text += use.secret + ":" + use.container + ":" + std::string(to_string(use.way)) + " ";
  return text;
}

TEST(SecretUses, EveryWayHasItsName) {
  EXPECT_EQ(said(pod(R"({"containers": [
      {"name": "a", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
      {"name": "b", "envFrom": [{"configMapRef": {"name": "s"}}, {"secretRef": {"name": "s"}}]}]})")),
            "s:a:env s:b:env ");
  EXPECT_EQ(said(pod(R"({"containers": [
      {"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
      {"name": "b", "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "k"}]},
      {"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$K"}]},
      {"name": "d", "volumeMounts": [{"name": "other", "mountPath": "/v"}]}],
      "volumes": [{"name": "v", "secret": {"secretName": "s"}}, {"name": "other", "emptyDir": {}}]})")),
            "s:a:volume s:b:subPath s:c:subPath ");
  EXPECT_EQ(said(pod(R"({"containers": [{"name": "a", "volumeMounts": [{"name": "v"}]}],
      "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}},
        {"secret": {"name": "s"}}, {"secret": {"name": "t"}}]}}]})")),
            "s:a:volume t:a:volume ");
  EXPECT_EQ(said(pod(R"({"imagePullSecrets": [{"name": "s"}]})")), "s::image pull ");
}

TEST(SecretUses, KnowInitAndEphemeralContainers) {
  const auto uses = secret_uses(pod(R"({
      "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "s"}}]}],
      "ephemeralContainers": [{"name": "e", "envFrom": [{"secretRef": {"name": "s"}}]}]})"));
  ASSERT_EQ(uses.size(), 2U);
  EXPECT_EQ(uses[0], (SecretUse{"s", "i", ContainerKind::Init, SecretWay::Env}));
  EXPECT_EQ(uses[1], (SecretUse{"s", "e", ContainerKind::Ephemeral, SecretWay::Env}));
}

TEST(SecretUses, VolumeDriversAreHandedSecrets) {
  for (const char* volume :
       {R"({"csi": {"nodePublishSecretRef": {"name": "s"}}})",
        R"({"flexVolume": {"secretRef": {"name": "s"}}})", R"({"azureFile": {"secretName": "s"}})",
        R"({"cephfs": {"secretRef": {"name": "s"}}})", R"({"rbd": {"secretRef": {"name": "s"}}})",
        R"({"iscsi": {"secretRef": {"name": "s"}}})",
        R"({"scaleIO": {"secretRef": {"name": "s"}}})",
        R"({"storageos": {"secretRef": {"name": "s"}}})"}) {
    EXPECT_EQ(said({{"volumes", {json::parse(volume)}}}), "s::volume driver ") << volume;
  }
}

TEST(SecretUses, OneUseIsNamedOnce) {
  EXPECT_EQ(said(pod(R"({"containers": [{"name": "a",
      "env": [{"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
              {"valueFrom": {"secretKeyRef": {"name": "s", "key": "l"}}}],
      "envFrom": [{"secretRef": {"name": "s"}}]}]})")),
            "s:a:env ");
}

TEST(SecretUses, OddShapesReadAsNothing) {
  for (const char* text :
       {"null", "[]", "7", R"({"containers": 7})", R"({"containers": [7, null]})",
        R"({"containers": [{"env": [{"valueFrom": 3}], "envFrom": {}}]})",
        R"({"volumes": [{"secret": []}], "imagePullSecrets": [{"name": 3}]})"}) {
    EXPECT_EQ(said(pod(text)), "") << text;
  }
}

// The kubelet starts no pod without its volumes, mounted or not; but no process reads this one.
TEST(RefersTo, AnUnmountedVolumeIsAReferenceAndNoUse) {
  const json spec = pod(R"({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]})");
  EXPECT_EQ(said(spec), "");
  EXPECT_TRUE(refers_to(spec, "s"));
  EXPECT_FALSE(refers_to(spec, "t"));
  EXPECT_TRUE(refers_to(pod(R"({"imagePullSecrets": [{"name": "s"}]})"), "s"));
}

TEST(RestartAnnotation, IsTheContracts) {
  // printf orders-influx | sha256sum
  EXPECT_EQ(restart_annotation("orders-influx").size(),
            std::string("keyturn.dev/secret-").size() + 8);
  EXPECT_EQ(restart_annotation("abc"), "keyturn.dev/secret-ba7816bf");  // FIPS 180-2's example
}

}  // namespace
}  // namespace keyturn::rotation
