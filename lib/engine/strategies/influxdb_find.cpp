#include "lib/engine/strategies/influxdb_find.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/text.h"
#include "lib/engine/strategies/mark.h"

namespace keyturn::engine::influxdb {
namespace {

Error not_found(const Client& client) {
  return make_error(ErrorClass::NotFound, "TokenNotFound",
                    "InfluxDB " + client.server().host_port +
                        " knows no authorization for the token in the secret: store one that "
                        "works (and remove authorizationId)");
}

Error unknown(const Client& client, std::size_t candidates) {
  return invalid(
      "AuthorizationUnknown",
      "InfluxDB " + client.server().host_port + " hides token values, and " +
          std::to_string(candidates) +
          " authorizations could be that of the token in the secret: look its id up (`influx auth "
          "list`, by description and user) and store it in the secret as authorizationId");
}

// What the token gets to know about its own user.
struct Self {
  std::optional<std::string> user_id;  // absent: it may not ask
};

Result<Self> ask_itself(const Client& client, const TokenSecret& secret, MonoTime deadline) {
  auto me = client.with_token(secret.token).me(deadline);
  if (me) return Self{me->id};
  const Error& error = me.error();
  if (error.code == "NotPermitted") return Self{};
  if (error.code == "CredentialRefused")
    return Error(not_found(client)).with_context("the token is refused");
  return std::move(me).error();
}

Result<Authorization> find_by_itself(const Client& client, const TokenSecret& secret,
                                     std::vector<Authorization> all, const std::string& not_this,
                                     MonoTime deadline) {
  auto self = ask_itself(client, secret, deadline);
  if (!self) return std::move(self).error();
  std::erase_if(all, [&](const Authorization& one) {
    if (!one.active || one.id == not_this) return true;
    const bool may_ask = may_read_user(one.permissions, one.user_id);
    return self->user_id ? !may_ask || one.user_id != *self->user_id : may_ask;
  });
  // Keyturn stores the id of what it makes, so a value without one is rather somebody else's.
  const auto ours = [](const Authorization& one) {
    return Description::read(one.description).mark.has_value();
  };
  if (!std::all_of(all.begin(), all.end(), ours)) std::erase_if(all, ours);
  if (all.empty()) return not_found(client);
  if (all.size() > 1) return unknown(client, all.size());
  return std::move(all.front());
}

}  // namespace

bool may_be(const Authorization& authorization, const SecretString& token) {
  return authorization.token.empty() || authorization.token == token;
}

Error nothing_visible(const Client& client, const TokenSecret& secret) {
  return make_error(ErrorClass::Denied, "NothingVisible",
                    "InfluxDB " + client.server().host_port +
                        ": whoever asks may see no authorization of organisation \"" +
                        printable(secret.org, 60) +
                        "\"; it needs to read and write authorizations and users");
}

Result<Authorization> find_authorization(const Client& client, const TokenSecret& secret,
                                         const std::string& not_this, MonoTime deadline) {
  if (!secret.authorization_id.empty() && secret.authorization_id != not_this) {
    auto by_id = client.authorization(secret.authorization_id, deadline);
    if (by_id && may_be(*by_id, secret.token)) return by_id;
    if (!by_id && by_id.error().cls != ErrorClass::NotFound) return by_id;
  }
  auto all = client.authorizations(secret.org, deadline);
  if (!all) return std::move(all).error();
  if (all->empty()) return nothing_visible(client, secret);
  const bool shows = std::any_of(all->begin(), all->end(),
                                 [](const Authorization& one) { return !one.token.empty(); });
  for (Authorization& one : *all) {
    if (!one.token.empty() && one.token == secret.token && one.id != not_this)
      return std::move(one);
  }
  // A stored id that the server does not know (any more) is not replaced by a guess.
  if (shows || !secret.authorization_id.empty()) return not_found(client);
  return find_by_itself(client, secret, std::move(*all), not_this, deadline);
}

}  // namespace keyturn::engine::influxdb
