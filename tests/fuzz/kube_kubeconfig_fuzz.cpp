// Kubeconfig files: any text is a configuration or an error that names the file; merging it with
// itself changes nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "controller/kube/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string file = "/dir/kubeconfig";
  auto config = keyturn::kube::parse_kubeconfig(text, file);
  if (!config) {
    if (!config.error().message.starts_with(file)) std::abort();
    return 0;
  }
  auto again = keyturn::kube::parse_kubeconfig(text, file);
  if (!again) std::abort();
  const std::size_t users = config->users.size(), contexts = config->contexts.size();
  keyturn::kube::merge_kubeconfig(*config, *std::move(again));
  if (config->users.size() != users || config->contexts.size() != contexts) std::abort();
  const auto selection = keyturn::kube::select_context(*std::move(config), "");
  if (selection && selection->ns.empty()) std::abort();
  return 0;
}
