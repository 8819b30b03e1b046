#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "tests/sandbox/cel.h"

namespace keyturn::sandbox::cel {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  ExprPtr whole() {
    ExprPtr out = choice();
    blank();
    if (at_ != text_.size()) fail();
    return out;
  }

 private:
  [[noreturn]] void fail() const {
    throw Unsupported("not understood at " + std::to_string(at_) + ": " + text_);
  }

  void blank() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool take(std::string_view token) {
    blank();
    if (text_.compare(at_, token.size(), token) != 0) return false;
    // A word must end where it ends.
    const bool word = std::isalpha(static_cast<unsigned char>(token.front())) != 0;
    const std::size_t end = at_ + token.size();
    if (word && end < text_.size() && is_word(text_[end])) return false;
    at_ = end;
    return true;
  }
  void need(std::string_view token) {
    if (!take(token)) fail();
  }
  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  }

  static ExprPtr make(Expr::Kind kind, std::string text, std::vector<ExprPtr> parts) {
    static const std::set<std::string> kFunctions = {"has", "size", "duration"};
    static const std::set<std::string> kMethods = {"size",    "contains", "startsWith", "endsWith",
                                                   "matches", "all",      "exists"};
    if (kind == Expr::Kind::Call && !kFunctions.contains(text)) throw Unsupported(text + "()");
    if (kind == Expr::Kind::Method && !kMethods.contains(text)) throw Unsupported(text + "()");
    auto out = std::make_shared<Expr>();
    out->kind = kind;
    out->text = std::move(text);
    out->parts = std::move(parts);
    if (kind == Expr::Kind::Method && out->text == "matches" && out->parts.size() == 2 &&
        out->parts[1]->kind == Expr::Kind::Literal && out->parts[1]->literal.is_string()) {
      out->pattern = std::make_shared<std::regex>(out->parts[1]->literal.get<std::string>(),
                                                  std::regex::ECMAScript | std::regex::optimize);
    }
    return out;
  }
  static ExprPtr literal(Json value) {
    auto out = std::make_shared<Expr>();
    out->literal = std::move(value);
    return out;
  }

  ExprPtr choice() {
    ExprPtr condition = any_of();
    if (!take("?")) return condition;
    ExprPtr yes = choice();
    need(":");
    ExprPtr no = choice();
    return make(Expr::Kind::Choice, "?", {condition, yes, no});
  }

  ExprPtr any_of() {
    ExprPtr left = all_of();
    while (take("||")) left = make(Expr::Kind::Binary, "||", {left, all_of()});
    return left;
  }
  ExprPtr all_of() {
    ExprPtr left = relation();
    while (take("&&")) left = make(Expr::Kind::Binary, "&&", {left, relation()});
    return left;
  }
  ExprPtr relation() {
    ExprPtr left = sum();
    for (;;) {
      static constexpr std::array kOperators = {"==", "!=", "<=", ">=", "<", ">", "in"};
      const auto* const found = std::find_if(kOperators.begin(), kOperators.end(),
                                             [&](const char* op) { return take(op); });
      if (found == kOperators.end()) return left;
      left = make(Expr::Kind::Binary, *found, {left, sum()});
    }
  }
  ExprPtr sum() {
    ExprPtr left = unary();
    for (;;) {
      if (take("+")) {
        left = make(Expr::Kind::Binary, "+", {left, unary()});
      } else if (take("-")) {
        left = make(Expr::Kind::Binary, "-", {left, unary()});
      } else {
        return left;
      }
    }
  }
  ExprPtr unary() {
    blank();
    if (at_ + 1 < text_.size() && text_[at_] == '!' && text_[at_ + 1] != '=') {
      ++at_;
      return make(Expr::Kind::Not, "!", {unary()});
    }
    if (take("-")) return make(Expr::Kind::Negate, "-", {unary()});
    return postfix();
  }

  ExprPtr postfix() {
    ExprPtr out = primary();
    for (;;) {
      if (take(".")) {
        std::string name = word();
        if (take("(")) {
          std::vector<ExprPtr> parts = {out};
          for (ExprPtr& argument : arguments(")")) parts.push_back(std::move(argument));
          out = make(Expr::Kind::Method, std::move(name), std::move(parts));
        } else {
          out = make(Expr::Kind::Field, std::move(name), {out});
        }
      } else if (take("[")) {
        ExprPtr index = choice();
        need("]");
        out = make(Expr::Kind::Index, "[]", {out, index});
      } else {
        return out;
      }
    }
  }

  std::vector<ExprPtr> arguments(std::string_view end) {
    std::vector<ExprPtr> out;
    if (take(end)) return out;
    do {
      out.push_back(choice());
    } while (take(","));
    need(end);
    return out;
  }

  ExprPtr primary() {
    blank();
    if (take("(")) {
      ExprPtr inner = choice();
      need(")");
      return inner;
    }
    if (take("[")) return make(Expr::Kind::List, "[]", arguments("]"));
    if (at_ >= text_.size()) fail();
    const char c = text_[at_];
    if (c == '\'' || c == '"') return literal(quoted(false));
    if ((c == 'r') && at_ + 1 < text_.size() && (text_[at_ + 1] == '\'' || text_[at_ + 1] == '"')) {
      ++at_;
      return literal(quoted(true));
    }
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) return number();
    std::string name = word();
    if (name == "true") return literal(true);
    if (name == "false") return literal(false);
    if (name == "null") return literal(nullptr);
    if (take("(")) return make(Expr::Kind::Call, std::move(name), arguments(")"));
    return make(Expr::Kind::Name, std::move(name), {});
  }

  std::string word() {
    blank();
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    if (at_ == start) fail();
    return text_.substr(start, at_ - start);
  }

  ExprPtr number() {
    std::size_t end = at_;
    while (end < text_.size() &&
           (std::isdigit(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '.'))
      ++end;
    const std::string digits = text_.substr(at_, end - at_);
    at_ = end;
    if (digits.find('.') != std::string::npos) return literal(std::stod(digits));
    return literal(std::stoll(digits));
  }

  std::string quoted(bool raw) {
    const char end = text_[at_++];
    std::string out;
    for (; at_ < text_.size() && text_[at_] != end; ++at_) {
      if (text_[at_] != '\\' || raw) {
        out += text_[at_];
        continue;
      }
      if (++at_ >= text_.size()) fail();
      switch (text_[at_]) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case '\\':
        case '\'':
        case '"':
          out += text_[at_];
          break;
        default:
          fail();
      }
    }
    if (at_ >= text_.size()) fail();
    ++at_;
    return out;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

}  // namespace

ExprPtr parse(const std::string& text) {
  try {
    return Parser(text).whole();
  } catch (const std::regex_error&) {
    throw Unsupported("a regular expression that is not understood: " + text);
  }
}

bool mentions(const Expr& expr, const std::string& name) {
  if (expr.kind == Expr::Kind::Name && expr.text == name) return true;
  return std::any_of(expr.parts.begin(), expr.parts.end(),
                     [&](const ExprPtr& part) { return mentions(*part, name); });
}

}  // namespace keyturn::sandbox::cel
