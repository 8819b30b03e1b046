#include "lib/engine/strategies/astra_secret.h"

#include <algorithm>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/fields.h"

namespace keyturn::engine::astra {
namespace {

constexpr std::string_view kTokenBegins = "AstraCS:";
constexpr std::size_t kLongestId = 128;

void read_token(Fields& fields, Secret& out) {
  out.token = fields.secret("astraKey");
  out.client_id = fields.required("clientID", "the id of the token's client");
  if (out.token.empty()) {
    fields.complain(invalid("MissingField",
                            "field astraKey is missing: the application token, AstraCS:… (a first "
                            "one is made by hand)"));
  } else if (!out.token.reveal().starts_with(kTokenBegins) || !fits_a_header(out.token)) {
    fields.complain(invalid("BadField", "field astraKey is not an application token (AstraCS:…)"));
  }
  if (!out.client_id.empty() && !is_client_id(out.client_id)) {
    fields.complain(invalid(
        "BadField", "field clientID is not a client's id (letters, digits, \"-\" and \"_\")"));
  }
  const std::string named = client_of(out.token);
  if (!named.empty() && !out.client_id.empty() && !same_client(named, out.client_id)) {
    fields.complain(invalid(
        "Contradiction", "astraKey is the token of client " + named + ", but clientID says " +
                             printable(out.client_id, 60) +
                             "; correct the one that is wrong, for clientID says what is revoked"));
  }
}

}  // namespace

bool is_client_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

bool same_client(std::string_view a, std::string_view b) { return iequals_ascii(a, b); }

std::string client_of(const SecretString& token) {
  std::string_view rest = token.reveal();
  if (!rest.starts_with(kTokenBegins)) return "";
  rest.remove_prefix(kTokenBegins.size());
  const std::size_t colon = rest.find(':');
  const std::string_view id = rest.substr(0, colon);
  return colon != std::string_view::npos && is_client_id(id) ? std::string(id) : "";
}

Result<Secret> Secret::read(const SecretString& value) {
  if (value.empty()) {
    return invalid("NoValueYet",
                   "the secret has no value yet; put a JSON object with astraKey, clientID, "
                   "clientSecret and rootarn");
  }
  Secret out{.document = Document::parse(value), .token = {}, .client_id = {}, .root = {}};
  if (!out.document.is_object()) {
    return invalid("NotAnObject",
                   "the secret's value is not a JSON object (" + out.document.why_bare() +
                       "); astraToken needs one with astraKey, clientID and rootarn");
  }
  Fields fields(out.document);
  const std::string engine = fields.text("engine");
  if (!engine.empty() && !iequals_ascii(engine, "Astra")) {
    fields.complain(invalid("WrongEngine", "field engine is \"" + printable(engine, 60) +
                                               "\": astraToken works with Astra"));
  }
  read_token(fields, out);
  out.client_secret = fields.secret("clientSecret");
  out.root = fields.required(
      "rootarn", "the secret of the token that may make and revoke clients (or this one itself)");
  if (fields.problem()) return *fields.problem();
  return out;
}

Result<SecretString> Secret::with_credential(const Document& onto, const SecretString& token,
                                             const std::string& client_id,
                                             const SecretString& client_secret) {
  auto next = onto.with_member("astraKey", token);
  if (next) next = next->with_member("clientID", SecretString(client_id));
  if (next) next = next->with_member("clientSecret", client_secret);
  if (!next) return std::move(next).error();
  return std::move(*next).take_text();
}

}  // namespace keyturn::engine::astra
