// A small part of the Common Expression Language: what validation rules of CRDs commonly use.
//
// Understood: literals, lists, identifiers, field and index access, ! - + == != < <= > >= in && ||
// ?:, has(), size(), duration(), and the methods size, contains, startsWith, endsWith, matches,
// all, exists. Durations evaluate to milliseconds. Regular expressions are ECMAScript's (RE2's
// differ in corners). Thread rule: expressions are immutable once parsed.
#pragma once

#include <map>
#include <memory>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox::cel {

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

struct Expr {
  enum class Kind { Literal, List, Name, Field, Index, Call, Method, Not, Negate, Binary, Choice };
  Kind kind = Kind::Literal;
  std::string text;  // name, field, function, operator
  Json literal;
  std::vector<ExprPtr> parts;                 // operands; Method: receiver first
  std::shared_ptr<const std::regex> pattern;  // of matches() with a literal
};

// Not CEL, or a part of it that is not understood here.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// CEL's own errors: no such field, wrong types.
struct EvalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

ExprPtr parse(const std::string& text);  // throws Unsupported
bool mentions(const Expr& expr, const std::string& name);

using Scope = std::map<std::string, const Json*>;
Json evaluate(const Expr& expr, const Scope& scope);  // throws EvalError, Unsupported

}  // namespace keyturn::sandbox::cel
