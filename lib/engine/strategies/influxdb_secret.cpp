#include "lib/engine/strategies/influxdb_secret.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/options.h"
#include "lib/http/url.h"

namespace keyturn::engine::influxdb {
namespace {

constexpr std::size_t kMaxUrl = 1024;
constexpr std::size_t kMaxIdentifier = 64;

Pointer field(const char* name) { return Pointer::of({name}); }

// 3 to 64 letters, digits and hyphens: what Timestream takes.
bool is_identifier(std::string_view text) {
  return text.size() >= 3 && text.size() <= kMaxIdentifier &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-';
         });
}

Status check_identifier(const std::string& text) {
  if (is_identifier(text)) return {};
  return invalid("BadField", "must be 3 to 64 letters, digits and hyphens");
}

// Reads fields and remembers the first problem.
class Fields {
 public:
  explicit Fields(const Document& document) : document_(document) {}

  SecretString secret(const char* name) {
    auto json = member(name);
    if (!json) return {};
    if (json->reveal().front() == '"') {
      auto text = document_.get(field(name));
      if (text) return std::move(text).value();
    }
    complain(invalid("BadField", "field " + std::string(name) + " must be a string"));
    return {};
  }
  std::string text(const char* name) { return std::string(secret(name).reveal()); }
  std::string required(const char* name, const char* what) {
    std::string value = text(name);
    if (value.empty())
      complain(invalid("MissingField", "field " + std::string(name) + " is missing: " + what));
    return value;
  }
  std::vector<std::string> list(const char* name) {
    std::vector<std::string> out;
    const auto json = member(name);
    if (!json) return out;
    const auto parsed = nlohmann::json::parse(json->reveal(), nullptr, false);
    const bool fits = parsed.is_array() && std::all_of(parsed.begin(), parsed.end(),
                                                       [](const auto& e) { return e.is_string(); });
    if (fits) return parsed.get<std::vector<std::string>>();
    complain(invalid("BadField", "field " + std::string(name) + " must be a list of strings"));
    return out;
  }
  void complain(Error error) {
    if (!problem_) problem_ = std::move(error);
  }
  void complain_of(const char* name, const Status& status) {
    if (!status) complain(status.error().with_context("field " + std::string(name)));
  }
  const std::optional<Error>& problem() const { return problem_; }

 private:
  // Its JSON; absent when there is none, or null.
  std::optional<SecretString> member(const char* name) {
    auto json = document_.get_json(field(name));
    if (json && json->reveal() != "null") return std::move(json).value();
    if (!json && json.error().cls != ErrorClass::NotFound) complain(std::move(json).error());
    return std::nullopt;
  }

  const Document& document_;
  std::optional<Error> problem_;
};

std::optional<TokenType> type_of(std::string_view text) {
  if (text == "operator") return TokenType::Operator;
  if (text == "allAccess") return TokenType::AllAccess;
  if (text == "custom") return TokenType::Custom;
  return std::nullopt;
}

void check_engine(Fields& fields) {
  const std::string engine = fields.text("engine");
  if (engine.empty() || engine == "timestream-influxdb" || engine == "influxdb") return;
  fields.complain(
      invalid("WrongEngine",
              "field engine is \"" + printable(engine, 60) +
                  "\": influxdbToken works with timestream-influxdb or influxdb, version 2"));
}

Error contradiction(const char* name, const std::string& value, const std::string& option) {
  return invalid("Contradiction", "field " + std::string(name) + " of the secret says \"" +
                                      printable(value, 200) +
                                      "\" and spec.strategy.influxdbToken says \"" +
                                      printable(option, 200) + "\"; remove one of them");
}

Location read_location(Fields& fields, const TokenOptions& options) {
  Location own{fields.text("dbIdentifier"), fields.text("url")};
  const Location& spec = options.location;
  if (!own.db_identifier.empty())
    fields.complain_of("dbIdentifier", check_identifier(own.db_identifier));
  if (!own.url.empty()) fields.complain_of("url", check_url(own.url));
  if (!own.db_identifier.empty() && !own.url.empty()) {
    fields.complain(invalid("Contradiction",
                            "fields dbIdentifier and url both say where the server is; keep one"));
  }
  if (!own.db_identifier.empty() && !spec.url.empty())
    fields.complain(contradiction("dbIdentifier", own.db_identifier, spec.url));
  if (!own.url.empty() && !spec.db_identifier.empty())
    fields.complain(contradiction("url", own.url, spec.db_identifier));
  if (!own.db_identifier.empty() && !spec.db_identifier.empty() &&
      own.db_identifier != spec.db_identifier)
    fields.complain(contradiction("dbIdentifier", own.db_identifier, spec.db_identifier));
  if (!own.url.empty() && !spec.url.empty() && own.url != spec.url)
    fields.complain(contradiction("url", own.url, spec.url));
  if (own == Location{}) own = spec;
  if (own == Location{}) {
    fields.complain(invalid("MissingField",
                            "nothing says where the server is: add the field dbIdentifier (a "
                            "Timestream for InfluxDB database) or url to the secret, or set one in "
                            "spec.strategy.influxdbToken"));
  }
  return own;
}

// It goes into a header as it is.
bool fits_a_header(const SecretString& token) {
  const std::string_view text = token.reveal();
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Status check_url(const std::string& url) {
  if (!http::parse_url(url))
    return invalid("BadUrl", "must be a URL such as https://influx.internal:8086");
  if (url.find_first_of("?#") == std::string::npos) return {};
  return invalid("BadUrl", "must be the server alone, as in https://influx.internal:8086");
}

Result<TokenOptions> TokenOptions::read(const nlohmann::json& json, const std::string& path) {
  Options options(json, path);
  TokenOptions out;
  out.allow_create = options.flag("allowCreate").value_or(false);
  out.location.db_identifier = options.text("dbIdentifier", kMaxIdentifier).value_or("");
  out.location.url = options.text("url", kMaxUrl).value_or("");
  if (!out.location.db_identifier.empty()) {
    if (auto good = check_identifier(out.location.db_identifier); !good)
      options.fail("dbIdentifier", good.error().message);
  }
  if (!out.location.url.empty()) {
    if (auto good = check_url(out.location.url); !good) options.fail("url", good.error().message);
  }
  if (!out.location.db_identifier.empty() && !out.location.url.empty())
    options.fail("url", "does not go with dbIdentifier: set the one that says where the server is");
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
  Fields fields(out.document);
  check_engine(fields);
  out.location = read_location(fields, options);
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
