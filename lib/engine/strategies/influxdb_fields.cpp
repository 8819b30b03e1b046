#include "lib/engine/strategies/influxdb_fields.h"

#include <algorithm>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/backend_access.h"
#include "lib/http/url.h"

namespace keyturn::engine::influxdb {
namespace {

constexpr std::size_t kMaxIdentifier = 64;
constexpr const char* kExample = "https://influx.internal:8086";

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

}  // namespace

Location Location::read(Options& options) {
  Location out{options.text("dbIdentifier", kMaxIdentifier).value_or(""),
               options.text("url", kMaxUrl).value_or("")};
  if (!out.db_identifier.empty()) {
    if (auto good = check_identifier(out.db_identifier); !good)
      options.fail("dbIdentifier", good.error().message);
  }
  if (!out.url.empty()) {
    if (auto good = check_server_url(out.url, kExample); !good)
      options.fail("url", good.error().message);
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
  engine::Fields fields(document);
  Login out{fields.secret("username"), fields.secret("password")};
  if (out.user.empty() || out.password.empty()) {
    fields.complain(invalid("MissingField", "fields username and password must both be there"));
  } else if (out.user.reveal().find(':') != std::string_view::npos) {
    fields.complain(invalid("BadField", "a username with a colon cannot sign in"));
  }
  if (fields.problem()) return *fields.problem();
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
  if (!own.url.empty()) complain_of("url", check_server_url(own.url, kExample));
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

}  // namespace keyturn::engine::influxdb
