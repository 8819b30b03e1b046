#include "lib/aws/secret_json.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

Error bad_json() {
  return make_error(ErrorClass::Transient, "BadReply", "the reply is not a JSON object");
}

// Walks over the text of one object. Positions only; it judges no more than it must to find string
// borders and depth.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip_blanks() {
    while (!at_end() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool accept(char c) {
    skip_blanks();
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Inside of a string (between its quotes) as [begin, end). False: no string here, or it has no
  // end.
  bool string(std::size_t& begin, std::size_t& end) {
    if (!accept('"')) return false;
    begin = at_;
    while (!at_end() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_end()) return false;
    end = at_++;
    return true;
  }
  // Any value that is no string, up to the ',' or '}' after it.
  bool other_value() {
    std::size_t ignored = 0;
    for (std::size_t depth = 0; !at_end();) {
      const char c = text_[at_];
      if (depth == 0 && (c == ',' || c == '}')) return true;
      if (c == '"') {
        if (!string(ignored, ignored)) return false;
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && depth-- == 0) return false;
      ++at_;
    }
    return false;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<std::uint32_t> hex4(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&out](std::uint32_t b) { out += static_cast<char>(b); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | point >> 6);
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | point >> 12);
    byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3F));
    byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

// What follows "\u"; both halves of a surrogate pair, nothing less. Advances past what was used.
bool append_escaped_point(std::string& out, std::string_view& rest) {
  const auto high = hex4(rest);
  if (!high || (*high >= 0xDC00 && *high <= 0xDFFF)) return false;
  rest.remove_prefix(4);
  if (*high < 0xD800 || *high > 0xDBFF) {
    append_utf8(out, *high);
    return true;
  }
  if (!rest.starts_with("\\u")) return false;
  const auto low = hex4(rest.substr(2));
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return false;
  rest.remove_prefix(6);
  append_utf8(out, 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00));
  return true;
}

// RFC 8259 §7. False: not a valid JSON string.
bool unescape(std::string_view rest, std::string& out) {
  constexpr std::string_view kFrom = "\"\\/bfnrt";
  constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  out.reserve(rest.size());  // it only gets shorter, so it never grows
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (rest.empty()) return false;
    const char kind = rest[0];
    rest.remove_prefix(1);
    if (kind == 'u') {
      if (!append_escaped_point(out, rest)) return false;
    } else if (const auto at = kFrom.find(kind); at != std::string_view::npos) {
      out += kTo[at];
    } else {
      return false;
    }
  }
  return is_utf8(out);
}

}  // namespace

Result<std::optional<SecretString>> cut_string_member(std::string& json, std::string_view name) {
  std::optional<SecretString> found;
  Walker walker(json);
  if (!walker.accept('{')) return bad_json();
  if (walker.accept('}')) return found;
  do {
    std::size_t key_begin = 0;
    std::size_t key_end = 0;
    if (!walker.string(key_begin, key_end) || !walker.accept(':')) return bad_json();
    const bool wanted = std::string_view(json).substr(key_begin, key_end - key_begin) == name;
    walker.skip_blanks();
    if (walker.peek() != '"') {
      if (!walker.other_value()) return bad_json();
      if (wanted) found.reset();
      continue;
    }
    std::size_t begin = 0;
    std::size_t end = 0;
    if (!walker.string(begin, end)) return bad_json();
    if (!wanted) continue;
    std::string plain;
    const bool valid = unescape(std::string_view(json).substr(begin, end - begin), plain);
    found = SecretString::take(std::move(plain));
    std::fill(json.begin() + static_cast<std::ptrdiff_t>(begin),
              json.begin() + static_cast<std::ptrdiff_t>(end), ' ');
    if (!valid) return bad_json();
  } while (walker.accept(','));
  if (!walker.accept('}')) return bad_json();
  return found;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escaped.data();
    } else {
      out += c;
    }
  }
  out += '"';
}

std::size_t json_string_room(std::string_view text) { return 6 * text.size() + 2; }

}  // namespace keyturn::aws
