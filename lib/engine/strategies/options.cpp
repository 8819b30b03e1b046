#include "lib/engine/strategies/options.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/suggest.h"
#include "lib/base/text.h"

namespace keyturn::engine {

using nlohmann::json;

Options::Options(const json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) fail("", "must be an object");
}

bool Options::has(std::string_view name) const {
  return object_.is_object() && object_.contains(name);
}

std::string Options::path_of(std::string_view name) const {
  return name.empty() ? path_ : path_ + "." + printable(name, 60);
}

void Options::fail(std::string_view name, const std::string& what) {
  if (!problem_) problem_ = invalid("InvalidStrategy", path_of(name) + ": " + what);
}

const json* Options::find(std::string_view name) {
  asked_.push_back(name);
  if (failed()) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

std::optional<int> Options::integer(std::string_view name, int min, int max) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const bool fits = value->is_number_unsigned()
                        ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(max)
                        : value->is_number_integer() && value->get<std::int64_t>() <= max;
  if (!fits || value->get<std::int64_t>() < min) {
    fail(name, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }
  return value->get<int>();
}

std::optional<bool> Options::flag(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    fail(name, "must be true or false, without quotes");
    return std::nullopt;
  }
  return value->get<bool>();
}

std::optional<std::string> Options::text(std::string_view name, std::size_t max_bytes) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    fail(name, "must be a text; put it in quotes");
    return std::nullopt;
  }
  auto text = value->get<std::string>();
  if (text.size() > max_bytes) {
    fail(name, "must be at most " + std::to_string(max_bytes) + " bytes long");
    return std::nullopt;
  }
  return text;
}

const json* Options::objects(std::string_view name, std::size_t min, std::size_t max) {
  const json* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array() || value->size() < min || value->size() > max) {
    fail(name,
         "must be a list of " + std::to_string(min) + " to " + std::to_string(max) + " objects");
    return nullptr;
  }
  return value;
}

Status Options::finish(std::span<const std::string_view> elsewhere, const std::string& why) {
  if (problem_) return *problem_;
  for (const auto& [name, unused] : object_.items()) {
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
    const bool known = std::find(elsewhere.begin(), elsewhere.end(), name) != elsewhere.end();
    std::vector<std::string_view> candidates(asked_);
    candidates.insert(candidates.end(), elsewhere.begin(), elsewhere.end());
    fail(name, known ? why : "unknown option" + did_you_mean(name, candidates));
    return *problem_;
  }
  return {};
}

}  // namespace keyturn::engine
