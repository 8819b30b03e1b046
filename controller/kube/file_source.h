// Credentials and certificates that come from a file or from the configuration itself.
// Thread rule: pure functions and plain values.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::kube {

// At most 16 MiB. `what` names the field that asked for it, for the message. NotFound: no such
// file; else Invalid.
Result<SecretString> read_file(const std::string& path, std::string_view what);

// A value given inline, or the absolute path of a file that is read again now and then. `origin`
// says where it was named: `certificate-authority of cluster "kind" in /home/me/.kube/config`.
struct FileOrData {
  std::string path;
  SecretString data;
  std::string origin;

  bool given() const { return !path.empty() || !data.empty(); }
  Result<SecretString> read() const;
  FileOrData clone() const { return {path, data.clone(), origin}; }
};

// Invalid, starting with `origin`, when there is no certificate in it.
Status check_certificates(std::string_view pem, const std::string& origin);
// … or no key, or the two do not belong together, or the key needs a passphrase.
Status check_key_pair(std::string_view cert_pem, std::string_view key_pem,
                      const std::string& origin);

}  // namespace keyturn::kube
