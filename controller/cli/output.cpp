#include "controller/cli/output.h"

#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace keyturn::cli {
namespace {

constexpr std::size_t kGap = 3;

// Columns as a terminal counts them: UTF-8 continuation bytes take no room.
std::size_t width(const std::string& text) {
  std::size_t columns = 0;
  for (const char c : text) columns += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  return columns;
}

void emit(YAML::Emitter& out, const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::object:
      out << YAML::BeginMap;
      for (const auto& [key, item] : value.items()) {
        out << YAML::Key << key << YAML::Value;
        emit(out, item);
      }
      out << YAML::EndMap;
      break;
    case nlohmann::json::value_t::array:
      out << YAML::BeginSeq;
      for (const auto& item : value) emit(out, item);
      out << YAML::EndSeq;
      break;
    case nlohmann::json::value_t::string: {
      // What YAML would read as something else (true, 12, null) is quoted.
      const auto& text = value.get_ref<const std::string&>();
      if (nlohmann::json::accept(text) || text.empty() || text == "~" || text == "yes" ||
          text == "no" || text == "on" || text == "off")
        out << YAML::DoubleQuoted;
      out << text;
      break;
    }
    case nlohmann::json::value_t::null:
      out << YAML::Null;
      break;
    default:
      out << value.dump();
      break;
  }
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - width(row[i]) + kGap, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string yaml_text(const nlohmann::json& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

void print(const nlohmann::json& value, Output output) {
  const std::string text = output == Output::Yaml ? yaml_text(value) : value.dump(2) + "\n";
  std::fputs(text.c_str(), stdout);
}

void complain(const std::string& command, const std::string& message) {
  std::fprintf(stderr, "keyturn %s: %s\n", command.c_str(), message.c_str());
}

}  // namespace keyturn::cli
