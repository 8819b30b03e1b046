#include "lib/base/secret_string.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <ostream>
#include <utility>

namespace keyturn {

void cleanse(std::string& text) noexcept {
  // Up to the capacity: bytes behind the end may be left from a longer value or, in a small
  // string's inner buffer, from before a move. Growing within the capacity does not allocate.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

SecretString::SecretString(std::string_view value) : value_(value) {}

SecretString SecretString::take(std::string&& value) {
  SecretString secret;
  secret.value_ = std::move(value);
  cleanse(value);
  return secret;
}

SecretString::~SecretString() { wipe(); }

SecretString::SecretString(SecretString&& other) noexcept : value_(std::move(other.value_)) {
  other.wipe();
}

SecretString& SecretString::operator=(SecretString&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  value_ = std::move(other.value_);
  other.wipe();
  return *this;
}

void SecretString::wipe() noexcept { cleanse(value_); }

bool operator==(const SecretString& a, const SecretString& b) {
  const std::size_t common = std::min(a.size(), b.size());
  const int differs = CRYPTO_memcmp(a.value_.data(), b.value_.data(), common);
  return differs == 0 && a.size() == b.size();
}

std::ostream& operator<<(std::ostream& out, const SecretString& s) {
  return out << '<' << s.size() << " bytes>";
}

}  // namespace keyturn
