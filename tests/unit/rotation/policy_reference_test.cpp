// docs/reference/policy.md is made from the CRD (scripts/policy-reference.py): every field has its
// row, and there is no other.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/unit/rotation/yaml_json.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

// The text of a table cell: white space runs are one blank, `|` is escaped.
std::string cell(const std::string& text) {
  std::istringstream in(text);
  std::string out, word;
  while (in >> word) {
    if (!out.empty()) out += ' ';
    for (const char c : word) out += c == '|' ? std::string("\\|") : std::string(1, c);
  }
  return out;
}

void collect(const json& schema, const std::string& path,
             std::map<std::string, std::string>& fields) {
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, child] : properties.items()) {
    const std::string full = path + "." + name;
    fields[full] = cell(child.value("description", ""));
    if (child.contains("items")) {
      collect(child.at("items"), full + "[]", fields);
    } else if (child.contains("additionalProperties")) {
      fields[full + "{}"] = cell(child.at("additionalProperties").value("description", ""));
    } else {
      collect(child, full, fields);
    }
  }
}

TEST(PolicyReference, IsTheCrds) {
  const json crd = load_yaml("crds/rotationpolicies.keyturn.dev.yaml");
  const json& root =
      crd.at("spec").at("versions").at(0).at("schema").at("openAPIV3Schema").at("properties");
  std::map<std::string, std::string> fields;
  collect(root.at("spec"), "spec", fields);
  collect(root.at("status"), "status", fields);
  EXPECT_GT(fields.size(), 70U);

  std::ifstream page(source_path("docs/reference/policy.md"));
  ASSERT_TRUE(page);
  std::size_t rows = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `spec.") && !line.starts_with("| `status.")) continue;
    const std::string name = line.substr(3, line.find('`', 3) - 3);
    if (line.find("| An item. |") != std::string::npos) continue;  // the rules of a list's items
    ++rows;
    ASSERT_TRUE(fields.contains(name))
        << name << " is no field of the CRD; run scripts/policy-reference.py";
    EXPECT_NE(line.find("| " + fields.at(name) + " |"), std::string::npos)
        << name << " is described otherwise; run scripts/policy-reference.py";
  }
  EXPECT_EQ(rows, fields.size()) << "fields are missing; run scripts/policy-reference.py";
}

}  // namespace
}  // namespace keyturn::rotation
