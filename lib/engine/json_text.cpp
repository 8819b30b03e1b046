#include "lib/engine/json_text.h"

#include <cstdint>

#include "lib/base/text.h"

namespace keyturn::engine::json_text {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// Value of four hex digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    int digit;
    if (is_digit(c)) {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// Recursive descent, bounded by kMaxDepth. Every method starts at at_ and leaves it behind what it
// took.
class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  std::optional<Fault> run() {
    space();
    if (!value(0)) return fault_;
    space();
    if (at_ != text_.size()) fail("nothing may follow the value");
    return fault_;
  }

 private:
  bool fail(const char* what) {
    if (!fault_) fault_ = Fault{at_, what};
    return false;
  }
  void space() { at_ = skip_space(text_, at_); }
  bool end() const { return at_ == text_.size(); }
  bool take(char c) {
    if (end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool value(int depth) {
    if (end()) return fail("the text ends where a value must be");
    switch (text_[at_]) {
      case '{':
        return depth == kMaxDepth ? fail("nested too deeply") : object(depth + 1);
      case '[':
        return depth == kMaxDepth ? fail("nested too deeply") : array(depth + 1);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool object(int depth) {
    ++at_;
    space();
    if (take('}')) return true;
    for (;;) {
      if (end() || text_[at_] != '"') return fail("a field name in double quotes must be here");
      if (!string()) return false;
      space();
      if (!take(':')) return fail("a colon must follow the field name");
      space();
      if (!value(depth)) return false;
      space();
      if (take('}')) return true;
      if (!take(',')) return fail("a comma or } must follow the field");
      space();
    }
  }

  bool array(int depth) {
    ++at_;
    space();
    if (take(']')) return true;
    for (;;) {
      if (!value(depth)) return false;
      space();
      if (take(']')) return true;
      if (!take(',')) return fail("a comma or ] must follow the element");
      space();
    }
  }

  bool string() {
    ++at_;
    for (;;) {
      if (end()) return fail("the text ends inside a string");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return fail("a control character in a string must be escaped");
      if (c == '\\') {
        if (!escape()) return false;
        continue;
      }
      ++at_;
      if (c == '"') return true;
    }
  }

  bool escape() {
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (kind != 'u') {
      if (kind == '\0' || std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
        return fail("unknown escape in a string");
      }
      at_ += 2;
      return true;
    }
    const int unit = hex4(text_, at_ + 2);
    if (unit < 0) return fail("\\u must be followed by four hexadecimal digits");
    if (is_low_surrogate(unit)) return fail("unpaired surrogate escape");
    if (is_high_surrogate(unit)) {
      const bool pair = text_.substr(at_ + 6, 2) == "\\u" && is_low_surrogate(hex4(text_, at_ + 8));
      if (!pair) return fail("unpaired surrogate escape");
      at_ += 6;
    }
    at_ += 6;
    return true;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected)
      return fail("no JSON value starts like this");
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t start = at_;
    while (!end() && is_digit(text_[at_])) ++at_;
    return at_ > start;
  }

  bool number() {
    const std::size_t start = at_;
    take('-');
    if (!take('0') && !digits()) {
      at_ = start;
      return fail("no JSON value starts like this");
    }
    if (take('.') && !digits()) return fail("digits must follow the decimal point");
    if (!end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!take('+')) take('-');
      if (!digits()) return fail("digits must follow the exponent");
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Fault> fault_;
};

std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// One past the value at `at`. The text is known to be good, so brackets outside strings balance.
std::size_t value_end(std::string_view text, std::size_t at) {
  if (text[at] == '"') return string_end(text, at);
  if (text[at] != '{' && text[at] != '[') {
    while (at < text.size() && !is_space(text[at]) && text[at] != ',' && text[at] != '}' &&
           text[at] != ']')
      ++at;
    return at;
  }
  int depth = 0;
  for (;;) {
    switch (text[at]) {
      case '"':
        at = string_end(text, at);
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        --depth;
        break;
      default:
        break;
    }
    ++at;
    if (depth == 0) return at;
  }
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

// The letter of a short escape for this control character, quote or backslash; 0: none.
char short_escape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

}  // namespace

std::optional<Fault> check(std::string_view text) {
  if (!is_utf8(text)) return Fault{0, "not UTF-8"};
  return Checker(text).run();
}

Span root(std::string_view text) {
  const std::size_t begin = skip_space(text, 0);
  return {begin, value_end(text, begin)};
}

Walker::Walker(std::string_view text, Span container)
    : text_(text), at_(container.begin), object_(text[container.begin] == '{') {}

bool Walker::next() {
  // at_ is on the opening bracket first, then behind a value: on a comma or the closing bracket,
  // space aside.
  at_ = skip_space(text_, at_);
  if (text_[at_] == '}' || text_[at_] == ']') return false;
  at_ = skip_space(text_, at_ + 1);
  if (text_[at_] == '}' || text_[at_] == ']') return false;  // empty container
  if (object_) {
    key_ = {at_, string_end(text_, at_)};
    at_ = skip_space(text_, key_.end);
    at_ = skip_space(text_, at_ + 1);
  }
  value_ = {at_, value_end(text_, at_)};
  at_ = value_.end;
  return true;
}

std::string unquote(std::string_view quoted) {
  std::string out;
  out.reserve(quoted.size());  // an escape is never shorter than what it stands for
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] != '\\') {
      out += quoted[i];
      continue;
    }
    switch (quoted[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        const int unit = hex4(quoted, i + 1);
        i += 4;
        auto point = static_cast<std::uint32_t>(unit);
        if (is_high_surrogate(unit)) {
          const auto low = static_cast<std::uint32_t>(hex4(quoted, i + 3));
          point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
          i += 6;
        }
        append_utf8(out, point);
        break;
      }
      default:
        out += quoted[i];  // " \ /
    }
  }
  return out;
}

std::string quote(std::string_view text) {
  std::size_t size = text.size() + 2;
  for (char c : text) {
    if (short_escape(c) != 0) {
      size += 1;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      size += 5;
    }
  }
  std::string out;
  out.reserve(size);
  out += '"';
  for (char c : text) {
    if (const char letter = short_escape(c); letter != 0) {
      out += '\\';
      out += letter;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

}  // namespace keyturn::engine::json_text
