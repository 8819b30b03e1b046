#include <algorithm>

#include "lib/base/time.h"
#include "tests/sandbox/cel.h"

namespace keyturn::sandbox::cel {
namespace {

bool truth(const Json& value) {
  if (!value.is_boolean()) throw EvalError("no such overload: a boolean is wanted");
  return value.get<bool>();
}
const std::string& text_of(const Json& value) {
  if (!value.is_string()) throw EvalError("no such overload: a string is wanted");
  return value.get_ref<const std::string&>();
}

Json field(const Json& object, const std::string& name) {
  if (!object.is_object() || !object.contains(name)) throw EvalError("no such key: " + name);
  return object[name];
}

Json size_of(const Json& value) {
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  }
  if (!value.is_structured()) throw EvalError("no such overload: size()");
  return value.size();
}

bool contains(const Json& container, const Json& wanted) {
  if (container.is_object())
    return wanted.is_string() && container.contains(wanted.get<std::string>());
  if (!container.is_array()) throw EvalError("no such overload: in");
  return std::find(container.begin(), container.end(), wanted) != container.end();
}

// One side may decide although the other fails.
Json junction(const Expr& expr, const Scope& scope, bool deciding) {
  std::string error;
  for (const ExprPtr& part : expr.parts) {
    try {
      if (truth(evaluate(*part, scope)) == deciding) return deciding;
    } catch (const EvalError& e) {
      error = e.what();
    }
  }
  if (!error.empty()) throw EvalError(error);
  return !deciding;
}

Json binary(const Expr& expr, const Scope& scope) {
  if (expr.text == "||") return junction(expr, scope, true);
  if (expr.text == "&&") return junction(expr, scope, false);
  const Json left = evaluate(*expr.parts[0], scope);
  const Json right = evaluate(*expr.parts[1], scope);
  if (expr.text == "==") return left == right;
  if (expr.text == "!=") return left != right;
  if (expr.text == "in") return contains(right, left);
  if (expr.text == "+" && left.is_string()) return left.get<std::string>() + text_of(right);
  if (expr.text == "+" && left.is_array() && right.is_array()) {
    Json out = left;
    out.insert(out.end(), right.begin(), right.end());
    return out;
  }
  const bool numbers = left.is_number() && right.is_number();
  if (!numbers && !(left.is_string() && right.is_string()))
    throw EvalError("no such overload: " + expr.text);
  if (expr.text == "<") return left < right;
  if (expr.text == "<=") return left <= right;
  if (expr.text == ">") return left > right;
  if (expr.text == ">=") return left >= right;
  if (!numbers) throw EvalError("no such overload: " + expr.text);
  if (left.is_number_integer() && right.is_number_integer()) {
    return expr.text == "+" ? left.get<std::int64_t>() + right.get<std::int64_t>()
                            : left.get<std::int64_t>() - right.get<std::int64_t>();
  }
  return expr.text == "+" ? left.get<double>() + right.get<double>()
                          : left.get<double>() - right.get<double>();
}

// has(a.b.c): whether the last step finds its field; the steps before it must succeed.
Json has(const Expr& expr, const Scope& scope) {
  if (expr.parts.size() != 1 || expr.parts[0]->kind != Expr::Kind::Field)
    throw Unsupported("has() of something else than a field");
  const Json object = evaluate(*expr.parts[0]->parts[0], scope);
  return object.is_object() && object.contains(expr.parts[0]->text);
}

Json call(const Expr& expr, const Scope& scope) {
  if (expr.text == "has") return has(expr, scope);
  if (expr.parts.size() != 1) throw Unsupported(expr.text + "()");
  const Json argument = evaluate(*expr.parts[0], scope);
  if (expr.text == "size") return size_of(argument);
  if (expr.text == "duration") {
    const auto parsed = parse_duration(text_of(argument));
    if (!parsed) throw EvalError("not a duration: " + argument.dump());
    return parsed->count();
  }
  throw Unsupported(expr.text + "()");
}

// all and exists over the items of a list or the keys of a map.
Json quantify(const Expr& expr, const Scope& scope, bool deciding) {
  if (expr.parts.size() != 3 || expr.parts[1]->kind != Expr::Kind::Name)
    throw Unsupported(expr.text + "()");
  const Json range = evaluate(*expr.parts[0], scope);
  Json items = Json::array();
  if (range.is_object()) {
    for (const auto& [key, value] : range.items()) items.push_back(key);
  } else if (range.is_array()) {
    items = range;
  } else {
    throw EvalError("no such overload: " + expr.text);
  }
  Scope inner = scope;
  std::string error;
  for (const Json& item : items) {
    inner[expr.parts[1]->text] = &item;
    try {
      if (truth(evaluate(*expr.parts[2], inner)) == deciding) return deciding;
    } catch (const EvalError& e) {
      error = e.what();
    }
  }
  if (!error.empty()) throw EvalError(error);
  return !deciding;
}

Json method(const Expr& expr, const Scope& scope) {
  if (expr.text == "all") return quantify(expr, scope, false);
  if (expr.text == "exists") return quantify(expr, scope, true);
  const Json self = evaluate(*expr.parts[0], scope);
  if (expr.text == "size" && expr.parts.size() == 1) return size_of(self);
  if (expr.parts.size() != 2) throw Unsupported(expr.text + "()");
  if (expr.text == "matches") {
    if (!expr.pattern) throw Unsupported("matches() of something else than a literal");
    return std::regex_search(text_of(self), *expr.pattern);
  }
  const Json argument = evaluate(*expr.parts[1], scope);
  if (expr.text == "contains") return text_of(self).find(text_of(argument)) != std::string::npos;
  if (expr.text == "startsWith") return text_of(self).starts_with(text_of(argument));
  if (expr.text == "endsWith") return text_of(self).ends_with(text_of(argument));
  throw Unsupported(expr.text + "()");
}

Json index(const Json& container, const Json& key) {
  if (container.is_object()) return field(container, text_of(key));
  if (!container.is_array() || !key.is_number_integer()) throw EvalError("no such overload: []");
  const auto at_index = key.get<std::int64_t>();
  if (at_index < 0 || at_index >= static_cast<std::int64_t>(container.size()))
    throw EvalError("index out of bounds");
  return container[static_cast<std::size_t>(at_index)];
}

}  // namespace

Json evaluate(const Expr& expr, const Scope& scope) {
  switch (expr.kind) {
    case Expr::Kind::Literal:
      return expr.literal;
    case Expr::Kind::List: {
      Json out = Json::array();
      for (const ExprPtr& part : expr.parts) out.push_back(evaluate(*part, scope));
      return out;
    }
    case Expr::Kind::Name: {
      const auto found = scope.find(expr.text);
      if (found == scope.end()) throw Unsupported("undeclared reference to " + expr.text);
      return *found->second;
    }
    case Expr::Kind::Field:
      return field(evaluate(*expr.parts[0], scope), expr.text);
    case Expr::Kind::Index:
      return index(evaluate(*expr.parts[0], scope), evaluate(*expr.parts[1], scope));
    case Expr::Kind::Call:
      return call(expr, scope);
    case Expr::Kind::Method:
      return method(expr, scope);
    case Expr::Kind::Not:
      return !truth(evaluate(*expr.parts[0], scope));
    case Expr::Kind::Negate: {
      const Json value = evaluate(*expr.parts[0], scope);
      if (value.is_number_integer()) return -value.get<std::int64_t>();
      if (value.is_number()) return -value.get<double>();
      throw EvalError("no such overload: -");
    }
    case Expr::Kind::Binary:
      return binary(expr, scope);
    case Expr::Kind::Choice:
      return evaluate(*expr.parts[truth(evaluate(*expr.parts[0], scope)) ? 1 : 2], scope);
  }
  throw Unsupported("expression");
}

}  // namespace keyturn::sandbox::cel
