#include "controller/rotation/template_parser.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "lib/base/suggest.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

constexpr std::string_view kClose = "}}";
constexpr std::array<std::string_view, 3> kFilterNames = {"urlencode", "b64enc", "json"};
constexpr std::array<Template::Filter, kFilterNames.size()> kFilters = {
    Template::Filter::UrlEncode, Template::Filter::Base64, Template::Filter::Json};
constexpr std::size_t kMaxFilters = 8;
constexpr std::size_t kMaxPath = 32;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

Error ExpressionParser::bad(std::size_t offset, const std::string& what) const {
  return invalid("BadTemplate", position_in(text_, offset) + ": " + what);
}

void ExpressionParser::skip_space() {
  while (!done() && is_space(text_[at_])) ++at_;
}

bool ExpressionParser::take(std::string_view token) {
  if (text_.substr(std::min(at_, text_.size()), token.size()) != token) return false;
  at_ += token.size();
  return true;
}

std::string_view ExpressionParser::name() {
  const std::size_t start = at_;
  if (!done() && text_[at_] == '-') return {};  // {{- of other languages is no name
  while (!done() && is_name_char(text_[at_])) ++at_;
  return text_.substr(start, at_ - start);
}

Result<std::string> ExpressionParser::quoted() {
  const std::size_t start = at_;
  const char quote = text_[at_++];
  std::string out;
  for (; !done(); ++at_) {
    char c = text_[at_];
    if (c == quote) {
      ++at_;
      return out;
    }
    if (c == '\\') {
      ++at_;
      if (done()) break;
      c = text_[at_];
      if (c != '\\' && c != '"' && c != '\'')
        return bad(at_ - 1, "a backslash must be followed by \\, \" or '");
    }
    out += c;
  }
  return bad(start, "this quote is never closed");
}

// [0] or ["any name"], from behind the opening bracket.
Status ExpressionParser::bracket(std::vector<std::string>& tokens) {
  const std::size_t start = at_;
  skip_space();
  if (!done() && (text_[at_] == '"' || text_[at_] == '\'')) {
    auto key = quoted();
    if (!key) return std::move(key).error();
    tokens.push_back(std::move(*key));
  } else {
    const std::string_view index = name();
    if (!engine::array_index(index))
      return bad(start, "brackets hold an array index or a name in quotes, as in [0] or [\"a.b\"]");
    tokens.emplace_back(index);
  }
  skip_space();
  if (!take("]")) return bad(at_, "a ] must be here");
  return {};
}

Result<Template::Field> ExpressionParser::path() {
  Template::Field field{false, engine::Pointer::of({}), {}, open_};
  std::vector<std::string> tokens;
  const std::size_t start = at_;
  if (const std::string_view first = name(); !first.empty()) {
    field.previous = first == "previous";
    if (!field.previous) tokens.emplace_back(first);
  } else if (text_[at_] == '.') {
    return bad(at_, "a path has no leading dot; write {{ token }}, not {{ .token }}");
  } else if (text_[at_] != '[') {
    return bad(at_,
               "a field's name must be here, as in {{ password }}; names with other characters are "
               "written [\"my name\"]");
  }
  for (;;) {
    if (take("[")) {
      if (auto taken = bracket(tokens); !taken) return std::move(taken).error();
    } else if (take(".")) {
      const std::string_view next = name();
      if (next.empty()) return bad(at_, "a name must follow the dot");
      tokens.emplace_back(next);
    } else {
      break;
    }
  }
  if (tokens.empty()) {
    return bad(start,
               "say what of the previous value: previous.<field>, or previous.value where the "
               "secret is a bare string");
  }
  if (tokens.size() > kMaxPath)
    return bad(start, "the path has more than " + std::to_string(kMaxPath) + " steps");
  field.pointer = engine::Pointer::of(std::move(tokens));
  return field;
}

Status ExpressionParser::filters(Template::Field& field) {
  for (skip_space(); take("|"); skip_space()) {
    skip_space();
    const std::size_t start = at_;
    const std::string_view wanted = name();
    if (wanted.empty()) return bad(start, "a filter must follow the |: urlencode, b64enc or json");
    const auto found = std::find(kFilterNames.begin(), kFilterNames.end(), wanted);
    if (found == kFilterNames.end()) {
      return bad(start, "unknown filter \"" + printable(wanted, 40) + "\"" +
                            did_you_mean(wanted, kFilterNames) +
                            " (filters: urlencode, b64enc, json)");
    }
    if (field.filters.size() == kMaxFilters)
      return bad(start, "more than " + std::to_string(kMaxFilters) + " filters");
    field.filters.push_back(kFilters[static_cast<std::size_t>(found - kFilterNames.begin())]);
  }
  return {};
}

Result<std::variant<std::string, Template::Field>> ExpressionParser::parse() {
  using Part = std::variant<std::string, Template::Field>;
  skip_space();
  if (done()) return bad(open_, "{{ is never closed; to write two braces, put {{ \"{{\" }}");
  Part part;
  if (text_[at_] == '"' || text_[at_] == '\'') {
    auto literal = quoted();
    if (!literal) return std::move(literal).error();
    part = std::move(*literal);
    skip_space();
  } else {
    auto field = path();
    if (!field) return std::move(field).error();
    if (auto taken = filters(*field); !taken) return std::move(taken).error();
    part = std::move(*field);
  }
  if (done()) return bad(open_, "{{ is never closed; to write two braces, put {{ \"{{\" }}");
  if (!take(kClose)) return bad(at_, "here must be a filter (| urlencode) or the closing }}");
  return part;
}

}  // namespace keyturn::rotation
