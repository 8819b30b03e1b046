// Amazon Timestream for InfluxDB, as far as finding a database's endpoint needs it: an abstract
// client, so that tests can stand in.
//
// AWS JSON 1.0, target prefix AmazonTimestreamInfluxDB, host and signing name timestream-influxdb
// (API version 2023-01-27; shapes from the service's botocore model). Error codes and classes as in
// secrets_manager.h; an unknown identifier is NotFound "ResourceNotFoundException". Both operations
// only read. Thread rule: any thread; each call blocks with a deadline.
#pragma once

#include <memory>
#include <string>

#include "lib/base/result.h"

namespace keyturn::aws {

class Session;

struct DbInstance {  // GetDbInstance
  std::string id;
  std::string name;
  std::string arn;
  std::string status;    // "AVAILABLE"…; as AWS spells it
  std::string endpoint;  // bare host name; empty while the instance is being made
  int port = 8086;
  std::string cluster_id;  // set: a member of that cluster
};

struct DbCluster {  // GetDbCluster
  std::string id;
  std::string name;
  std::string arn;
  std::string status;
  std::string endpoint;
  int port = 8086;
  std::string engine_type;  // INFLUXDB_V2, INFLUXDB_V3_CORE, INFLUXDB_V3_ENTERPRISE; may be empty
};

class TimestreamInfluxdb {
 public:
  virtual ~TimestreamInfluxdb() = default;
  virtual Result<DbInstance> get_instance(const std::string& identifier) = 0;
  virtual Result<DbCluster> get_cluster(const std::string& cluster_id) = 0;
};

std::unique_ptr<TimestreamInfluxdb> make_timestream_influxdb(std::shared_ptr<Session> session);

}  // namespace keyturn::aws
