// A certificate authority that lives as long as the sandbox, and what it signs.
// Thread rule: built once, then read only.
#pragma once

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace keyturn::sandbox {

struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;
};

class Authority {
 public:
  explicit Authority(const std::string& common_name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& ca_pem() const { return ca_pem_; }
  // Serving certificate for 127.0.0.1, ::1, localhost and kubernetes.default.svc.
  KeyPair issue_server() const;
  // Client certificate: CN is the user, O the groups.
  KeyPair issue_client(const std::string& user, const std::vector<std::string>& groups) const;
  // A server context with a serving certificate; client certificates of this authority are verified
  // when offered. Throws std::runtime_error.
  std::shared_ptr<ssl_ctx_st> server_context() const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  std::string ca_pem_;
};

}  // namespace keyturn::sandbox
