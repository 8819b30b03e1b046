// A secret's text as people store it: a JSON object, or a bare string. Reads fields and replaces them without touching any other byte
// (order, spacing, number forms and escapes of the rest stay).
//
// Pointers are RFC 6901. Thread rule: plain values. Errors: Invalid, naming the pointer, never the value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::engine {

class Document {
 public:
  // Anything that is not a JSON object is a bare string (also "null", numbers, arrays, broken JSON).
  static Document parse(const SecretString& text);

  bool is_object() const { return object_; }
  const SecretString& text() const { return text_; }
  // Top-level field names in order; empty for a bare string.
  std::vector<std::string> keys() const;
  // A string field decoded; numbers, booleans and null as written; objects and arrays as their JSON text.
  // NotFound "NoSuchField", Invalid "NotAnObject" for a bare string.
  Result<SecretString> get(std::string_view pointer) const;
  // The document with the field's value replaced by a JSON string of `value`. The field must exist.
  Result<Document> with_string(std::string_view pointer, const SecretString& value) const;

 private:
  SecretString text_;
  bool object_ = false;
};

}  // namespace keyturn::engine
