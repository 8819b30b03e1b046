// Timestream for InfluxDB (JSON 1.0): GetDbInstance and GetDbCluster, which tell a client where a
// server is and of which engine. Shapes as in botocore's model 2023-01-27; only what a client of
// these two can see. Thread rule: any thread.
#pragma once

#include <string>

#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/influx_instances.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

class Timestream {
 public:
  explicit Timestream(const InfluxInstances& instances) : instances_(instances) {}

  // One signed and parsed request. Throws AwsError: ValidationException, AccessDeniedException,
  // ResourceNotFoundException, UnknownOperationException.
  Json call(const std::string& operation, const Json& input, const Principal& caller,
            const std::string& region) const;
  // The id that a request names, for faults and the call log.
  static std::string id_of(const Json& input);

 private:
  Json instance(const Json& input, const Principal& caller, const std::string& region) const;
  Json cluster(const Json& input, const Principal& caller, const std::string& region) const;

  const InfluxInstances& instances_;
};

}  // namespace keyturn::sandbox
