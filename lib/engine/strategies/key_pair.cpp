#include "lib/engine/strategies/key_pair.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace keyturn::engine {
namespace {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }  // a memory BIO is cleansed when freed
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Memory = std::unique_ptr<BIO, FreeBio>;

Error failed(const char* what) {
  return make_error(ErrorClass::Transient, "KeyPairFailed",
                    std::string("OpenSSL could not ") + what);
}

SecretString text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return SecretString(std::string_view(data, static_cast<std::size_t>(size)));
}

Result<KeyPair> as_pem(const Key& key) {
  const Memory private_pem(BIO_new(BIO_s_mem())), public_pem(BIO_new(BIO_s_mem()));
  if (!private_pem || !public_pem ||
      PEM_write_bio_PKCS8PrivateKey(private_pem.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr) != 1 ||
      PEM_write_bio_PUBKEY(public_pem.get(), key.get()) != 1) {
    return failed("write the key pair as PEM");
  }
  return KeyPair{text_of(private_pem.get()), text_of(public_pem.get())};
}

}  // namespace

Result<KeyPair> make_ed25519(Rng& rng) {
  std::array<std::byte, 32> seed{};
  rng.fill(seed);
  const Key key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed.data()), seed.size()));
  OPENSSL_cleanse(seed.data(), seed.size());
  if (!key) return failed("make an Ed25519 key");
  return as_pem(key);
}

Result<KeyPair> make_rsa(int bits) {
  const Key key(EVP_RSA_gen(static_cast<unsigned>(bits)));
  if (!key) return failed("make an RSA key");
  return as_pem(key);
}

}  // namespace keyturn::engine
