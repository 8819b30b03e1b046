// How results look: tables as kubectl prints them, JSON, YAML.
// Thread rule: main thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace keyturn::cli {

enum class Output { Table, Wide, Json, Yaml };

// kubectl's manner: columns padded to their widest cell, three spaces between, no lines.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string yaml_text(const nlohmann::json& value);
// JSON (two spaces) or YAML to stdout.
void print(const nlohmann::json& value, Output output);
// "keyturn status: …" to stderr.
void complain(const std::string& command, const std::string& message);

}  // namespace keyturn::cli
