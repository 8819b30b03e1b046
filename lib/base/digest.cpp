#include "lib/base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace keyturn {

namespace {

const unsigned char* raw(const void* data) { return static_cast<const unsigned char*>(data); }

}  // namespace

Sha256 sha256(std::string_view data) {
  Sha256 out;
  SHA256(raw(data.data()), data.size(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

Sha256 hmac_sha256(std::span<const std::byte> key, std::string_view data) {
  Sha256 out;
  unsigned int length = 0;
  // A null key would mean "the key of the last call" to OpenSSL; an empty key needs a pointer.
  static const std::byte kNoKey{};
  const void* bytes = key.empty() ? &kNoKey : key.data();
  HMAC(EVP_sha256(), bytes, static_cast<int>(key.size()), raw(data.data()), data.size(),
       reinterpret_cast<unsigned char*>(out.data()), &length);
  return out;
}

}  // namespace keyturn
