// Passwords with the parameters of Secrets Manager's GetRandomPassword, drawn locally.
//
// Every password that the options allow is equally likely: characters are drawn uniformly from the
// pool (Rng::below has no modulo bias), and a password that lacks a required class is thrown away
// whole and drawn again. Thread rule: immutable.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/base/secret_string.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine {

class PasswordRecipe {
 public:
  // Takes length (1..4096, default 32), excludeCharacters, excludeNumbers, excludePunctuation,
  // excludeUppercase, excludeLowercase, includeSpace (all false) and requireEachIncludedType (true;
  // as in AWS it asks for one lower-case letter, upper-case letter, digit and punctuation sign, the
  // space apart). Impossible ones fail `options`.
  explicit PasswordRecipe(Options& options);
  // Characters of these classes, of each at least one. Preconditions: no class is empty, and the
  // length holds one of each.
  PasswordRecipe(std::size_t length, std::vector<std::string> classes);

  // The same, of as many characters as the option passwordLength says. Its problems fail `options`.
  static PasswordRecipe of_length(Options& options, int shortest, int longest, int usual,
                                  std::vector<std::string> classes);

  // Precondition: the options did not fail.
  Result<SecretString> draw(Rng& rng) const;

 private:
  bool has_each(const std::string& password) const;

  std::size_t length_ = 32;
  std::string pool_;
  std::vector<std::string> required_;  // the classes of which each must occur
};

// `document` with that password in its field "password". Invalid: more than a secret may hold.
Result<SecretString> with_password(const Document& document, const SecretString& password);

}  // namespace keyturn::engine
