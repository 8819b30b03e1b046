#include "controller/rotation/operator_config_reader.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "lib/base/suggest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

std::string child(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

int line_of(const YAML::Node& node) { return node.Mark().is_null() ? 1 : node.Mark().line + 1; }

// Plain scalars only: true in quotes is a text.
bool plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

}  // namespace

std::string ConfigReader::note(int line, std::string_view path, std::string_view text) const {
  std::string out = file_ + ":" + std::to_string(line) + ": ";
  if (!path.empty()) out += std::string(path) + ": ";
  return out + std::string(text);
}

void ConfigReader::problem(const YAML::Node& at, std::string_view path, std::string_view text) {
  problems_.emplace_back(line_of(at), note(line_of(at), path, text));
}

void ConfigReader::warning(const YAML::Node& at, std::string_view path, std::string_view text) {
  warnings_.emplace_back(line_of(at), note(line_of(at), path, text));
}

std::vector<std::string> ConfigReader::by_line(Notes notes) {
  std::stable_sort(notes.begin(), notes.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> lines;
  lines.reserve(notes.size());
  for (auto& [line, text] : notes) lines.push_back(std::move(text));
  return lines;
}

void ConfigReader::map(const YAML::Node& node, const std::string& path, std::span<const Key> keys) {
  if (!node.IsMap()) return problem(node, path, "must be a map of settings");
  std::vector<std::string_view> names;
  for (const Key& key : keys) names.push_back(key.name);
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      problem(entry.first, path, "has a key that is no text");
      continue;
    }
    const std::string& name = entry.first.Scalar();
    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
    if (key == keys.end()) {
      problem(entry.first, path,
              "unknown key \"" + printable(name, 80) + "\"" + did_you_mean(name, names));
    } else if (!seen.insert(name).second) {
      problem(entry.first, child(path, name), "stands twice; keep one");
    } else {
      key->read(entry.second, child(path, name));
    }
  }
}

void ConfigReader::list(const YAML::Node& node, const std::string& path, const Read& read) {
  if (node.IsNull()) return;
  if (!node.IsSequence()) return problem(node, path, "must be a list");
  for (std::size_t i = 0; i < node.size(); ++i) read(node[i], path + "[" + std::to_string(i) + "]");
}

std::optional<std::string> ConfigReader::text(const YAML::Node& node, const std::string& path) {
  if (node.IsScalar()) {
    const std::string& text = node.Scalar();
    if (!text.empty() && printable(text, text.size() + 1) == text) return text;
    problem(node, path,
            text.empty() ? "must not be empty" : "has characters that cannot be printed");
    return std::nullopt;
  }
  problem(node, path, "must be a text");
  return std::nullopt;
}

std::optional<bool> ConfigReader::flag(const YAML::Node& node, const std::string& path) {
  if (plain(node) && node.Scalar() == "true") return true;
  if (plain(node) && node.Scalar() == "false") return false;
  problem(node, path, "must be true or false, without quotes");
  return std::nullopt;
}

std::optional<int> ConfigReader::number(const YAML::Node& node, const std::string& path, int least,
                                        int most) {
  int value = 0;
  if (plain(node)) {
    const std::string& text = node.Scalar();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most)
      return value;
  }
  problem(node, path,
          "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::optional<Duration> ConfigReader::duration(const YAML::Node& node, const std::string& path,
                                               Duration least, Duration most) {
  if (node.IsScalar()) {
    const auto value = parse_duration(node.Scalar());
    if (value && *value >= least && *value <= most) return *value;
  }
  problem(node, path,
          "must be a duration such as 15s or 15m, from " + format_duration(least) + " to " +
              format_duration(most));
  return std::nullopt;
}

std::optional<std::size_t> ConfigReader::choice(const YAML::Node& node, const std::string& path,
                                                std::span<const std::string_view> choices) {
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  const auto it = std::find(choices.begin(), choices.end(), text);
  if (it != choices.end()) return static_cast<std::size_t>(it - choices.begin());
  std::string names;
  for (const std::string_view name : choices)
    names += (names.empty() ? "" : ", ") + std::string(name);
  problem(node, path, "must be one of " + names + did_you_mean(text, choices));
  return std::nullopt;
}

}  // namespace keyturn::rotation
