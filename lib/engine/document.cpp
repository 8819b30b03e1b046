#include "lib/engine/document.h"

#include <cstddef>
#include <optional>
#include <unordered_set>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/json_text.h"

namespace keyturn::engine {
namespace {

enum class Found { Once, Never, Twice };

Found into_object(std::string_view text, json_text::Span& at, const std::string& token) {
  std::optional<json_text::Span> match;
  for (json_text::Walker member(text, at); member.next();) {
    if (json_text::unquote(member.key().of(text)) != token) continue;
    if (match) return Found::Twice;
    match = member.value();
  }
  if (!match) return Found::Never;
  at = *match;
  return Found::Once;
}

Found into_array(std::string_view text, json_text::Span& at, const std::string& token) {
  const auto index = array_index(token);
  if (!index) return Found::Never;
  std::size_t seen = 0;
  for (json_text::Walker element(text, at); element.next(); ++seen) {
    if (seen != *index) continue;
    at = element.value();
    return Found::Once;
  }
  return Found::Never;
}

std::string named(const Pointer& pointer) { return "field " + printable(pointer.text()); }

}  // namespace

Document Document::parse(SecretString&& text) {
  Document document;
  document.text_ = std::move(text);
  const std::string_view bytes = document.text_.reveal();
  if (const auto fault = json_text::check(bytes)) {
    document.why_bare_ = "byte " + std::to_string(fault->offset) + ": " + fault->what;
  } else if (bytes[json_text::root(bytes).begin] != '{') {
    document.why_bare_ = "it is JSON, but not an object";
  } else {
    document.object_ = true;
  }
  return document;
}

std::vector<std::string> Document::keys() const {
  std::vector<std::string> keys;
  if (!object_) return keys;
  const std::string_view text = text_.reveal();
  std::unordered_set<std::string> seen;
  for (json_text::Walker member(text, json_text::root(text)); member.next();) {
    std::string key = json_text::unquote(member.key().of(text));
    if (seen.insert(key).second) keys.push_back(std::move(key));
  }
  return keys;
}

Result<std::string_view> Document::find(const Pointer& pointer) const {
  if (!object_) {
    return invalid(
        "NotAnObject",
        named(pointer) + ": the secret's value is not a JSON object (" + why_bare_ +
            "); store an object with this field, or leave the field out to use the whole string");
  }
  const std::string_view text = text_.reveal();
  json_text::Span at = json_text::root(text);
  for (const std::string& token : pointer.tokens()) {
    const char kind = text[at.begin];
    const Found found = kind == '{'   ? into_object(text, at, token)
                        : kind == '[' ? into_array(text, at, token)
                                      : Found::Never;
    if (found == Found::Never) {
      return make_error(
          ErrorClass::NotFound, "NoSuchField",
          named(pointer) + " is not in the secret's value; add it there, or correct the name");
    }
    if (found == Found::Twice) {
      return invalid("DuplicateField",
                     named(pointer) + ": \"" + printable(token) +
                         "\" stands more than once in its object; keep one of them");
    }
  }
  return at.of(text);
}

Result<SecretString> Document::get_json(const Pointer& pointer) const {
  auto field = find(pointer);
  if (!field) return std::move(field).error();
  return SecretString(*field);
}

Result<SecretString> Document::get(const Pointer& pointer) const {
  auto field = find(pointer);
  if (!field) return std::move(field).error();
  return field->front() == '"' ? SecretString::take(json_text::unquote(*field))
                               : SecretString(*field);
}

Result<SecretString> Document::get(std::string_view pointer) const {
  auto parsed = Pointer::parse(pointer);
  if (!parsed) return std::move(parsed).error();
  return get(*parsed);
}

Document Document::replaced(std::string_view field, std::string_view json) const {
  const std::string_view text = text_.reveal();
  const auto begin = static_cast<std::size_t>(field.data() - text.data());
  std::string out;
  out.reserve(text.size() - field.size() + json.size());
  out.append(text.substr(0, begin)).append(json).append(text.substr(begin + field.size()));
  Document document;
  document.text_ = SecretString::take(std::move(out));
  document.object_ = true;  // one good value in the place of another
  return document;
}

Result<Document> Document::with_string(const Pointer& pointer, const SecretString& value) const {
  auto field = find(pointer);
  if (!field) return std::move(field).error();
  if (field->front() == '{' || field->front() == '[') {
    return invalid(
        "NotAScalar",
        named(pointer) +
            " holds an object or an array; name a field that holds the credential itself");
  }
  if (!is_utf8(value.reveal())) {
    return invalid("NotUnicode",
                   named(pointer) + ": the new value is not UTF-8 text, which JSON cannot hold");
  }
  const SecretString json = SecretString::take(json_text::quote(value.reveal()));
  return replaced(*field, json.reveal());
}

Result<Document> Document::with_string(std::string_view pointer, const SecretString& value) const {
  auto parsed = Pointer::parse(pointer);
  if (!parsed) return std::move(parsed).error();
  return with_string(*parsed, value);
}

Result<Document> Document::with_member(const std::string& name, const SecretString& value) const {
  const Pointer pointer = Pointer::of({name});
  auto replaced_here = with_string(pointer, value);
  if (replaced_here || replaced_here.error().code != "NoSuchField") return replaced_here;
  if (!is_utf8(name) || !is_utf8(value.reveal())) {
    return invalid("NotUnicode",
                   named(pointer) + ": the new value is not UTF-8 text, which JSON cannot hold");
  }
  const std::string_view text = text_.reveal();
  const json_text::Span root = json_text::root(text);
  std::size_t end = root.begin + 1;  // behind the last member
  std::string_view before;           // the white space in front of the first
  for (json_text::Walker member(text, root); member.next();) {
    if (end == root.begin + 1) before = text.substr(end, member.key().begin - end);
    end = member.value().end;
  }
  const bool first = end == root.begin + 1;
  const SecretString json = SecretString::take(json_text::quote(value.reveal()));
  const std::string key = json_text::quote(name);
  std::string out;
  out.reserve(text.size() + before.size() + key.size() + json.size() + 4);
  out.append(text.substr(0, end)).append(first ? "" : ",").append(before).append(key);
  out.append(": ").append(json.reveal()).append(text.substr(end));
  Document document;
  document.text_ = SecretString::take(std::move(out));
  document.object_ = true;
  return document;
}

Result<Document> Document::with_copy(const Pointer& pointer, const Document& from) const {
  auto field = find(pointer);
  if (!field) return std::move(field).error();
  auto other = from.find(pointer);
  if (!other) return std::move(other).error();
  if (pointer.tokens().empty()) return parse(SecretString(*other));
  return replaced(*field, *other);
}

}  // namespace keyturn::engine
