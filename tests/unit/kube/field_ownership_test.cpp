#include "controller/kube/field_ownership.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace keyturn::kube {
namespace {

using nlohmann::json;

json fields(std::initializer_list<const char*> data) {
  json result = {{"f:data", {{".", json::object()}}}};
  for (const char* key : data) result["f:data"][std::string("f:") + key] = json::object();
  return result;
}

json entry(const char* manager, const char* operation, json f) {
  return {{"manager", manager},
          {"operation", operation},
          {"apiVersion", "v1"},
          {"fieldsType", "FieldsV1"},
          {"fieldsV1", std::move(f)}};
}

TEST(FieldOwnership, OursByApply) {
  json ours = fields({"b", "a.x"});
  ours["f:metadata"]["f:labels"]["f:keyturn.dev/managed"] = json::object();
  ours["f:metadata"]["f:annotations"]["f:keyturn.dev/version-id"] = json::object();
  ours["f:metadata"]["f:annotations"]["."] = json::object();
  const auto owned = field_ownership(json::array({entry("keyturn", "Apply", ours)}));
  EXPECT_EQ(owned.data_keys, "a.x,b");
  EXPECT_EQ(owned.data_keys, pack_keys({"b", "a.x", "b"}));
  EXPECT_EQ(owned.labels, "keyturn.dev/managed");
  EXPECT_EQ(owned.annotations, "keyturn.dev/version-id");
  EXPECT_FALSE(owned.foreign_data);
  EXPECT_EQ(unpack_keys(owned.data_keys), (std::vector<std::string>{"a.x", "b"}));
}

// kubectl edit of one key: it moves to the editor.
TEST(FieldOwnership, AnEditTakesTheKeyAway) {
  const auto owned = field_ownership(json::array(
      {entry("keyturn", "Apply", fields({"a"})), entry("kubectl-edit", "Update", fields({"b"}))}));
  EXPECT_EQ(owned.data_keys, "a");
  EXPECT_TRUE(owned.foreign_data);
}

// Somebody applies the same value: both own it, nothing drifted.
TEST(FieldOwnership, SharedKeysAreNotForeign) {
  const auto owned = field_ownership(json::array(
      {entry("keyturn", "Apply", fields({"a", "b"})), entry("argocd", "Apply", fields({"b"}))}));
  EXPECT_EQ(owned.data_keys, "a,b");
  EXPECT_FALSE(owned.foreign_data);
}

// A restore from backup is owned by its creator, even one with our name: Update is not Apply.
TEST(FieldOwnership, UpdateUnderOurNameIsNotOurs) {
  const auto owned = field_ownership(json::array({entry("keyturn", "Update", fields({"a"}))}));
  EXPECT_EQ(owned.data_keys, "");
  EXPECT_TRUE(owned.foreign_data);
}

TEST(FieldOwnership, ForeignLabelsChangeNothing) {
  const json before = json::array({entry("keyturn", "Apply", fields({"a"}))});
  json after = before;
  after.push_back(entry("kubectl-label", "Update",
                        {{"f:metadata", {{"f:labels", {{"f:x", json::object()}}}}}}));
  EXPECT_EQ(field_ownership(before), field_ownership(after));
}

TEST(FieldOwnership, SubresourceEntriesDoNotCount) {
  json status = entry("keyturn", "Apply", fields({"a"}));
  status["subresource"] = "status";
  EXPECT_EQ(field_ownership(json::array({status})), FieldOwnership{});
}

TEST(FieldOwnership, MalformedOwnsNothing) {
  for (const char* text :
       {"null", "7", "[1,null,{}]", R"([{"manager":"keyturn","operation":"Apply","fieldsV1":[]}])",
        R"([{"manager":"keyturn","operation":"Apply","fieldsV1":{"f:data":"x"}}])"}) {
    EXPECT_EQ(field_ownership(json::parse(text)), FieldOwnership{}) << text;
  }
}

TEST(FieldOwnership, EmptyKeys) {
  EXPECT_EQ(pack_keys({}), "");
  EXPECT_TRUE(unpack_keys("").empty());
}

}  // namespace
}  // namespace keyturn::kube
