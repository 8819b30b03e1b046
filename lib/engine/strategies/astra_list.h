// Reading Astra's list of clients. Thread rule: pure but for the request.
#pragma once

#include <string>
#include <vector>

#include "lib/engine/strategies/astra_client.h"

namespace keyturn::engine::astra {

// The whole organisation's, as a root token sees them. Denied "RootRefused": the root token itself
// is refused, which says nothing about any other. Denied "NothingVisible": the list lacks even the
// asker's own client, so that nothing may be taken for gone by it.
Result<std::vector<ClientInfo>> clients_as_root(const Client& root, MonoTime deadline);

// Null: not in it.
const ClientInfo* find_client(const std::vector<ClientInfo>& all, std::string_view id);

}  // namespace keyturn::engine::astra
