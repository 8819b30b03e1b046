// Astra's replies, and the secrets that name its clients. What is accepted has ids that may become
// part of a URL, and a client's id belongs to its token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/engine/strategies/astra_client.h"
#include "lib/engine/strategies/astra_secret.h"

namespace astra = keyturn::engine::astra;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto clients = astra::decode_clients(text)) {
    for (const auto& client : *clients) require(astra::is_client_id(client.id));
  }
  std::string body = text;
  if (const auto made = astra::decode_minted(body)) {
    require(astra::is_client_id(made->id) && !made->token.empty() && !made->secret.empty());
    const std::string named = astra::client_of(made->token);
    require(named.empty() || astra::same_client(named, made->id));
  }
  if (const auto secret = astra::Secret::read(keyturn::SecretString(text))) {
    require(astra::is_client_id(secret->client_id) && !secret->token.empty() &&
            !secret->root.empty());
  }
  return 0;
}
