// Timestream for InfluxDB's replies. What is accepted has an id, an ARN and a port that is one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/aws/timestream_influxdb_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  const auto usable = [](const auto& reply) {
    return !reply ||
           (!reply->id.empty() && !reply->arn.empty() && reply->port >= 1 && reply->port <= 65535);
  };
  if (!usable(keyturn::aws::decode_db_instance(body))) std::abort();
  if (!usable(keyturn::aws::decode_db_cluster(body))) std::abort();
  return 0;
}
