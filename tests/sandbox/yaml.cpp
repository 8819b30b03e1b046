#include "tests/sandbox/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <regex>
#include <stdexcept>

#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

Json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  std::int64_t integer = 0;
  const char* const end = text.data() + text.size();
  const auto whole = std::from_chars(text.data(), end, integer);
  if (whole.ec == std::errc() && whole.ptr == end) return integer;
  static const std::regex kNumber(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
  if (std::regex_match(text, kNumber)) return std::stod(text);
  return text;
}

Json to_json(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node);
    case YAML::NodeType::Sequence: {
      Json out = Json::array();
      for (const YAML::Node& item : node) out.push_back(to_json(item));
      return out;
    }
    case YAML::NodeType::Map: {
      Json out = Json::object();
      for (const auto& entry : node) out[entry.first.Scalar()] = to_json(entry.second);
      return out;
    }
    default:
      return nullptr;
  }
}

}  // namespace

Json parse_yaml_or_json(const std::string& text) {
  // Most bodies are JSON, and the JSON parser is the fast one.
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_discarded()) return json;
  try {
    return to_json(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    throw bad_request(std::string("error decoding YAML: ") + error.what());
  }
}

std::vector<Json> parse_yaml_documents(const std::string& text) {
  try {
    std::vector<Json> out;
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      Json json = to_json(node);
      if (!json.is_null()) out.push_back(std::move(json));
    }
    return out;
  } catch (const YAML::Exception& error) {
    throw std::runtime_error(std::string("YAML: ") + error.what());
  }
}

}  // namespace keyturn::sandbox
