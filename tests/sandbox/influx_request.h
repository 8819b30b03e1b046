// What the routes of InfluxDB read from a request and write into an answer.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

// The token of "Authorization: Token …" or "Bearer …"; Basic is no token.
std::optional<std::string> influx_token(const HttpRequest& request);
std::optional<std::string> influx_session(const HttpRequest& request);
inline constexpr const char* kInfluxCookie = "influxdb-oss-session";

struct InfluxBasic {
  std::string username, password;
};
std::optional<InfluxBasic> influx_basic(const HttpRequest& request);

struct InfluxPage {
  std::size_t limit = 20, offset = 0;
};
// limit (1 to 100) and offset. Throws InfluxError ("invalid").
InfluxPage influx_page(const HttpRequest& request);

// A parameter of the query, "" when absent.
std::string influx_param(const HttpRequest& request, const char* name);
// The same, as an id. Throws InfluxError ("invalid").
std::string influx_id_param(const HttpRequest& request, const char* name);

HttpResponse influx_answer(int status, const Json& body);
HttpResponse influx_no_content();

}  // namespace keyturn::sandbox
