#include "controller/cli/yaml_documents.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

namespace keyturn::cli {
namespace {

using nlohmann::json;

// A plain scalar is null, a boolean or a number if it reads as one; a quoted one ("!" in yaml-cpp)
// is text.
json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "~" || text == "null" || text.empty()) return nullptr;
  if (text == "true" || text == "false") return text == "true";
  const bool number_like =
      text.find_first_not_of("+-.0123456789eE") == std::string::npos && json::accept(text);
  return number_like ? json::parse(text) : json(text);
}

json convert(const YAML::Node& node, int depth) {
  if (depth > 64) throw YAML::Exception(node.Mark(), "nested too deeply");
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      json object = json::object();
      for (const auto& entry : node)
        object[entry.first.Scalar()] = convert(entry.second, depth + 1);
      return object;
    }
    case YAML::NodeType::Sequence: {
      json array = json::array();
      for (const auto& entry : node) array.push_back(convert(entry, depth + 1));
      return array;
    }
    case YAML::NodeType::Scalar:
      return scalar(node);
    default:
      return nullptr;
  }
}

}  // namespace

Result<std::vector<json>> yaml_documents(const std::string& text, const std::string& file) {
  std::vector<json> documents;
  try {
    for (const auto& node : YAML::LoadAll(text)) {
      json document = convert(node, 0);
      if (!document.is_null()) documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& error) {
    return invalid("BadYaml", file + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return documents;
}

}  // namespace keyturn::cli
