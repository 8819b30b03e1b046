// What the chart says about itself holds without helm: its copy of the CRD, its values and their
// schema, the config file it makes. What helm makes of it is tried in e2e (lint, install on a real
// API server with exactly the rendered role).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "controller/rotation/operator_config.h"
#include "tests/unit/rotation/yaml_json.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

std::string read(const std::string& relative) {
  std::ifstream in(source_path(relative), std::ios::binary);
  EXPECT_TRUE(in) << relative;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

json schema() { return json::parse(read("charts/keyturn/values.schema.json")); }
json values() { return load_yaml("charts/keyturn/values.yaml"); }

TEST(Chart, CarriesTheCrd) {
  EXPECT_EQ(read("charts/keyturn/crds/rotationpolicies.keyturn.dev.yaml"),
            read("crds/rotationpolicies.keyturn.dev.yaml"))
      << "cp crds/rotationpolicies.keyturn.dev.yaml charts/keyturn/crds/";
}

TEST(Chart, HasTheProjectsVersion) {
  const json chart = load_yaml("charts/keyturn/Chart.yaml");
  EXPECT_EQ(chart.at("version"), chart.at("appVersion"));
  EXPECT_NE(read("CMakeLists.txt")
                .find("project(keyturn VERSION " + chart.at("appVersion").get<std::string>() + " "),
            std::string::npos);
}

// A value without a schema cannot be set; where `complete`, a schema without a value cannot be
// found either.
void compare(const json& value, const json& node, const std::string& path, bool complete) {
  if (!node.contains("properties") || !value.is_object()) return;
  EXPECT_EQ(node.value("additionalProperties", json(true)), json(false))
      << path << " takes misspelt settings";
  for (const auto& [name, child] : value.items()) {
    ASSERT_TRUE(node.at("properties").contains(name)) << path << "." << name << " has no schema";
    compare(child, node.at("properties").at(name), path + "." + name, complete);
  }
  if (!complete || path == "values.config")
    return;  // the operator's own defaults hold for those that are not there
  for (const auto& [name, unused] : node.at("properties").items()) {
    EXPECT_TRUE(value.contains(name) || name == "global")
        << path << "." << name << " is not in values.yaml";
  }
}

TEST(Chart, HasASchemaForEveryValue) { compare(values(), schema(), "values", true); }

// As the template does it: empty texts are left to the operator's defaults.
std::string config_file(json config) {
  for (auto it = config.begin(); it != config.end();)
    it = *it == "" ? config.erase(it) : std::next(it);
  config["listen"] = ":8080";
  config["leaderElection"] = {{"enabled", true}, {"namespace", "keyturn"}, {"name", "keyturn"}};
  return config.dump();
}

TEST(Chart, MakesAConfigFileThatTheOperatorTakes) {
  const auto config = parse_operator_config(config_file(values().at("config")), "values.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->access.rules().empty());
}

// Every setting of the config file can be made in the chart, and no other. Those the chart makes
// itself are not among them.
TEST(Chart, OffersTheSettingsOfTheConfigFile) {
  std::set<std::string> offered;
  const json config_schema = schema().at("properties").at("config");
  for (const auto& [name, unused] : config_schema.at("properties").items()) {
    offered.insert(name);
    const auto parsed = parse_operator_config(name + ": {}\n", "f");
    EXPECT_TRUE(parsed || parsed.error().message.find("unknown key") == std::string::npos) << name;
  }
  EXPECT_EQ(offered, (std::set<std::string>{"access", "region", "minRotationInterval",
                                            "requestDeadline", "propagation", "syncWorkers",
                                            "rotationWorkers", "logLevel", "logFormat"}));
  std::set<std::string> lists;
  const json rule = config_schema.at("properties").at("access").at("items");
  for (const auto& [name, unused] : rule.at("properties").items()) lists.insert(name);
  EXPECT_EQ(lists,
            (std::set<std::string>{"namespaces", "secrets", "resources", "backends", "roles"}));
}

TEST(Chart, TheExampleValuesAllowWhatTheExamplesUse) {
  const json example = load_yaml("examples/helm-values.yaml");
  compare(example, schema(), "examples/helm-values.yaml", false);
  const auto config =
      parse_operator_config(config_file(example.at("config")), "examples/helm-values.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->access.rules().empty());
  EXPECT_TRUE(config->access.might_touch_secret("shop", "shop/orders-api"));
  EXPECT_FALSE(config->access.might_touch_secret("bank", "shop/orders-api"));
}

// Whoever changes the role changes the reasons in docs/install.md, too.
TEST(Chart, ExplainsEveryPermission) {
  const std::string helpers = read("charts/keyturn/templates/_helpers.tpl");
  const std::string docs = read("docs/install.md");
  const std::size_t begin = helpers.find("define \"keyturn.rules\"");
  ASSERT_NE(begin, std::string::npos);
  const std::size_t text = helpers.find('\n', begin) + 1;
  const YAML::Node rules =
      YAML::Load(helpers.substr(text, helpers.find("{{- end }}", text) - text));
  ASSERT_TRUE(rules.IsSequence());
  EXPECT_GE(rules.size(), 6U);
  for (const auto& rule : rules) {
    for (const auto& resource : rule["resources"]) {
      std::string row = "| `" + resource.as<std::string>() + "` | ";
      for (std::size_t i = 0; i < rule["verbs"].size(); ++i)
        row += (i == 0 ? "" : ", ") + rule["verbs"][i].as<std::string>();
      EXPECT_NE(docs.find(row + " |"), std::string::npos) << "docs/install.md has no row: " << row;
      EXPECT_EQ(row.find('*'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace keyturn::rotation
