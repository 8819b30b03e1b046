// InfluxDB's replies, and the descriptions that people and we write there. What is accepted has ids
// that may become part of a URL; a mark is read back as it was written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/engine/strategies/influxdb_codec.h"
#include "lib/engine/strategies/mark.h"

namespace influxdb = keyturn::engine::influxdb;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const influxdb::Authorization& one) {
  require(influxdb::is_id(one.id) && influxdb::is_id(one.org_id) && influxdb::is_id(one.user_id));
  for (const auto& permission : one.permissions)
    require(!permission.action.empty() && !permission.type.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  std::string one = body;
  if (const auto read = influxdb::decode_authorization(one)) check(*read);
  std::string all = body;
  if (const auto read = influxdb::decode_authorizations(all)) {
    for (const auto& authorization : *read) check(authorization);
  }
  if (const auto user = influxdb::decode_user(body)) require(influxdb::is_id(user->id));
  if (const auto orgs = influxdb::decode_orgs(body)) {
    for (const auto& org : *orgs) require(influxdb::is_id(org.id));
  }
  (void)influxdb::decode_error(body);

  const auto description = keyturn::engine::Description::read(body);
  const auto again = keyturn::engine::Description::read(description.write());
  require(again.mark == description.mark);
  if (!description.mark) require(description.text == body && description.write() == body);
  return 0;
}
