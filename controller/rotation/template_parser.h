// One `{{ … }}` of a template (template.h has the language).
//
// Thread rule: one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "controller/rotation/template.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

class ExpressionParser {
 public:
  // `at`: just behind the opening braces.
  ExpressionParser(std::string_view text, std::size_t at) : text_(text), open_(at - 2), at_(at) {}

  // A literal text or a field. Behind the closing braces afterwards: end().
  Result<std::variant<std::string, Template::Field>> parse();
  std::size_t end() const { return at_; }

 private:
  Error bad(std::size_t offset, const std::string& what) const;
  void skip_space();
  bool done() const { return at_ >= text_.size(); }
  bool take(std::string_view token);
  std::string_view name();
  Result<std::string> quoted();
  Result<Template::Field> path();
  Status bracket(std::vector<std::string>& tokens);
  Status filters(Template::Field& field);

  std::string_view text_;
  std::size_t open_, at_;
};

}  // namespace keyturn::rotation
