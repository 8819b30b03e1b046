#include "lib/engine/strategies/key_pair.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <memory>
#include <string>

namespace keyturn::engine {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Key read(const SecretString& pem, bool is_private) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.size())), &BIO_free);
  EVP_PKEY* key = is_private ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr)
                             : PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr);
  return {key, &EVP_PKEY_free};
}

// A signature by the private half is verified by the public half.
bool belong_together(const KeyPair& pair, const EVP_MD* digest) {
  const Key signer = read(pair.private_pem, true), verifier = read(pair.public_pem, false);
  if (!signer || !verifier) return false;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> ctx(EVP_MD_CTX_new(),
                                                                    &EVP_MD_CTX_free);
  const unsigned char message[] = "turn";
  std::array<unsigned char, 1024> signature{};
  std::size_t size = signature.size();
  if (EVP_DigestSignInit(ctx.get(), nullptr, digest, nullptr, signer.get()) != 1 ||
      EVP_DigestSign(ctx.get(), signature.data(), &size, message, sizeof message) != 1) {
    return false;
  }
  EVP_MD_CTX_reset(ctx.get());
  return EVP_DigestVerifyInit(ctx.get(), nullptr, digest, nullptr, verifier.get()) == 1 &&
         EVP_DigestVerify(ctx.get(), signature.data(), size, message, sizeof message) == 1;
}

TEST(KeyPair, Ed25519) {
  SeededRng rng(1), same(1), other(2);
  const auto pair = make_ed25519(rng);
  ASSERT_TRUE(pair.ok());
  EXPECT_TRUE(belong_together(*pair, nullptr));
  EXPECT_EQ(EVP_PKEY_id(read(pair->private_pem, true).get()), EVP_PKEY_ED25519);
  EXPECT_TRUE(pair->private_pem ==
              make_ed25519(same)->private_pem);  // from the injected randomness alone
  const auto stranger = make_ed25519(other);
  EXPECT_FALSE(pair->private_pem == stranger->private_pem);
  EXPECT_FALSE(belong_together({pair->private_pem.clone(), stranger->public_pem.clone()}, nullptr));
}

TEST(KeyPair, Rsa) {
  const auto pair = make_rsa(2048);
  ASSERT_TRUE(pair.ok());
  EXPECT_TRUE(belong_together(*pair, EVP_sha256()));
  EXPECT_EQ(EVP_PKEY_bits(read(pair->private_pem, true).get()), 2048);
}

}  // namespace
}  // namespace keyturn::engine
