#include "tests/sandbox/tls.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace keyturn::sandbox {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string("openssl: ") + what);
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  if (!key) fail("key generation");
  return key;
}

template <class Write>
std::string to_pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  if (!bio || write(bio.get()) != 1) fail("PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string pem_of(X509* certificate) {
  return to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}
std::string pem_of(EVP_PKEY* key) {
  return to_pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (!extension) fail("certificate extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void add_name(X509_NAME* name, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

// A certificate without issuer, extensions and signature; valid from a day ago, so that a client
// with a slow clock gets in.
Certificate blank(EVP_PKEY* key, const std::string& cn,
                  const std::vector<std::string>& organisations) {
  Certificate out(X509_new(), &X509_free);
  X509_set_version(out.get(), 2);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -86400);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 10 * 365 * 86400L);
  X509_set_pubkey(out.get(), key);
  for (const std::string& organisation : organisations) {
    add_name(X509_get_subject_name(out.get()), "O", organisation);
  }
  add_name(X509_get_subject_name(out.get()), "CN", cn);
  return out;
}

}  // namespace

struct Authority::Keys {
  Key key = new_key();
  Certificate certificate{nullptr, &X509_free};

  KeyPair sign(EVP_PKEY* subject_key, X509* subject) const {
    X509_set_issuer_name(subject, X509_get_subject_name(certificate.get()));
    if (X509_sign(subject, key.get(), EVP_sha256()) == 0) fail("signing");
    return {pem_of(subject), pem_of(subject_key)};
  }
};

Authority::Authority(const std::string& common_name) : keys_(std::make_unique<Keys>()) {
  keys_->certificate = blank(keys_->key.get(), common_name, {});
  X509* ca = keys_->certificate.get();
  add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca, ca, NID_subject_key_identifier, "hash");
  ca_pem_ = keys_->sign(keys_->key.get(), ca).certificate_pem;
}

Authority::~Authority() = default;

KeyPair Authority::issue_server() const {
  const Key key = new_key();
  const Certificate certificate = blank(key.get(), "keyturn-sandbox", {});
  X509* ca = keys_->certificate.get();
  add_extension(certificate.get(), ca, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), ca, NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), ca, NID_subject_alt_name,
                "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc");
  return keys_->sign(key.get(), certificate.get());
}

KeyPair Authority::issue_client(const std::string& user,
                                const std::vector<std::string>& groups) const {
  const Key key = new_key();
  const Certificate certificate = blank(key.get(), user, groups);
  X509* ca = keys_->certificate.get();
  add_extension(certificate.get(), ca, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), ca, NID_ext_key_usage, "clientAuth");
  return keys_->sign(key.get(), certificate.get());
}

std::shared_ptr<ssl_ctx_st> Authority::server_context() const {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!context) fail("SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  const KeyPair pair = issue_server();
  const auto bio = [](const std::string& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  };
  const Certificate certificate(
      PEM_read_bio_X509(bio(pair.certificate_pem).get(), nullptr, nullptr, nullptr), &X509_free);
  const Key key(PEM_read_bio_PrivateKey(bio(pair.key_pem).get(), nullptr, nullptr, nullptr),
                &EVP_PKEY_free);
  if (SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    fail("serving certificate");
  }
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), keys_->certificate.get());
  SSL_CTX_add_client_CA(context.get(), keys_->certificate.get());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
  // Some context must be named for sessions when peers are verified.
  static constexpr unsigned char kSessionContext[] = "keyturn-sandbox";
  SSL_CTX_set_session_id_context(context.get(), kSessionContext, sizeof kSessionContext - 1);
  return context;
}

}  // namespace keyturn::sandbox
