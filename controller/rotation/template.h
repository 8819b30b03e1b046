// The small language of `spec.targets[].data`: text with fields of the secret's value in it.
//
//   postgres://{{ username | urlencode }}:{{ password | urlencode }}@{{ hosts[0].name }}:5432/
//
// `{{ path | filter | … }}`
//   path      name, name.name, name[0] (an element of an array), name["any name"], ["any name"]; a
//   name without quotes is letters,
//             digits, _ and -. What stands there: a string as its characters, a number, boolean or
//             null as written, an object or array as its JSON text. For a secret that is a bare
//             string the only path is `value`: all of it.
//   previous. before a path: the same of the value labelled AWSPREVIOUS. While there is none (the
//   first version), the current value stands
//             in: an empty key would be one that anybody can guess. (A field called previous is
//             written ["previous"].)
//   filters   urlencode (RFC 3986), b64enc (base64), json (a JSON string with its quotes; numbers,
//   objects … as they are)
// `{{ "{{" }}` writes two braces: a text in double or single quotes stands for itself (\\, \" and
// \' escape inside). `}}` alone needs nothing.
//
// There is nothing else on purpose: no conditions, no loops, no look-ups in the cluster; a template
// cannot read what its secret does not hold.
//
// Thread rule: immutable once parsed. Errors: Invalid "BadTemplate" with the column (and line,
// where there are several) of the mistake and the remedy; Invalid "TemplateFailed" naming the field
// that is missing. They hold template text and field names, never a part of a value; the caller
// puts target and key before them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"
#include "lib/engine/pointer.h"

namespace keyturn::rotation {

class Template {
 public:
  enum class Filter { UrlEncode, Base64, Json };
  struct Field {
    bool previous = false;
    engine::Pointer pointer;  // the path as a JSON pointer; `value` is /value
    std::vector<Filter> filters;
    std::size_t offset = 0;  // of its {{ in the template
  };

  static Result<Template> parse(std::string_view text);

  // Whether AWSPREVIOUS has to be read to render it.
  bool needs_previous() const;
  // What it reads, in order.
  std::vector<const Field*> fields() const;

  // `previous` null: there is no such version. At most 1 MiB comes out, which is what a Kubernetes
  // Secret holds.
  Result<SecretString> render(const engine::Document& current,
                              const engine::Document* previous) const;

 private:
  using Part = std::variant<std::string, Field>;
  explicit Template(std::string text) : text_(std::move(text)) {}

  std::string text_;
  std::vector<Part> parts_;
};

// "column 12", or "line 2, column 5" in a text of several lines. Counted from 1, in characters.
std::string position_in(std::string_view text, std::size_t offset);

}  // namespace keyturn::rotation
