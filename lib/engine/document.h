// A secret's text as people store it: a JSON object, or a bare string. Reads fields and replaces
// them without touching any other byte (order, spacing, number forms and escapes of the rest stay).
//
// Fields are named by JSON pointers (pointer.h). A field whose name stands twice in its object is
// refused: readers disagree on which counts. Thread rule: plain values. Errors name the pointer,
// never a part of the value.
//   Invalid "BadPointer"      the pointer itself is malformed
//   Invalid "NotAnObject"     a field of a bare string; says where the text stops being JSON
//   NotFound "NoSuchField"    nothing there
//   Invalid "DuplicateField"  the pointer passes a name that stands twice
//   Invalid "NotAScalar"      replacing an object or an array by a string
//   Invalid "NotUnicode"      a new value that is not UTF-8, which JSON cannot hold
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/pointer.h"

namespace keyturn::engine {

class Document {
 public:
  // Anything that is not a JSON object is a bare string (also "null", numbers, arrays, broken
  // JSON).
  static Document parse(const SecretString& text) { return parse(text.clone()); }
  static Document parse(SecretString&& text);

  bool is_object() const { return object_; }
  // Why it is a bare string, in terms of JSON and byte offsets; "" for an object.
  const std::string& why_bare() const { return why_bare_; }
  const SecretString& text() const { return text_; }
  SecretString take_text() && { return std::move(text_); }
  // Top-level field names in order, each once; empty for a bare string.
  std::vector<std::string> keys() const;
  // A string field decoded; numbers, booleans and null as written; objects and arrays as their JSON
  // text.
  Result<SecretString> get(const Pointer& pointer) const;
  Result<SecretString> get(std::string_view pointer) const;
  // The field's JSON text as written, quotes included.
  Result<SecretString> get_json(const Pointer& pointer) const;
  // The document with the field's value replaced by a JSON string of `value`. The field must exist
  // and be a string, number, boolean or null.
  Result<Document> with_string(const Pointer& pointer, const SecretString& value) const;
  Result<Document> with_string(std::string_view pointer, const SecretString& value) const;
  // The document with a top-level string of that name: replaced as above where there is one, else
  // added as the last member, with the first member's white space before it.
  Result<Document> with_member(const std::string& name, const SecretString& value) const;
  // The document with the field's value replaced by that of the same field in `from`, as written
  // there.
  Result<Document> with_copy(const Pointer& pointer, const Document& from) const;

 private:
  Result<std::string_view> find(const Pointer& pointer) const;
  Document replaced(std::string_view field, std::string_view json) const;

  SecretString text_;
  bool object_ = false;
  std::string why_bare_;
};

}  // namespace keyturn::engine
