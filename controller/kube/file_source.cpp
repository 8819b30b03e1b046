#include "controller/kube/file_source.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace keyturn::kube {
namespace {

constexpr std::size_t kMaxFile = 16u << 20;

struct Fd {
  int fd;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using CertPtr = std::unique_ptr<X509, Deleter<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

BioPtr open_memory(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Never asks a terminal for a passphrase; notes that one was wanted.
int no_passphrase(char*, int, int, void* wanted) {
  *static_cast<bool*>(wanted) = true;
  return -1;
}

}  // namespace

Result<SecretString> read_file(const std::string& path, std::string_view what) {
  const auto failed = [&](const std::string& why, int error) {
    return make_error(error == ENOENT ? ErrorClass::NotFound : ErrorClass::Invalid,
                      error == ENOENT ? "NoSuchFile" : "UnreadableFile",
                      std::string(what) + ": cannot read " + path + ": " + why);
  };
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return failed(std::strerror(errno), errno);
  std::string text;
  text.reserve(16u << 10);  // mostly no growth, so no copies left behind
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(file.fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(std::strerror(errno), errno);
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaxFile) return failed("it is larger than 16 MiB", EFBIG);
  }
  explicit_bzero(buffer, sizeof buffer);
  return SecretString::take(std::move(text));
}

Result<SecretString> FileOrData::read() const {
  if (path.empty() || !data.empty()) return data.clone();
  return read_file(path, origin);
}

Status check_certificates(std::string_view pem, const std::string& origin) {
  const BioPtr bio = open_memory(pem);
  const CertPtr cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!cert) {
    return invalid("BadCertificate",
                   origin + ": holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
  }
  return {};
}

Status check_key_pair(std::string_view cert_pem, std::string_view key_pem,
                      const std::string& origin) {
  if (Status cert = check_certificates(cert_pem, origin); !cert) return cert;
  const BioPtr key_bio = open_memory(key_pem);
  bool passphrase = false;
  const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, &passphrase));
  const BioPtr cert_bio = open_memory(cert_pem);
  const CertPtr cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
  const bool match = key && cert && X509_check_private_key(cert.get(), key.get()) == 1;
  ERR_clear_error();
  if (passphrase) {
    return invalid("BadKey", origin + ": the private key has a passphrase; give one without");
  }
  if (!key) return invalid("BadKey", origin + ": holds no PEM private key");
  if (!match)
    return invalid("BadKey", origin + ": the private key does not belong to the certificate");
  return {};
}

}  // namespace keyturn::kube
