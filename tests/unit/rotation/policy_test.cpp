#include "controller/rotation/policy.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "controller/rotation/validate_names.h"
#include "controller/rotation/validate_rules.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/unit/rotation/yaml_json.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

json object_with(const json& spec) {
  return {{"apiVersion", "keyturn.dev/v1alpha1"},
          {"kind", "RotationPolicy"},
          {"metadata", {{"name", "orders"}, {"namespace", "shop"}}},
          {"spec", spec}};
}

const json& cases() {
  static const json all = load_yaml("tests/unit/rotation/testdata/policies.yaml");
  return all;
}

TEST(PolicyCases, GoodOnesAreAccepted) {
  for (const json& item : cases().at("good")) {
    const auto policy = parse_policy(object_with(item.at("spec")));
    ASSERT_TRUE(policy.ok()) << item.at("name");
    EXPECT_FALSE(policy->invalid) << item.at("name") << ": " << policy->invalid->message;
  }
}

TEST(PolicyCases, BadOnesAreRefusedInThoseWords) {
  for (const json& item : cases().at("bad")) {
    const auto policy = parse_policy(object_with(item.at("spec")));
    ASSERT_TRUE(policy.ok()) << item.at("name");
    ASSERT_TRUE(policy->invalid) << item.at("name") << " was accepted";
    EXPECT_EQ(policy->invalid->cls, ErrorClass::Invalid);
    EXPECT_EQ(policy->invalid->code, "InvalidSpec");
    const auto problems = policy_problems(object_with(item.at("spec")));
    EXPECT_EQ(problems.size(), item.at("expect").size())
        << item.at("name") << ": " << join(problems, " | ");
    for (const json& expected : item.at("expect")) {
      EXPECT_NE(policy->invalid->message.find(expected.get<std::string>()), std::string::npos)
          << item.at("name") << " says: " << policy->invalid->message;
    }
  }
}

TEST(PolicyCases, EveryProblemIsSaidAtOnceButNotWithoutEnd) {
  json spec = {{"secretId", "a b"}, {"suspend", 1}, {"strategy", {{"x", json::object()}}}};
  EXPECT_EQ(policy_problems(object_with(spec)).size(), 3U);
  for (int i = 0; i < 1000; ++i) spec["field" + std::to_string(i)] = i;
  const auto problems = policy_problems(object_with(spec));
  ASSERT_EQ(problems.size(), Problems::kMost + 1);
  EXPECT_EQ(problems.back(), "and 963 more problems");
}

TEST(PolicyCases, ExamplesAreGood) {
  int policies = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("examples"))) {
    if (entry.path().filename() == "helm-values.yaml") continue;
    for (const YAML::Node& document : YAML::LoadAllFromFile(entry.path().string())) {
      const json object = yaml_to_json(document);
      if (object.at("kind") != "RotationPolicy") continue;
      EXPECT_EQ(join(policy_problems(object), "; "), "") << entry.path();
      ++policies;
    }
  }
  EXPECT_GE(policies, 5);
}

TEST(Policy, ReadsEveryField) {
  const auto parsed = parse_policy(object_with(cases().at("good").at(1).at("spec")));
  ASSERT_TRUE(parsed.ok());
  const PolicySpec& spec = parsed->spec;
  EXPECT_EQ(spec.secret_id,
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/orders-AbCdEf");
  EXPECT_EQ(spec.region, "eu-west-1");
  EXPECT_EQ(spec.identity().service_account_name, "orders");
  EXPECT_EQ(spec.identity().role_arn, "arn:aws:iam::123456789012:role/team/rotator");
  EXPECT_EQ(spec.identity().external_id, "keyturn:1");
  EXPECT_FALSE(spec.identity().is_operator());
  EXPECT_EQ(spec.strategy, (StrategySpec{"generic", "{}"}));
  ASSERT_TRUE(spec.schedule);
  EXPECT_EQ(spec.schedule->expression, "rate(30 days)");
  EXPECT_EQ(spec.schedule->window, std::chrono::minutes(150));
  EXPECT_TRUE(spec.suspend);
  EXPECT_EQ(spec.refresh_interval, std::chrono::seconds(90));
  ASSERT_EQ(spec.targets.size(), 2U);
  const TargetSpec& target = spec.targets[0];
  EXPECT_EQ(target.name, "orders");
  EXPECT_EQ(target.type, "kubernetes.io/basic-auth");
  EXPECT_TRUE(target.has_data);
  ASSERT_EQ(target.data.size(), 3U);
  EXPECT_EQ(target.data[0],
            (std::pair<std::string, std::string>("OLD", "{{ previous.password }}")));
  EXPECT_EQ(target.labels.at("example.com/tier"), "1");
  EXPECT_EQ(target.annotations.at("example.com/note"), "Größe, 1 ≤ 2");
  EXPECT_EQ(target.deletion_policy, DeletionPolicy::Delete);
  EXPECT_TRUE(target.adopt);
  EXPECT_FALSE(spec.targets[1].has_data);
  EXPECT_EQ(spec.targets[1].type, "Opaque");
  EXPECT_EQ(spec.rollout.restart, Restart::Listed);
  EXPECT_EQ(spec.rollout.workloads,
            (std::vector<WorkloadRef>{{"Deployment", "orders"}, {"StatefulSet", "orders"}}));
  EXPECT_EQ(spec.rollout.timeout, std::chrono::minutes(20));
  EXPECT_TRUE(spec.rollout.reloads_volumes);
  EXPECT_EQ(spec.rollout.on_failure, OnFailure::Rollback);
  EXPECT_EQ(spec.retirement.after, RetireAfter::Sync);
  EXPECT_EQ(spec.retirement.grace_period, std::chrono::minutes(90));
}

TEST(Policy, AnArnSaysItsRegion) {
  const json spec = {{"secretId", "arn:aws:secretsmanager:eu-west-1:1:secret:x"},
                     {"strategy", {{"syncOnly", json::object()}}}};
  EXPECT_EQ(parse_policy(object_with(spec))->spec.region, "eu-west-1");
}

TEST(Policy, NullTakesADefaultAsInTheServer) {
  const json spec = {{"secretId", "a"},
                     {"strategy", {{"syncOnly", json::object()}}},
                     {"suspend", nullptr},
                     {"refreshInterval", nullptr}};
  const auto policy = parse_policy(object_with(spec));
  EXPECT_FALSE(policy->invalid) << policy->invalid->message;
  EXPECT_EQ(policy->spec.refresh_interval, std::chrono::hours(1));
}

TEST(Policy, ReadsItsMetadata) {
  json object = object_with(cases().at("good").at(0).at("spec"));
  object["metadata"].update({{"uid", "u-1"},
                             {"resourceVersion", "77"},
                             {"generation", 3},
                             {"creationTimestamp", "2026-11-22T06:14:46Z"},
                             {"deletionTimestamp", "2026-11-23T06:14:46Z"},
                             {"finalizers", {"example.com/other", kFinalizer}},
                             {"annotations",
                              {{kRotateRequested, "2026-11-22T07:00:00Z"},
                               {kSyncRequested, "2026-11-22T08:00:00Z"},
                               {kRollbackRequested, "2026-11-22T09:00:00Z"},
                               {kRevokeRequested, "2026-11-22T10:00:00Z"}}}});
  const auto policy = parse_policy(object);
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->key(), "shop/orders");
  EXPECT_EQ(policy->uid, "u-1");
  EXPECT_EQ(policy->resource_version, "77");
  EXPECT_EQ(policy->generation, 3);
  EXPECT_EQ(format_rfc3339(policy->created), "2026-11-22T06:14:46Z");
  EXPECT_TRUE(policy->deleted);
  EXPECT_TRUE(policy->has_finalizer);
  EXPECT_EQ(policy->foreign_finalizers, std::vector<std::string>{"example.com/other"});
  EXPECT_EQ(policy->rotate_requested_at, "2026-11-22T07:00:00Z");
  EXPECT_EQ(policy->sync_requested_at, "2026-11-22T08:00:00Z");
  EXPECT_EQ(policy->rollback_requested_at, "2026-11-22T09:00:00Z");
  EXPECT_EQ(policy->revoke_requested_at, "2026-11-22T10:00:00Z");
}

TEST(Policy, OtherObjectsAreNoPolicies) {
  const json good = object_with(cases().at("good").at(0).at("spec"));
  json other = good;
  other["kind"] = "ExternalSecret";
  EXPECT_EQ(parse_policy(other).error().code, "NotARotationPolicy");
  other = good;
  other["apiVersion"] = "keyturn.dev/v2";
  EXPECT_EQ(parse_policy(other).error().code, "NotARotationPolicy");
  other = good;
  other["metadata"].erase("name");
  EXPECT_FALSE(parse_policy(other).ok());
  EXPECT_FALSE(parse_policy(json::array()).ok());
  EXPECT_FALSE(parse_policy(nullptr).ok());
  EXPECT_EQ(policy_problems(other).size(), 1U);
}

TEST(Policy, MisspeltTopLevelFieldIsNotTakenForAnEmptySpec) {
  json object = object_with(cases().at("good").at(0).at("spec"));
  object["sepc"] = object["spec"];
  object.erase("spec");
  const auto problems = policy_problems(object);
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0], "sepc: unknown field; did you mean spec?");
  EXPECT_EQ(problems[1], "spec: is required");
}

PolicyStatus full_status() {
  const auto at = [](const char* text) { return *parse_rfc3339(text); };
  PolicyStatus status;
  status.observed_generation = 3;
  status.conditions = {
      {"Ready", "True", "UpToDate", "", at("2026-11-22T06:00:00Z"), 3},
      {"Synced", "False", "AccessDenied", "no rule", at("2026-11-22T06:00:01Z"), 2},
  };
  status.strategy = "generic";
  status.secret_arn = "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf";
  status.current_version_id = "v1";
  status.current_version_created = at("2026-11-22T05:00:00Z");
  status.last_rotation = at("2026-11-22T05:00:02Z");
  status.next_rotation = at("2026-12-22T05:00:00Z");
  status.rotation = RotationStatus{"v2",    "generic",          "testSecret",
                                   "waits", R"({"fields":[]})", at("2026-11-22T06:00:02Z")};
  status.retiring =
      RetiringStatus{"v0", "Pod/x", at("2026-11-22T06:00:03Z"), at("2026-11-22T08:00:03Z")};
  status.history = {
      {"v1", "Succeeded", "schedule", at("2026-11-22T05:00:00Z"), at("2026-11-22T05:00:02Z")},
      {"v0", "GivenUp", "request", at("2026-11-21T05:00:00Z"), std::nullopt}};
  status.targets = {{"orders", "v1", "v1", at("2026-11-22T05:00:03Z")},
                    {"copy", "", "", std::nullopt}};
  status.last_handled_rotate_request = "2026-11-22T07:00:00Z";
  status.last_handled_sync_request = "2026-11-22T08:00:00Z";
  status.last_handled_rollback_request = "2026-11-22T09:00:00Z";
  status.last_handled_revoke_request = "2026-11-22T10:00:00Z";
  return status;
}

TEST(PolicyStatus, GoesRoundUnchanged) {
  json object = object_with(cases().at("good").at(0).at("spec"));
  object["status"] = status_json(full_status());
  EXPECT_EQ(parse_policy(object)->status, full_status());
  object["status"] = status_json(PolicyStatus{});
  EXPECT_EQ(object["status"], json::object());
  EXPECT_EQ(parse_policy(object)->status, PolicyStatus{});
}

// What the server would refuse or drop of a status would be lost between two passes.
void expect_in_schema(const json& value, const json& schema, const std::string& path) {
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      ASSERT_TRUE(schema.at("properties").contains(name)) << path << "." << name;
      expect_in_schema(member, schema.at("properties").at(name), path + "." + name);
    }
    for (const auto& [name, unused] : schema.at("properties").items()) {
      EXPECT_TRUE(value.contains(name))
          << path << "." << name << " is in the schema and never written";
    }
  } else if (value.is_array()) {
    ASSERT_EQ(schema.at("type"), "array") << path;
    expect_in_schema(value.at(0), schema.at("items"), path + "[]");
  } else {
    EXPECT_EQ(schema.at("type"), value.is_string() ? "string" : "integer") << path;
  }
}

TEST(PolicyStatus, IsTheSchemas) {
  const json crd = load_yaml("crds/rotationpolicies.keyturn.dev.yaml");
  const json& schema = crd.at("spec").at("versions").at(0).at("schema").at("openAPIV3Schema");
  expect_in_schema(status_json(full_status()), schema.at("properties").at("status"), "status");
}

TEST(PolicyStatus, RubbishReadsAsNothing) {
  json object = object_with(cases().at("good").at(0).at("spec"));
  object["status"] =
      json::parse(R"({"observedGeneration":"x","conditions":[1,{"type":2}],"rotation":[],
      "history":{},"targets":[null],"nextRotationTime":"soon","secretArn":7})");
  const auto policy = parse_policy(object);
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->status.observed_generation, 0);
  EXPECT_EQ(policy->status.conditions.size(), 1U);
  EXPECT_FALSE(policy->status.rotation);
  EXPECT_TRUE(policy->status.history.empty());
  EXPECT_FALSE(policy->status.next_rotation);
}

TEST(PolicyStatus, FindsConditions) {
  const PolicyStatus status = full_status();
  ASSERT_NE(status.condition("Synced"), nullptr);
  EXPECT_EQ(status.condition("Synced")->reason, "AccessDenied");
  EXPECT_EQ(status.condition("Stalled"), nullptr);
}

TEST(PolicyDuration, IsGosWithoutFractionsAndDays) {
  EXPECT_EQ(policy_duration("1h30m"), std::chrono::minutes(90));
  EXPECT_EQ(policy_duration("0s"), Duration(0));
  EXPECT_EQ(policy_duration("999999h"), std::chrono::hours(999999));
  for (const char* bad :
       {"", "1", "1d", "1.5h", "-1h", "h", "1 h", "1000000h", "1ms", "1h1", "11111111111111111s"}) {
    EXPECT_FALSE(policy_duration(bad)) << bad;
  }
}

TEST(Names, Regions) {
  for (const char* good :
       {"eu-west-1", "us-gov-west-1", "ap-southeast-2", "us-isob-east-1", "eusc-de-east-1"}) {
    EXPECT_TRUE(is_region(good)) << good;
  }
  for (const char* bad :
       {"", "eu", "eu-1", "eu-west", "eu-west-", "eu--1", "-west-1", "eu-west-123", "EU-west-1",
        "eu-west-1.evil.example", "eu-west-1/", "a-b-1\n"}) {
    EXPECT_FALSE(is_region(bad)) << bad;
  }
}

TEST(Names, SecretIdsAndRoles) {
  EXPECT_TRUE(is_secret_id("a"));
  EXPECT_TRUE(is_secret_id(std::string(519, 'a')));
  EXPECT_FALSE(is_secret_id(std::string(520, 'a')));
  EXPECT_FALSE(is_secret_id(""));
  EXPECT_FALSE(is_secret_id("a\nb"));
  EXPECT_FALSE(is_secret_id("größe"));
  EXPECT_FALSE(is_secret_id("arn:aws:secretsmanager:eu-west-1:1:secret:"));
  EXPECT_FALSE(is_secret_id("arn:aws:secretsmanager:eu-west-1::secret:x"));
  EXPECT_TRUE(is_secret_id("arn:aws-cn:secretsmanager:cn-north-1:1:secret:x"));
  EXPECT_EQ(region_of_secret_id("arn:aws-cn:secretsmanager:cn-north-1:1:secret:x"), "cn-north-1");
  EXPECT_EQ(region_of_secret_id("x"), "");
  EXPECT_TRUE(is_role_arn("arn:aws:iam::1:role/a/b"));
  for (const char* bad : {"arn:aws:iam::1:role/", "arn:aws:iam:eu-west-1:1:role/a",
                          "arn:aws:iam::x:role/a", "arn:aws:iam::1:user/a", "role/a", ""}) {
    EXPECT_FALSE(is_role_arn(bad)) << bad;
  }
}

TEST(Names, LabelsAndKeys) {
  EXPECT_TRUE(is_label_key("a"));
  EXPECT_TRUE(is_label_key("example.com/a.b_c-D"));
  for (const char* bad : {"", "/a", "a/", "A.com/x", "a/b/c", "-a", "a-", "a b"}) {
    EXPECT_FALSE(is_label_key(bad)) << bad;
  }
  EXPECT_TRUE(is_data_key(".dockerconfigjson"));
  for (const char* bad : {"", ".", "..", "..a", "a/b", "ä"}) EXPECT_FALSE(is_data_key(bad)) << bad;
  EXPECT_TRUE(is_dns_label("shop-1"));
  for (const char* bad : {"", "-a", "a-", "a.b", "A"}) EXPECT_FALSE(is_dns_label(bad)) << bad;
}

TEST(Names, ReservedKeysAreWholeDomains) {
  for (const char* reserved : {"keyturn.dev/x", "a.keyturn.dev/x", "meta.helm.sh/release-name",
                               "kustomize.toolkit.fluxcd.io/prune", "app.kubernetes.io/instance"}) {
    EXPECT_TRUE(is_reserved_key(reserved)) << reserved;
  }
  for (const char* free : {"team", "example.com/x", "notkeyturn.dev/x", "keyturn.dev.example.com/x",
                           "app.kubernetes.io/part-of", "keyturn.dev"}) {
    EXPECT_FALSE(is_reserved_key(free)) << free;
  }
}

}  // namespace
}  // namespace keyturn::rotation
