#include "lib/engine/strategies/influxdb_secret.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::engine::influxdb {
namespace {

std::optional<TokenType> type_of(std::string_view text) {
  if (text == "operator") return TokenType::Operator;
  if (text == "allAccess") return TokenType::AllAccess;
  if (text == "custom") return TokenType::Custom;
  return std::nullopt;
}

}  // namespace

Result<TokenOptions> TokenOptions::read(const nlohmann::json& json, const std::string& path) {
  Options options(json, path);
  TokenOptions out;
  out.allow_create = options.flag("allowCreate").value_or(false);
  out.location = Location::read(options);
  if (auto done = options.finish(); !done) return std::move(done).error();
  return out;
}

Result<TokenSecret> TokenSecret::read(const SecretString& value, const TokenOptions& options) {
  if (value.empty()) {
    return invalid("NoValueYet",
                   "the secret has no value yet; put a JSON object with org, type, token and "
                   "dbIdentifier or url");
  }
  TokenSecret out{.document = Document::parse(value)};
  if (!out.document.is_object()) {
    return invalid("NotAnObject", "the secret's value is not a JSON object (" +
                                      out.document.why_bare() +
                                      "); influxdbToken needs one with org, type and token");
  }
  Fields fields(out.document, "influxdbToken");
  fields.check_engine();
  out.location = fields.location(options.location);
  out.org = fields.required("org", "the name of the token's organisation");
  const std::string type = fields.required("type", "operator, allAccess or custom");
  const auto known = type_of(type);
  if (!known && !type.empty()) {
    fields.complain(invalid("BadField", "field type is \"" + printable(type, 40) +
                                            "\"; it must be operator, allAccess or custom"));
  }
  out.type = known.value_or(TokenType::Custom);
  out.admin_secret = fields.text("adminSecretArn");
  out.authorization_id = fields.text("authorizationId");
  if (!out.authorization_id.empty() && !is_id(out.authorization_id)) {
    fields.complain(invalid("BadField",
                            "field authorizationId is not an id (16 hexadecimal digits); correct "
                            "or remove it"));
  }
  out.token = fields.secret("token");
  out.custom = {fields.list("readBuckets"), fields.list("writeBuckets"),
                fields.list("permissions")};
  if (known == TokenType::Custom && out.single_user()) {
    fields.complain(invalid("MissingField",
                            "field adminSecretArn is missing: a custom token cannot replace "
                            "itself, so name the secret of a user who may"));
  }
  if (!fits_a_header(out.token))
    fields.complain(invalid("BadField", "field token holds characters that no token has"));
  if (fields.problem()) return *fields.problem();
  return out;
}

Status TokenSecret::check_token(bool allow_create) const {
  if (!token.empty()) return {};
  if (single_user()) {
    return invalid("NoToken",
                   "field token is empty, and only a user can make a first one: name the secret of "
                   "an administrator in adminSecretArn");
  }
  if (allow_create) return {};
  return invalid("NoToken",
                 "field token is empty; store the token there, or set "
                 "spec.strategy.influxdbToken.allowCreate: true to have one made");
}

Result<SecretString> TokenSecret::with_credential(const Document& onto, const SecretString& token,
                                                  const std::string& authorization_id) {
  auto next = onto.with_member("token", token);
  if (!next) return std::move(next).error();
  auto both = next->with_member("authorizationId", SecretString(authorization_id));
  if (!both) return std::move(both).error();
  return std::move(*both).take_text();
}

}  // namespace keyturn::engine::influxdb
