// The CRD and the operator's own table say the same: every field of the schema is read, every field
// that is read is in the schema, with the same types, defaults and bounds. What the rules say is
// compared case by case (policy_test.cpp, tests/e2e/crd_cases.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "controller/rotation/policy.h"
#include "controller/rotation/validate_shape.h"
#include "lib/base/text.h"
#include "lib/engine/strategies/registry.h"
#include "tests/unit/rotation/yaml_json.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

const json& crd() {
  static const json value = load_yaml("crds/rotationpolicies.keyturn.dev.yaml");
  return value;
}
const json& version() { return crd().at("spec").at("versions").at(0); }
const json& root() { return version().at("schema").at("openAPIV3Schema"); }
const json& spec_schema() { return root().at("properties").at("spec"); }

const char* schema_type(FieldType type) {
  switch (type) {
    case FieldType::List:
      return "array";
    case FieldType::Text:
      return "string";
    case FieldType::Flag:
      return "boolean";
    case FieldType::Object:
    case FieldType::Map:
    case FieldType::Options:
      return "object";
  }
  return "";
}

// A bound that is absent counts as 0, as in the table.
void expect_bounds(const json& schema, const char* least, const char* most, const Field& field,
                   const std::string& path) {
  EXPECT_EQ(schema.value(least, 0), field.min) << path << " " << least;
  EXPECT_EQ(schema.value(most, 0), field.max) << path << " " << most;
}

void compare_fields(const json& schema, std::span<const Field> fields, const std::string& path);

void compare(const json& schema, const Field& field, const std::string& path) {
  EXPECT_EQ(schema.at("type"), schema_type(field.type)) << path;
  const json fallback = field.fallback.empty() ? json() : json::parse(field.fallback);
  EXPECT_EQ(schema.value("default", json()), fallback) << path << " default";
  const json choices = schema.value("enum", json::array());
  EXPECT_EQ(choices.get<std::vector<std::string>>(),
            std::vector<std::string>(field.choices.begin(), field.choices.end()))
      << path << " enum";
  switch (field.type) {
    case FieldType::Text:
      expect_bounds(schema, "minLength", "maxLength", field, path);
      break;
    case FieldType::List:
      expect_bounds(schema, "minItems", "maxItems", field, path);
      compare_fields(schema.at("items"), field.children, path + "[]");
      break;
    case FieldType::Map:
      expect_bounds(schema, "minProperties", "maxProperties", field, path);
      EXPECT_EQ(schema.at("additionalProperties").at("type"), "string") << path;
      EXPECT_EQ(schema.at("additionalProperties").value("maxLength", 0), field.value_max) << path;
      break;
    case FieldType::Object:
      compare_fields(schema, field.children, path);
      break;
    case FieldType::Flag:
    case FieldType::Options:
      break;
  }
}

void compare_fields(const json& schema, std::span<const Field> fields, const std::string& path) {
  const auto required = schema.value("required", std::vector<std::string>());
  std::set<std::string> seen;
  for (const Field& field : fields) {
    const std::string name(field.name);
    seen.insert(name);
    ASSERT_TRUE(schema.at("properties").contains(name))
        << path << "." << name << " is read but not in the schema";
    compare(schema.at("properties").at(name), field, path + "." + name);
    EXPECT_EQ(std::count(required.begin(), required.end(), name), field.required ? 1 : 0)
        << path << "." << name;
  }
  for (const auto& [name, unused] : schema.at("properties").items()) {
    EXPECT_TRUE(seen.contains(name)) << path << "." << name << " is in the schema but not read";
  }
}

TEST(Crd, HasTheFieldsThatTheOperatorReads) {
  compare_fields(spec_schema(), spec_fields(), "spec");
}

TEST(Crd, HasTheStrategiesThatThereAre) {
  std::set<std::string> in_schema;
  for (const auto& [name, unused] :
       spec_schema().at("properties").at("strategy").at("properties").items()) {
    in_schema.insert(name);
  }
  const auto names = engine::strategy_names();
  EXPECT_EQ(in_schema, std::set<std::string>(names.begin(), names.end()));
  for (const auto later : later_strategies())
    EXPECT_FALSE(in_schema.contains(std::string(later))) << later;
}

// A value of the schema's type.
json sample(const json& schema) {
  if (schema.contains("enum")) return schema.at("enum").at(0);
  const std::string type = schema.at("type");
  if (type == "string") return "/sample";
  if (type == "integer") return schema.value("minimum", 1);
  if (type == "boolean") return true;
  return json::array();
}

// The registry takes what the schema has (in the right combination: then it complains of that, not
// of the name), and nothing else.
void compare_options(const json& schema, const std::string& path,
                     const std::function<std::string(const json&)>& complaint) {
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, option] : properties.items()) {
    const std::string said = complaint({{name, sample(option)}});
    EXPECT_EQ(said.find("unknown option"), std::string::npos)
        << path << "." << name << ": " << said;
  }
  EXPECT_NE(complaint({{"nobodyWantsThis", 1}}).find("unknown option"), std::string::npos) << path;
}

TEST(Crd, HasTheOptionsThatStrategiesRead) {
  const json& strategies = spec_schema().at("properties").at("strategy").at("properties");
  const auto complaint = [](const char* name, const json& options) {
    const auto made = engine::make_strategy(name, options.dump());
    return made ? std::string() : made.error().message;
  };
  for (const auto& entry : strategies.items()) {
    const std::string& name = entry.key();
    const json& schema = entry.value();
    compare_options(schema, name,
                    [&](const json& options) { return complaint(name.c_str(), options); });
  }
  compare_options(strategies.at("generic").at("properties").at("fields").at("items"),
                  "generic.fields[]", [&](const json& field) {
                    return complaint("generic", {{"fields", json::array({field})}});
                  });
}

// And the other way round: what the registry reads is in the schema. The formats' options are
// listed where a wrong one is refused.
TEST(Crd, HasNoFewerOptionsThanTheSources) {
  std::ifstream in(source_path("lib/engine/strategies/recipe.cpp"));
  std::stringstream text;
  text << in.rdbuf();
  const std::string source = text.str();
  const std::size_t begin = source.find("kFormatOptions = {");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = source.substr(begin, source.find('}', begin) - begin);
  std::set<std::string> read{"pointer", "format"};
  const auto parts = split(list, '"');
  for (std::size_t i = 1; i < parts.size(); i += 2) read.insert(parts[i]);
  std::set<std::string> in_schema;
  const json& generic =
      spec_schema().at("properties").at("strategy").at("properties").at("generic");
  for (const auto& [name, unused] :
       generic.at("properties").at("fields").at("items").at("properties").items()) {
    in_schema.insert(name);
  }
  EXPECT_EQ(in_schema, read);
}

void expect_described(const json& schema, const std::string& path) {
  if (path != "metadata" && !path.ends_with("[]")) {
    EXPECT_FALSE(schema.value("description", "").empty()) << path << " has no description";
  }
  // A bound on everything that rules run over keeps their cost within the server's budget.
  EXPECT_TRUE(schema.at("type") != "array" || schema.contains("maxItems")) << path;
  if (schema.contains("properties")) {
    for (const auto& [name, child] : schema.at("properties").items()) {
      expect_described(child, path.empty() ? name : path + "." + name);
    }
  }
  if (schema.contains("items")) expect_described(schema.at("items"), path + "[]");
}

TEST(Crd, DescribesEveryField) { expect_described(root(), ""); }

TEST(Crd, AGivenDefaultAndAnAbsentFieldAreTheSame) {
  const json least = {{"secretId", "a"},
                      {"strategy", {{"syncOnly", json::object()}}},
                      {"targets", json::array({{{"name", "a"}}})}};
  json filled = least;
  filled.update({{"suspend", false},
                 {"refreshInterval", "1h"},
                 {"rollout",
                  {{"restart", "None"},
                   {"timeout", "15m"},
                   {"reloadsVolumes", false},
                   {"onFailure", "Hold"}}},
                 {"retirement", {{"after", "Rollout"}, {"gracePeriod", "2h"}}}});
  filled["targets"][0].update({{"type", "Opaque"}, {"deletionPolicy", "Retain"}, {"adopt", false}});
  const auto parse = [](const json& spec) {
    auto policy = parse_policy({{"metadata", {{"name", "x"}, {"namespace", "y"}}}, {"spec", spec}});
    EXPECT_FALSE(policy->invalid) << policy->invalid->message;
    return std::move(policy->spec);
  };
  const PolicySpec a = parse(least), b = parse(filled);
  EXPECT_EQ(a.suspend, b.suspend);
  EXPECT_EQ(a.refresh_interval, b.refresh_interval);
  EXPECT_EQ(a.rollout.restart, b.rollout.restart);
  EXPECT_EQ(a.rollout.timeout, b.rollout.timeout);
  EXPECT_EQ(a.rollout.reloads_volumes, b.rollout.reloads_volumes);
  EXPECT_EQ(a.rollout.on_failure, b.rollout.on_failure);
  EXPECT_EQ(a.retirement.after, b.retirement.after);
  EXPECT_EQ(a.retirement.grace_period, b.retirement.grace_period);
  EXPECT_EQ(a.targets[0].type, b.targets[0].type);
  EXPECT_EQ(a.targets[0].deletion_policy, b.targets[0].deletion_policy);
  EXPECT_EQ(a.targets[0].adopt, b.targets[0].adopt);
}

void collect_rules(const json& node, std::vector<json>& rules) {
  if (node.is_array()) {
    for (const json& item : node) collect_rules(item, rules);
  }
  if (!node.is_object()) return;
  for (const auto& [name, child] : node.items()) {
    if (name == "x-kubernetes-validations") {
      rules.insert(rules.end(), child.begin(), child.end());
    } else {
      collect_rules(child, rules);
    }
  }
}

TEST(Crd, EveryRuleHasACaseAndTheOperatorSaysTheSame) {
  const json cases = load_yaml("tests/unit/rotation/testdata/policies.yaml");
  std::vector<json> rules;
  collect_rules(root(), rules);
  EXPECT_GT(rules.size(), 40U);
  for (const json& rule : rules) {
    const std::string message = rule.at("message");
    if (rule.at("rule").get<std::string>().find("oldSelf") != std::string::npos) {
      EXPECT_TRUE(std::any_of(cases.at("updates").begin(), cases.at("updates").end(),
                              [&](const json& item) { return item.at("server") == message; }))
          << "no update breaks: " << message;
      continue;
    }
    EXPECT_TRUE(std::any_of(
        cases.at("bad").begin(), cases.at("bad").end(),
        [&](const json& item) {
          const auto policy =
              parse_policy({{"metadata", {{"name", "x"}}}, {"spec", item.at("spec")}});
          return policy->invalid && policy->invalid->message.find(message) != std::string::npos;
        }))
        << "no case makes the operator say: " << message;
  }
}

TEST(Crd, PrintsTheContractsColumns) {
  std::vector<std::string> names;
  for (const json& column : version().at("additionalPrinterColumns"))
    names.push_back(column.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"Secret", "Strategy", "Ready", "Step", "Last Rotation",
                                             "Next Rotation", "Age"}));
  EXPECT_EQ(crd().at("spec").at("names").at("shortNames"), json::array({"rotpol"}));
  EXPECT_EQ(crd().at("spec").at("group"), kGroup);
  EXPECT_TRUE(version().at("subresources").contains("status"));
}

}  // namespace
}  // namespace keyturn::rotation
