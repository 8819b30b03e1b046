// Reads a strategy's options strictly: every option has a type and bounds, and what nobody asked
// for is an error.
//
//   Options options(json, "spec.strategy.generic");
//   const auto length = options.integer("length", 1, 4096);
//   if (auto done = options.finish(); !done) return done.error();
//
// The first problem wins; after one, accessors answer "absent". Messages start with the option's
// path. Thread rule: one thread; `object` must outlive it.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::engine {

class Options {
 public:
  // Precondition of the accessors: `object` is a JSON object; anything else is reported by
  // finish().
  Options(const nlohmann::json& object, std::string path);

  bool has(std::string_view name) const;
  std::optional<int> integer(std::string_view name, int min, int max);
  std::optional<bool> flag(std::string_view name);
  std::optional<std::string> text(std::string_view name, std::size_t max_bytes);
  // The elements of a list of min..max objects; null when absent or wrong.
  const nlohmann::json* objects(std::string_view name, std::size_t min, std::size_t max);

  // Adds a problem with one option ("" is the object itself).
  void fail(std::string_view name, const std::string& what);
  std::string path_of(std::string_view name) const;
  bool failed() const { return problem_.has_value(); }

  // The first problem. Options that were not asked for: those in `elsewhere` are refused with `why`
  // ("does not go with format hex"), others as unknown.
  Status finish(std::span<const std::string_view> elsewhere = {}, const std::string& why = {});

 private:
  const nlohmann::json* find(std::string_view name);

  const nlohmann::json& object_;
  std::string path_;
  std::vector<std::string_view> asked_;
  std::optional<Error> problem_;
};

}  // namespace keyturn::engine
