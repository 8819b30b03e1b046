#include "controller/rotation/template.h"

#include <algorithm>
#include <utility>

#include "controller/rotation/template_parser.h"
#include "lib/base/text.h"
#include "lib/engine/json_text.h"

namespace keyturn::rotation {
namespace {

using engine::Document;

constexpr std::string_view kOpen = "{{";
constexpr std::size_t kMaxRendered = 1u << 20;  // core/v1 MaxSecretSize

// A path as people write it in templates, for messages.
std::string written(const Template::Field& field) {
  std::string out = field.previous ? "previous" : "";
  for (const std::string& token : field.pointer.tokens()) {
    out += (out.empty() ? "" : ".") + printable(token, 60);
  }
  return out;
}

// The whole of a bare string, or the field. `json`: as JSON text.
Result<SecretString> read(const Template::Field& field, const Document& document, bool json) {
  if (!document.is_object()) {
    if (field.pointer.tokens() != std::vector<std::string>{"value"}) {
      return invalid("TemplateFailed",
                     "the secret's " + std::string(field.previous ? "previous " : "") +
                         "value is not a JSON object (" + document.why_bare() + "), so that {{ " +
                         (field.previous ? "previous." : "") + "value }} is all there is");
    }
    if (json) {
      if (!is_utf8(document.text().reveal())) {
        return invalid("TemplateFailed",
                       "the value is not UTF-8 text, which the filter json needs");
      }
      return SecretString::take(engine::json_text::quote(document.text().reveal()));
    }
    return document.text().clone();
  }
  return json ? document.get_json(field.pointer) : document.get(field.pointer);
}

SecretString apply(Template::Filter filter, const SecretString& value) {
  switch (filter) {
    case Template::Filter::UrlEncode:
      return SecretString::take(url_encode(value.reveal()));
    case Template::Filter::Base64:
      return SecretString::take(base64(value.reveal()));
    case Template::Filter::Json:
      return SecretString::take(engine::json_text::quote(value.reveal()));
  }
  return {};
}

Result<SecretString> evaluate(const Template::Field& field, const Document& document) {
  const bool json_first = !field.filters.empty() && field.filters.front() == Template::Filter::Json;
  auto value = read(field, document, json_first);
  if (!value) return value;
  for (std::size_t i = json_first ? 1 : 0; i < field.filters.size(); ++i) {
    value = apply(field.filters[i], *value);
    if (value->size() > kMaxRendered)
      break;  // reported by the caller; three times as much is not made first
  }
  return value;
}

}  // namespace

std::string position_in(std::string_view text, std::size_t offset) {
  std::size_t line = 1, column = 1;
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {  // not inside a UTF-8 character
      ++column;
    }
  }
  const std::string where = "column " + std::to_string(column);
  return text.find('\n') == std::string_view::npos ? where
                                                   : "line " + std::to_string(line) + ", " + where;
}

Result<Template> Template::parse(std::string_view text) {
  Template out{std::string(text)};
  std::string literal;
  std::size_t at = 0;
  for (;;) {
    const std::size_t open = text.find(kOpen, at);
    literal += text.substr(at, open == std::string_view::npos ? open : open - at);
    if (open == std::string_view::npos) break;
    ExpressionParser expression(text, open + kOpen.size());
    auto part = expression.parse();
    if (!part) return std::move(part).error();
    at = expression.end();
    if (const auto* quoted = std::get_if<std::string>(&*part)) {
      literal += *quoted;
      continue;
    }
    if (!literal.empty()) out.parts_.emplace_back(std::exchange(literal, {}));
    out.parts_.push_back(std::move(part).value());
  }
  if (!literal.empty()) out.parts_.emplace_back(std::move(literal));
  return out;
}

std::vector<const Template::Field*> Template::fields() const {
  std::vector<const Field*> out;
  for (const Part& part : parts_) {
    if (const auto* field = std::get_if<Field>(&part)) out.push_back(field);
  }
  return out;
}

bool Template::needs_previous() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
    const auto* field = std::get_if<Field>(&part);
    return field != nullptr && field->previous;
  });
}

Result<SecretString> Template::render(const Document& current, const Document* previous) const {
  std::vector<SecretString> values;
  std::size_t size = 0;
  for (const Part& part : parts_) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      size += literal->size();
      continue;
    }
    const Field& field = std::get<Field>(part);
    auto value = evaluate(field, field.previous && previous != nullptr ? *previous : current);
    if (!value) {
      Error error = std::move(value).error();
      error.cls = ErrorClass::Invalid;
      error.code = "TemplateFailed";
      return std::move(error).with_context(position_in(text_, field.offset) + ", {{ " +
                                           written(field) + " }}");
    }
    size += value->size();
    if (size > kMaxRendered) break;
    values.push_back(std::move(value).value());
  }
  if (size > kMaxRendered) {
    return invalid(
        "TemplateFailed",
        "the text would be longer than 1 MiB, which is all that a Kubernetes Secret holds");
  }
  std::string out;
  out.reserve(size);  // one allocation, so that no copy is left behind
  auto next = values.begin();
  for (const Part& part : parts_) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      out += *literal;
    } else {
      out += (next++)->reveal();
    }
  }
  return SecretString::take(std::move(out));
}

}  // namespace keyturn::rotation
