#include "controller/rotation/targets.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf";

Policy policy() {
  Policy p;
  p.ns = "shop";
  p.name = "orders";
  p.uid = "uid-1";
  return p;
}

std::map<std::string, std::string> plain(const RenderedData& data) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : data) out[key] = std::string(value.reveal());
  return out;
}

TEST(Render, DefaultMappingIsEveryTopLevelKey) {
  const auto data =
      render_target({.name = "t"}, SecretString(R"({"b":"x","a":{"n":1},"c":12})"), nullptr);
  ASSERT_TRUE(data);
  EXPECT_EQ(plain(*data),
            (std::map<std::string, std::string>{{"a", R"({"n":1})"}, {"b", "x"}, {"c", "12"}}));
  EXPECT_EQ((*data)[0].first, "a") << "sorted, as managedFields names them";
}

TEST(Render, ABareStringIsValue) {
  const auto data =
      render_target({.name = "t"}, SecretString(std::string_view("a\0b", 3)), nullptr);
  ASSERT_TRUE(data);
  EXPECT_EQ(plain(*data), (std::map<std::string, std::string>{{"value", std::string("a\0b", 3)}}));
}

TEST(Render, AFieldNameThatIsNoSecretKeyIsNamedWithTheRemedy) {
  const auto data = render_target({.name = "t"}, SecretString(R"({"a b":"top secret"})"), nullptr);
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().code, "InvalidKey");
  EXPECT_NE(data.error().message.find("a b"), std::string::npos);
  EXPECT_NE(data.error().message.find("spec.targets[].data"), std::string::npos);
  EXPECT_EQ(data.error().message.find("top secret"), std::string::npos);
}

TEST(Render, TemplatesReadBothVersions) {
  const TargetSpec target{
      .name = "t", .has_data = true, .data = {{"NEW", "{{ k }}"}, {"OLD", "{{ previous.k }}"}}};
  EXPECT_TRUE(needs_previous(target));
  const SecretString before(R"({"k":"old"})");
  const auto data = render_target(target, SecretString(R"({"k":"new"})"), &before);
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(plain(*data), (std::map<std::string, std::string>{{"NEW", "new"}, {"OLD", "old"}}));
}

TEST(Render, AFailingTemplateNamesTargetAndKeyAndNoValue) {
  const TargetSpec target{.name = "t", .has_data = true, .data = {{"K", "{{ missing }}"}}};
  const auto data = render_target(target, SecretString(R"({"k":"top secret"})"), nullptr);
  ASSERT_FALSE(data);
  EXPECT_NE(data.error().message.find("target t, key K"), std::string::npos);
  EXPECT_EQ(data.error().message.find("top secret"), std::string::npos);
}

// What the API server would show after our apply of `object`.
ManagedSecret written(const json& object) {
  json fields = {{"f:type", json::object()},
                 {"f:data", {{".", json::object()}}},
                 {"f:metadata", {{"f:labels", json::object()}, {"f:annotations", json::object()}}}};
  for (const auto& [key, v] : object["data"].items()) fields["f:data"]["f:" + key] = json::object();
  for (const auto& [key, v] : object["metadata"]["labels"].items())
    fields["f:metadata"]["f:labels"]["f:" + key] = json::object();
  for (const auto& [key, v] : object["metadata"]["annotations"].items())
    fields["f:metadata"]["f:annotations"]["f:" + key] = json::object();
  json metadata = object["metadata"];
  metadata["uid"] = "u";
  metadata["resourceVersion"] = "7";
  metadata["managedFields"] = {
      {{"manager", "keyturn"}, {"operation", "Apply"}, {"fieldsV1", fields}}};
  return decode_managed_secret({{"metadata", metadata}}).value();
}

class Judge : public ::testing::Test {
 protected:
  json object() {
    RenderedData data;
    data.emplace_back("a", SecretString("1"));
    data.emplace_back("b", SecretString("2"));
    return secret_object(policy(), target, kArn, "v1", data, "1");
  }
  TargetState judge(const ManagedSecret& secret, const std::string& version = "v1",
                    bool spec_written = true) {
    return judge_target(policy(), target, &secret, kArn, version, spec_written);
  }
  TargetSpec target{.name = "t", .labels = {{"team", "x"}}, .annotations = {{"note", "y"}}};
};

TEST_F(Judge, WhatWeJustWroteIsInSync) {
  const ManagedSecret secret = written(object());
  EXPECT_TRUE(secret.intact);
  EXPECT_TRUE(secret.made_by_us);
  EXPECT_EQ(judge(secret), TargetState::InSync);
  EXPECT_EQ(judge(secret, "v2"), TargetState::OldVersion);
  EXPECT_EQ(judge(secret, "v1", false), TargetState::SpecChanged);
  EXPECT_EQ(judge_target(policy(), target, nullptr, kArn, "v1", true), TargetState::Missing);
}

TEST_F(Judge, ALostKeyIsDriftEvenWithTheDefaultMapping) {
  json o = object();
  o["data"].erase("b");  // the annotation still names it
  EXPECT_EQ(judge(written(o)), TargetState::Drifted);
}

TEST_F(Judge, AnEditByAnotherManagerIsDrift) {
  json o = object();
  json shown = o;
  ManagedSecret secret = written(o);
  // The key moved to the other manager: ours owns one less.
  o["data"].erase("a");
  secret = written(o);
  EXPECT_FALSE(secret.intact);
}

TEST_F(Judge, ARemovedLabelIsDrift) {
  json o = object();
  o["metadata"]["labels"].erase(kManagedLabel);
  EXPECT_EQ(judge(written(o)), TargetState::Drifted);
}

TEST_F(Judge, WishesThatChangedAreSeenFromMetadata) {
  const ManagedSecret secret = written(object());
  target.labels["team"] = "z";  // a new value of a label: only the generation tells
  EXPECT_EQ(judge(secret, "v1", false), TargetState::SpecChanged);
  target.labels["more"] = "z";
  EXPECT_EQ(judge(secret), TargetState::SpecChanged);
  target.labels.erase("more");
  target.deletion_policy = DeletionPolicy::Delete;
  EXPECT_EQ(judge(secret), TargetState::SpecChanged);
}

TEST(MayWrite, OnlyOursOrOrphanedOrAdopted) {
  ManagedSecret secret;
  secret.name = "t";
  TargetSpec target{.name = "t"};
  EXPECT_EQ(may_write(policy(), target, secret, false).error().code, "TargetNotManaged");
  target.adopt = true;
  EXPECT_TRUE(may_write(policy(), target, secret, false));
  target.adopt = false;
  secret.labelled = true;
  secret.policy = "shop/other";
  EXPECT_EQ(may_write(policy(), target, secret, true).error().code, "TargetInUse");
  EXPECT_TRUE(may_write(policy(), target, secret, false)) << "its policy is gone";
  target.adopt = true;
  EXPECT_EQ(may_write(policy(), target, secret, true).error().code, "TargetInUse")
      << "adopt is no licence to fight";
  secret.policy = "shop/orders";
  EXPECT_TRUE(may_write(policy(), target, secret, false));
}

TEST(SecretObject, CarriesTheContractAndIsWipedAfterwards) {
  RenderedData data;
  data.emplace_back("k", SecretString("value"));
  json object = secret_object(policy(), {.name = "t", .deletion_policy = DeletionPolicy::Delete},
                              kArn, "v1", data, "12");
  EXPECT_EQ(object["metadata"]["annotations"]["keyturn.dev/policy"], "shop/orders");
  EXPECT_EQ(object["metadata"]["annotations"]["keyturn.dev/secret-arn"], kArn);
  EXPECT_EQ(object["metadata"]["annotations"]["keyturn.dev/version-id"], "v1");
  EXPECT_EQ(object["metadata"]["labels"]["keyturn.dev/managed"], "true");
  EXPECT_EQ(object["metadata"]["ownerReferences"][0]["uid"], "uid-1");
  EXPECT_EQ(object["metadata"]["resourceVersion"], "12");
  EXPECT_EQ(object["data"]["k"], "dmFsdWU=");
  wipe_data(object);
  EXPECT_EQ(object.dump().find("dmFsdWU="), std::string::npos);
}

}  // namespace
}  // namespace keyturn::rotation
