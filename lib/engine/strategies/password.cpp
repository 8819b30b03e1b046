#include "lib/engine/strategies/password.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "lib/engine/strategies/generic.h"

namespace keyturn::engine {
namespace {

constexpr int kMaxLength = 4096;
constexpr std::size_t kMaxExcluded = 4096;
// The least likely success that the checks let through (length 4, three classes of one character,
// one of 32) comes once in 2,000 draws.
constexpr int kMostDraws = 100'000;

struct Class {
  std::string_view excluded_by, plural, characters;
};
constexpr std::array<Class, 4> kClasses = {{
    {"excludeLowercase", "lower-case letters", "abcdefghijklmnopqrstuvwxyz"},
    {"excludeUppercase", "upper-case letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    {"excludeNumbers", "digits", "0123456789"},
    {"excludePunctuation", "punctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
}};

std::string without(std::string_view characters, const std::string& excluded) {
  std::string out;
  for (char c : characters) {
    if (excluded.find(c) == std::string::npos) out += c;
  }
  return out;
}

}  // namespace

PasswordRecipe::PasswordRecipe(Options& options) {
  length_ = static_cast<std::size_t>(options.integer("length", 1, kMaxLength).value_or(32));
  const std::string excluded = options.text("excludeCharacters", kMaxExcluded).value_or("");
  const bool require_each = options.flag("requireEachIncludedType").value_or(true);
  for (const Class& one : kClasses) {
    if (options.flag(one.excluded_by).value_or(false)) continue;
    std::string left = without(one.characters, excluded);
    if (require_each && left.empty()) {
      options.fail("excludeCharacters",
                   "leaves no " + std::string(one.plural) + ", of which one is required; set " +
                       std::string(one.excluded_by) + ": true, or requireEachIncludedType: false");
    }
    pool_ += left;
    if (require_each) required_.push_back(std::move(left));
  }
  if (options.flag("includeSpace").value_or(false)) {
    if (excluded.find(' ') != std::string::npos) {
      options.fail("excludeCharacters",
                   "excludes the space that includeSpace asks for; keep one of the two");
    }
    pool_ += ' ';
  }
  if (pool_.size() < 2)
    options.fail("", "the exclusions leave fewer than two characters to choose from; exclude less");
  if (length_ < required_.size()) {
    options.fail("length", "is too short to hold one of each included type (" +
                               std::to_string(required_.size()) +
                               "); lengthen it, or set requireEachIncludedType: false");
  }
}

PasswordRecipe::PasswordRecipe(std::size_t length, std::vector<std::string> classes)
    : length_(length), required_(std::move(classes)) {
  for (const std::string& one : required_) pool_ += one;
}

PasswordRecipe PasswordRecipe::of_length(Options& options, int shortest, int longest, int usual,
                                         std::vector<std::string> classes) {
  const int length = options.integer("passwordLength", shortest, longest).value_or(usual);
  return PasswordRecipe(static_cast<std::size_t>(length), std::move(classes));
}

bool PasswordRecipe::has_each(const std::string& password) const {
  return std::all_of(required_.begin(), required_.end(), [&](const std::string& characters) {
    return password.find_first_of(characters) != std::string::npos;
  });
}

Result<SecretString> PasswordRecipe::draw(Rng& rng) const {
  std::string password(length_, '\0');
  for (int i = 0; i < kMostDraws; ++i) {
    for (char& c : password) c = pool_[rng.below(pool_.size())];
    if (has_each(password)) return SecretString::take(std::move(password));
  }
  cleanse(password);
  return make_error(ErrorClass::Transient, "BadRandomness",
                    "no random password held every required type; the random generator of this "
                    "machine is broken");
}

Result<SecretString> with_password(const Document& document, const SecretString& password) {
  auto next = document.with_member("password", password);
  if (!next) return std::move(next).error();
  return within_limit(std::move(*next).take_text());
}

}  // namespace keyturn::engine
