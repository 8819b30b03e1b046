// The fields of a secret that is a JSON object, read one by one. An empty string counts as absent.
// Errors are Invalid and name the field; none holds a part of a credential.
//
// Thread rule: used by one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"

namespace keyturn::engine {

// Remembers the first problem: "MissingField", "BadField", or what complain() was told.
class Fields {
 public:
  // `document` must be an object and outlive this.
  explicit Fields(const Document& document) : document_(document) {}

  SecretString secret(const char* name);
  std::string text(const char* name);
  std::string required(const char* name, const char* what);
  std::vector<std::string> list(const char* name);

  void complain(Error error);
  const std::optional<Error>& problem() const { return problem_; }

 private:
  std::optional<SecretString> member(const char* name);

  const Document& document_;
  std::optional<Error> problem_;
};

// Whether the text can stand in an HTTP header as it is, as every token can.
bool fits_a_header(const SecretString& text);
// Before a backend mints anything: whether the value leaves room for a new credential. Invalid
// "ValueTooLarge".
Status check_room(const SecretString& value);

}  // namespace keyturn::engine
