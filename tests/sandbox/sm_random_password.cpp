#include <algorithm>
#include <vector>

#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/secrets_manager.h"

namespace keyturn::sandbox {
namespace {

bool flag(const Json& input, const char* name, bool fallback) {
  const Json& value = at(input, name);
  return value.is_boolean() ? value.get<bool>() : fallback;
}

}  // namespace

std::string make_random_password(const Json& input, Rng& rng) {
  const Json& asked = at(input, "PasswordLength");
  const std::int64_t length = asked.is_number_integer() ? asked.get<std::int64_t>() : 32;
  if (length < 1 || length > 4096) {
    throw AwsError("InvalidParameterException", "Password length must be between 1 and 4096.");
  }
  const std::string excluded = text_at(input, "ExcludeCharacters");
  std::vector<std::string> classes;
  const auto offer = [&](bool wanted, std::string characters) {
    if (!wanted) return;
    std::erase_if(characters, [&](char c) { return excluded.find(c) != std::string::npos; });
    if (!characters.empty()) classes.push_back(std::move(characters));
  };
  offer(!flag(input, "ExcludeLowercase", false), "abcdefghijklmnopqrstuvwxyz");
  offer(!flag(input, "ExcludeUppercase", false), "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  offer(!flag(input, "ExcludeNumbers", false), "0123456789");
  offer(!flag(input, "ExcludePunctuation", false), "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
  offer(flag(input, "IncludeSpace", false), " ");
  if (classes.empty()) {
    throw AwsError("InvalidParameterException", "No characters are left to make a password of.");
  }
  std::string pool;
  for (const std::string& characters : classes) pool += characters;
  std::string out;
  if (flag(input, "RequireEachIncludedType", true)) {
    if (classes.size() > static_cast<std::size_t>(length)) {
      throw AwsError("InvalidParameterException",
                     "Password length is too short based on the required types.");
    }
    for (const std::string& characters : classes) out += characters[rng.below(characters.size())];
  }
  while (out.size() < static_cast<std::size_t>(length)) out += pool[rng.below(pool.size())];
  for (std::size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[rng.below(i)]);
  return out;
}

}  // namespace keyturn::sandbox
