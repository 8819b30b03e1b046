// JSON as bytes: where each value starts and ends. For code that must leave every other byte of a
// document as it is (document.h); who only wants the values uses nlohmann::json.
//
// Grammar: RFC 8259, strictly; UTF-8 only; at most kMaxDepth levels; an unpaired surrogate escape
// is refused (its reading is undefined by the RFC). Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace keyturn::engine::json_text {

inline constexpr int kMaxDepth = 64;

// Why a text is not JSON. Holds no part of the text.
struct Fault {
  std::size_t offset;
  const char* what;
};
std::optional<Fault> check(std::string_view text);

// The rest is for texts that passed check().

struct Span {
  std::size_t begin = 0, end = 0;
  std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
};
Span root(std::string_view text);  // the value without the white space around it

// Steps through the members of the object, or the elements of the array, at `container`:
//   for (Walker w(text, span); w.next();) use(w.key(), w.value());
class Walker {
 public:
  Walker(std::string_view text, Span container);
  bool next();
  Span key() const { return key_; }  // quotes included; empty in an array
  Span value() const { return value_; }

 private:
  std::string_view text_;
  std::size_t at_;
  bool object_;
  Span key_, value_;
};

// A string's characters, from its form with quotes and escapes. One allocation, so that no copy is
// left behind.
std::string unquote(std::string_view quoted);
// The other way round. `text` must be UTF-8. One allocation.
std::string quote(std::string_view text);

}  // namespace keyturn::engine::json_text
