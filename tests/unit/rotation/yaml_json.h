// YAML test data as JSON, with kubectl's reading of plain scalars (YAML 1.2 core schema). Thread
// rule: pure functions.
#pragma once

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <string>

#include "kt_source_dir.h"

namespace keyturn::rotation {

inline nlohmann::json yaml_to_json(const YAML::Node& node) {
  using nlohmann::json;
  if (node.IsMap()) {
    json object = json::object();
    for (const auto& entry : node)
      object[entry.first.as<std::string>()] = yaml_to_json(entry.second);
    return object;
  }
  if (node.IsSequence()) {
    json list = json::array();
    for (const auto& item : node) list.push_back(yaml_to_json(item));
    return list;
  }
  if (!node.IsScalar()) return nullptr;
  const std::string text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text == "true") return true;
  if (text == "false") return false;
  const json number = json::parse(text, nullptr, false);
  if (number.is_number()) return number;
  return text;
}

inline std::string source_path(const std::string& relative) {
  return std::string(KT_SOURCE_DIR) + "/" + relative;
}

inline nlohmann::json load_yaml(const std::string& relative) {
  return yaml_to_json(YAML::LoadFile(source_path(relative)));
}

}  // namespace keyturn::rotation
