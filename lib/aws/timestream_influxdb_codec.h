// Timestream for InfluxDB's JSON. Unknown members are ignored, null means absent; a missing or
// mistyped one that is needed is Transient "BadReply" and named. None quotes the reply.
//
// Thread rule: pure functions; any bytes are accepted.
#pragma once

#include <string>

#include "lib/aws/timestream_influxdb.h"
#include "lib/base/result.h"

namespace keyturn::aws {

Result<DbInstance> decode_db_instance(const std::string& body);
Result<DbCluster> decode_db_cluster(const std::string& body);

}  // namespace keyturn::aws
