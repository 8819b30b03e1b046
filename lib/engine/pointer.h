// A JSON pointer (RFC 6901): the way from a document's root to one field.
// Thread rule: plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::engine {

class Pointer {
 public:
  // "" is the whole document, "/a/0/b~1c" the field "b/c" of the first element of a. Invalid
  // "BadPointer": does not start with `/`, or `~` is not followed by 0 or 1.
  static Result<Pointer> parse(std::string_view text);
  static Pointer of(std::vector<std::string> tokens) { return Pointer(std::move(tokens)); }

  const std::vector<std::string>& tokens() const { return tokens_; }
  std::string text() const;  // with ~0 and ~1
  // Whether `other` is this field or lies inside it.
  bool covers(const Pointer& other) const;
  friend bool operator==(const Pointer&, const Pointer&) = default;

 private:
  explicit Pointer(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}
  std::vector<std::string> tokens_;
};

// A token as an array index: digits without a leading zero, at most 9 of them ("-", the element
// after the last, is never there).
std::optional<std::size_t> array_index(std::string_view token);

}  // namespace keyturn::engine
