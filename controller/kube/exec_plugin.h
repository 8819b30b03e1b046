// Exec credential plugins of kubeconfig (client.authentication.k8s.io/v1 and v1beta1, KEP-541): a
// program prints an ExecCredential. Thread rule: pure functions; run_plugin() blocks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::kube {

struct ExecConfig {
  enum class Interactive { Never, IfAvailable, Always };
  std::string origin;       // `user "me" in /home/me/.kube/config`
  std::string api_version;  // "client.authentication.k8s.io/v1"
  std::string command;      // absolute, or to be looked up in PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::string install_hint;
  Interactive interactive = Interactive::IfAvailable;
  bool provide_cluster_info = false;
  std::string cluster_info;  // JSON of spec.cluster, when wanted
};

struct ExecCredential {
  SecretString token;
  SecretString cert_pem;  // with key_pem
  SecretString key_pem;
  std::optional<WallTime> expires;  // absent: until a 401
};

// Invalid "BadExecCredential": not of config.api_version, neither a token nor both certificate and
// key, bad time. Never quotes the text.
Result<ExecCredential> decode_exec_credential(std::string_view text, const ExecConfig& config);

// The value of KUBERNETES_EXEC_INFO.
std::string exec_info(const ExecConfig& config, bool interactive);

Result<ExecCredential> run_plugin(const ExecConfig& config, Duration timeout);

}  // namespace keyturn::kube
