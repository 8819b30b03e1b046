// What the tests of influxdbToken and influxdbUser share: an InfluxDB of theirs, and an
// administrator's secret.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/strategies/backend_fixture.h"
#include "tests/unit/strategies/influx_server.h"

namespace keyturn::engine {

class InfluxTest : public BackendTest {
 protected:
  using Influx = keyturn::testing::InfluxServer;
  static constexpr const char* kOldToken = "old-token-of-the-shop==";

  InfluxTest() : BackendTest("influxdbToken"), influx(clock) {
    transport->on_request([this](const http::Request& request) { return influx.handle(request); });
    admin_arn =
        secrets.add_secret("shop/influx-admin", R"({"username":"admin","password":"pa:ss word"})");
    use({});
  }

  // A secret in the original's format, and its token at the server.
  nlohmann::json original(const std::string& type = "custom") const {
    return {{"engine", "timestream-influxdb"}, {"org", "shop-org"},
            {"adminSecretArn", admin_arn},     {"type", type},
            {"dbIdentifier", "shopdb"},        {"token", kOldToken}};
  }
  nlohmann::json narrow() const {
    return {Influx::permission("read", "buckets", "00000000000000b1", Influx::kOrg),
            Influx::permission("write", "notificationRules", "", Influx::kOrg)};
  }
  std::string store(const nlohmann::json& value) {
    arn = secrets.add_secret("shop/orders-influx" + secret_suffix, value.dump());
    return arn;
  }

  std::size_t writes() const {
    std::size_t count = 0;
    for (const auto& line : influx.log) {
      const bool writes = line.starts_with("PATCH") || line.starts_with("DELETE") ||
                          line == "POST /api/v2/authorizations";
      count += writes ? 1 : 0;
    }
    return count;
  }

  Influx influx;
  std::string secret_suffix;  // for a test that stores several
  std::string admin_arn;
};
using InfluxEngineTest = WithEngine<InfluxTest>;

}  // namespace keyturn::engine
