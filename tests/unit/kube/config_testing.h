// Files for configuration tests: a temporary folder, and a certificate with its key made on the
// spot.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "controller/kube/config.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::kube {

struct PemPair {
  std::string cert;
  std::string key;
};

inline std::string bio_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

inline PemPair make_pem_pair() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_sign(cert, key, EVP_sha256());
  BIO* cert_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(cert_bio, cert);
  BIO* key_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(cert);
  EVP_PKEY_free(key);
  return {bio_text(cert_bio), bio_text(key_bio)};
}

struct ConfigBench {
  testing::FakeClock clock;
  std::filesystem::path dir;
  std::map<std::string, std::string> env;
  ConfigOptions options;

  ConfigBench() {
    std::string name = ::testing::TempDir() + "keyturn-kube-XXXXXX";
    dir = mkdtemp(name.data());
    options.clock = &clock;
    options.env = [this](const std::string& key) -> std::optional<std::string> {
      const auto it = env.find(key);
      return it == env.end() ? std::nullopt : std::optional(it->second);
    };
    options.service_account_dir = (dir / "sa").string();
    options.exec_timeout = Duration(20'000);
  }
  ~ConfigBench() { std::filesystem::remove_all(dir); }

  std::string write(const std::string& name, const std::string& text) const {
    const auto path = dir / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string script(const std::string& name, const std::string& body) const {
    const std::string path = write(name, "#!/bin/sh\n" + body);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  // One cluster, one user with these fields (YAML, flow style).
  std::string kubeconfig(const std::string& user,
                         const std::string& cluster = "server: https://api.test",
                         const std::string& name = "config") const {
    return write(name,
                 "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
                 "contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}]\n"
                 "clusters: [{name: c, cluster: {" +
                     cluster +
                     "}}]\n"
                     "users: [{name: u, user: {" +
                     user + "}}]\n");
  }
  Result<std::shared_ptr<Connection>> load(const std::string& file = "") {
    options.kubeconfig = file;
    return load_config(options);
  }
  std::string error_of(const std::string& file) {
    auto loaded = load(file);
    if (loaded) return "(loaded)";
    EXPECT_EQ(loaded.error().cls, ErrorClass::Invalid) << loaded.error().describe();
    return loaded.error().message;
  }
};

}  // namespace keyturn::kube
