#include "lib/engine/strategies/influxdb_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/text.h"
#include "lib/http/url.h"

namespace keyturn::engine::influxdb {
namespace {

constexpr std::size_t kMaxUrl = 1024;
constexpr std::size_t kMaxIdentifier = 64;

// 3 to 64 letters, digits and hyphens: what Timestream takes.
Status check_identifier(const std::string& text) {
  const bool fits = text.size() >= 3 && text.size() <= kMaxIdentifier &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-';
                    });
  if (fits) return {};
  return invalid("BadField", "must be 3 to 64 letters, digits and hyphens");
}

// http or https, no user, no query.
Status check_url(const std::string& url) {
  if (!http::parse_url(url))
    return invalid("BadUrl", "must be a URL such as https://influx.internal:8086");
  if (url.find_first_of("?#") == std::string::npos) return {};
  return invalid("BadUrl", "must be the server alone, as in https://influx.internal:8086");
}

}  // namespace

Location Location::read(Options& options) {
  Location out{options.text("dbIdentifier", kMaxIdentifier).value_or(""),
               options.text("url", kMaxUrl).value_or("")};
  if (!out.db_identifier.empty()) {
    if (auto good = check_identifier(out.db_identifier); !good)
      options.fail("dbIdentifier", good.error().message);
  }
  if (!out.url.empty()) {
    if (auto good = check_url(out.url); !good) options.fail("url", good.error().message);
  }
  if (!out.db_identifier.empty() && !out.url.empty())
    options.fail("url", "does not go with dbIdentifier: set the one that says where the server is");
  return out;
}

Result<std::vector<std::string>> Location::hosts() const {
  if (url.empty()) return std::vector<std::string>{};
  auto parsed = http::parse_url(url);
  if (!parsed) return std::move(parsed).error();
  return std::vector<std::string>{parsed->authority()};
}

Result<Login> Login::read(const Document& document) {
  Fields fields(document, "");
  Login out{fields.secret("username"), fields.secret("password")};
  if (out.user.empty() || out.password.empty()) {
    fields.complain(invalid("MissingField", "fields username and password must both be there"));
  } else if (out.user.reveal().find(':') != std::string_view::npos) {
    fields.complain(invalid("BadField", "a username with a colon cannot sign in"));
  }
  if (fields.problem()) return *fields.problem();
  return out;
}

SecretString Fields::secret(const char* name) {
  auto json = member(name);
  if (!json) return {};
  if (json->reveal().front() == '"') {
    auto text = document_.get(Pointer::of({name}));
    if (text) return std::move(text).value();
  }
  complain(invalid("BadField", "field " + std::string(name) + " must be a string"));
  return {};
}

std::string Fields::text(const char* name) { return std::string(secret(name).reveal()); }

std::string Fields::required(const char* name, const char* what) {
  std::string value = text(name);
  if (value.empty())
    complain(invalid("MissingField", "field " + std::string(name) + " is missing: " + what));
  return value;
}

std::vector<std::string> Fields::list(const char* name) {
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

void Fields::check_engine() {
  const std::string engine = text("engine");
  if (engine.empty() || engine == "timestream-influxdb" || engine == "influxdb") return;
  complain(invalid("WrongEngine", "field engine is \"" + printable(engine, 60) +
                                      "\": " + strategy_ +
                                      " works with timestream-influxdb or influxdb, version 2"));
}

Location Fields::location(const Location& option) {
  Location own{text("dbIdentifier"), text("url")};
  if (!own.db_identifier.empty()) complain_of("dbIdentifier", check_identifier(own.db_identifier));
  if (!own.url.empty()) complain_of("url", check_url(own.url));
  if (!own.db_identifier.empty() && !own.url.empty()) {
    complain(invalid("Contradiction",
                     "fields dbIdentifier and url both say where the server is; keep one"));
  }
  not_both("dbIdentifier", own.db_identifier, option.url);
  not_both("url", own.url, option.db_identifier);
  if (own.db_identifier != option.db_identifier)
    not_both("dbIdentifier", own.db_identifier, option.db_identifier);
  if (own.url != option.url) not_both("url", own.url, option.url);
  if (own == Location{}) own = option;
  if (own == Location{}) {
    complain(invalid("MissingField",
                     "nothing says where the server is: add the field dbIdentifier (a Timestream "
                     "for InfluxDB database) or url to the secret, or set one in spec.strategy." +
                         strategy_));
  }
  return own;
}

void Fields::complain(Error error) {
  if (!problem_) problem_ = std::move(error);
}

void Fields::complain_of(const char* name, const Status& status) {
  if (!status) complain(status.error().with_context("field " + std::string(name)));
}

// Of the secret and of the options, what cannot both be true.
void Fields::not_both(const char* name, const std::string& own, const std::string& option) {
  if (own.empty() || option.empty()) return;
  complain(invalid("Contradiction", "field " + std::string(name) + " of the secret says \"" +
                                        printable(own, 200) + "\" and spec.strategy." + strategy_ +
                                        " says \"" + printable(option, 200) +
                                        "\"; remove one of them"));
}

// Its JSON; absent when there is none, or null.
std::optional<SecretString> Fields::member(const char* name) {
  auto json = document_.get_json(Pointer::of({name}));
  if (json && json->reveal() != "null") return std::move(json).value();
  if (!json && json.error().cls != ErrorClass::NotFound) complain(std::move(json).error());
  return std::nullopt;
}

}  // namespace keyturn::engine::influxdb
