// Asymmetric key pairs as PEM: the private key in PKCS#8 ("BEGIN PRIVATE KEY"), the public one as
// SubjectPublicKeyInfo ("BEGIN PUBLIC KEY").
//
// Thread rule: pure functions. Errors: Transient, when OpenSSL fails.
#pragma once

#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/base/secret_string.h"

namespace keyturn::engine {

struct KeyPair {
  SecretString private_pem, public_pem;
};

// RFC 8032; the 32 bytes come from `rng`.
Result<KeyPair> make_ed25519(Rng& rng);
// OpenSSL draws from its own CSPRNG, which cannot be injected. 4096 bits take a second or so.
Result<KeyPair> make_rsa(int bits);

}  // namespace keyturn::engine
