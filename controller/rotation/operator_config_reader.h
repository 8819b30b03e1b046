// Reads YAML with every complaint at its line: the machinery under operator_config.cpp.
//
// Thread rule: one reader, one thread.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"

namespace keyturn::rotation {

class ConfigReader {
 public:
  explicit ConfigReader(std::string_view file_name) : file_(file_name) {}

  void problem(const YAML::Node& at, std::string_view path, std::string_view text);
  void warning(const YAML::Node& at, std::string_view path, std::string_view text);

  using Read = std::function<void(const YAML::Node& value, const std::string& path)>;
  struct Key {
    std::string_view name;
    Read read;
  };
  // Calls each key's reader; unknown keys and keys that stand twice are problems. `path` is "" at
  // the top.
  void map(const YAML::Node& node, const std::string& path, std::span<const Key> keys);
  // Calls `read` for each item. Nothing at all (`access:`) is an empty list.
  void list(const YAML::Node& node, const std::string& path, const Read& read);

  // Nothing, and a problem, when the value is of another kind or out of bounds.
  std::optional<std::string> text(const YAML::Node& node, const std::string& path);
  std::optional<bool> flag(const YAML::Node& node, const std::string& path);
  std::optional<int> number(const YAML::Node& node, const std::string& path, int least, int most);
  std::optional<Duration> duration(const YAML::Node& node, const std::string& path, Duration least,
                                   Duration most);
  // The index of the text in `choices`.
  std::optional<std::size_t> choice(const YAML::Node& node, const std::string& path,
                                    std::span<const std::string_view> choices);

  bool ok() const { return problems_.empty(); }
  std::size_t count() const { return problems_.size(); }
  std::vector<std::string> problems() const { return by_line(problems_); }
  std::vector<std::string> warnings() const { return by_line(warnings_); }

 private:
  using Notes = std::vector<std::pair<int, std::string>>;  // by line
  std::string note(int line, std::string_view path, std::string_view text) const;
  static std::vector<std::string> by_line(Notes notes);

  std::string file_;
  Notes problems_, warnings_;
};

}  // namespace keyturn::rotation
