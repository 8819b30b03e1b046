#include "controller/rotation/yaml_documents.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "controller/rotation/yaml_nodes.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr std::size_t kMostValues = 100'000;

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

// `left`: how many values the text may still stand for. Aliases of aliases make a short text stand
// for any number of them.
json convert(const YAML::Node& node, int depth, std::size_t& left) {
  if (depth > 64) throw YAML::Exception(node.Mark(), "nested too deeply");
  if (left-- == 0) throw YAML::Exception(node.Mark(), "its aliases stand for too many values");
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      json object = json::object();
      for (const auto& entry : node)
        object[entry.first.Scalar()] = convert(entry.second, depth + 1, left);
      return object;
    }
    case YAML::NodeType::Sequence: {
      json array = json::array();
      for (const auto& entry : node) array.push_back(convert(entry, depth + 1, left));
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
    std::size_t left = kMostValues;
    for (const auto& node : yaml_nodes(text)) {
      json document = convert(node, 0, left);
      if (!document.is_null()) documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& error) {
    return invalid("BadYaml", file + ":" +
                                  std::to_string(error.mark.is_null() ? 1 : error.mark.line + 1) +
                                  ": " + error.msg);
  }
  return documents;
}

}  // namespace keyturn::rotation
