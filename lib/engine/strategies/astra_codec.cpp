// Astra's JSON: a missing or mistyped member that is needed is Transient "BadReply" and named.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/aws/secret_json.h"
#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/astra_client.h"
#include "lib/engine/strategies/astra_secret.h"
#include "lib/engine/strategies/reply_reader.h"

namespace keyturn::engine::astra {
namespace {

using Json = nlohmann::json;

std::vector<std::string> read_roles(ReplyReader& from) {
  std::vector<std::string> out;
  if (from.member("roles") == nullptr) return out;
  const Json* list = from.list("roles");
  if (list == nullptr) return out;
  for (const Json& role : *list) {
    if (role.is_string()) {
      out.push_back(role.get<std::string>());
    } else {
      from.complain("roles holds something else than ids");
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Other tools' clients are in the list too: what is odd about one concerns only who needs that one.
ClientInfo read_client(const Json& json) {
  ReplyReader from(json);
  ClientInfo out;
  out.id = from.text("clientId");
  out.roles = read_roles(from);
  out.description = from.text("description");
  out.expiry = from.text("tokenExpiry");
  // A zero time (the year 1) is none.
  if (const auto at = parse_rfc3339(out.expiry); at && *at <= WallTime{}) out.expiry.clear();
  if (const auto at = parse_rfc3339(from.text("generatedOn")); at && *at > WallTime{})
    out.generated = *at;
  out.problem = from.problem();
  return out;
}

// "AstraCS:" + client id + ":" + SHA-256 of its secret. One that is written in another way is not
// judged by it.
bool belong_together(const Minted& made) {
  const std::string named = client_of(made.token);
  if (named.empty()) return true;
  if (!same_client(named, made.id)) return false;
  const std::string_view token = made.token.reveal();
  const std::string_view digest = token.substr(token.rfind(':') + 1);
  const bool is_digest =
      digest.size() == 64 && std::all_of(digest.begin(), digest.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      });
  return !is_digest || iequals_ascii(digest, hex(sha256(made.secret.reveal())));
}

}  // namespace

Result<std::vector<ClientInfo>> decode_clients(const std::string& body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  ReplyReader from(json);
  const Json* list = from.list("clients");
  if (list == nullptr) return bad_reply(from.problem());
  std::vector<ClientInfo> out;
  for (const Json& element : *list) {
    ClientInfo one = read_client(element);
    if (is_client_id(one.id)) out.push_back(std::move(one));
  }
  return out;
}

Result<Minted> decode_minted(std::string& body) {
  auto token = aws::cut_string_member(body, "token");
  if (!token) return std::move(token).error();
  auto secret = aws::cut_string_member(body, "secret");
  if (!secret) return std::move(secret).error();
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  ReplyReader from(json);
  Minted out;
  out.id = from.text("clientId");
  out.token = std::move(*token).value_or(SecretString());
  out.secret = std::move(*secret).value_or(SecretString());
  out.roles = read_roles(from);
  if (!is_client_id(out.id)) from.complain("clientId is not an id");
  if (out.token.empty()) from.complain("it holds no token");
  if (out.secret.empty()) from.complain("it holds no secret");
  if (!from.problem().empty()) return bad_reply(from.problem());
  if (!belong_together(out)) return bad_reply("its token is not that of its client and secret");
  return out;
}

std::string encode_client(const NewClient& wanted) {
  Json body = {{"roles", wanted.roles}};
  if (!wanted.description.empty()) body["description"] = wanted.description;
  if (!wanted.expiry.empty()) body["tokenExpiry"] = wanted.expiry;
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace keyturn::engine::astra
