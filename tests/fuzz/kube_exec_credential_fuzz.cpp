// What an exec plugin prints: a usable credential or an error that does not quote it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controller/kube/exec_plugin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  keyturn::kube::ExecConfig config;
  config.api_version = "client.authentication.k8s.io/v1";
  config.command = "plugin";
  config.origin = "user";
  const auto credential =
      keyturn::kube::decode_exec_credential({reinterpret_cast<const char*>(data), size}, config);
  if (credential && credential->token.empty() && credential->key_pem.empty()) std::abort();
  return 0;
}
