#include "lib/engine/strategies/astra_list.h"

#include <algorithm>
#include <utility>

#include "lib/engine/strategies/astra_secret.h"

namespace keyturn::engine::astra {

Result<std::vector<ClientInfo>> clients_as_root(const Client& root, MonoTime deadline) {
  auto all = root.clients(deadline);
  if (!all) {
    Error error = std::move(all).error();
    if (error.code != "KeyRefused" && error.code != "NotPermitted") return error;
    error.code = "RootRefused";
    return std::move(error).with_context(
        "the token in the secret that rootarn names may not look at the organisation's clients");
  }
  const std::string own = root.own_id();
  if (own.empty() || find_client(*all, own) != nullptr) return all;
  return make_error(ErrorClass::Denied, "NothingVisible",
                    "Astra " + root.server().host_port +
                        ": the list of clients lacks even the root token's own, so it is not the "
                        "whole organisation's; the root token needs org-token-read");
}

const ClientInfo* find_client(const std::vector<ClientInfo>& all, std::string_view id) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const auto& one) { return same_client(one.id, id); });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace keyturn::engine::astra
