#include "tests/sandbox/timestream.h"

#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/aws_error.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kInstanceId = "identifier";
constexpr const char* kClusterId = "dbClusterId";

// The service knows these by their ids alone, never by names.
std::string checked_id(const Json& input, const char* member) {
  for (const auto& [key, value] : input.items()) {
    if (key != member) throw AwsError("ValidationException", "unknown member " + printable(key));
  }
  const std::string id = text_at(input, member);
  const bool fits =
      id.size() >= 3 && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      });
  if (!fits) {
    throw AwsError("ValidationException",
                   std::string("Value at '") + member +
                       "' failed to satisfy constraint: Member must satisfy regular expression "
                       "pattern: [a-zA-Z0-9]{3,64}");
  }
  return id;
}

void permit(const Principal& caller, const std::string& operation,
            const std::vector<std::string>& names) {
  const std::string action = "timestream-influxdb:" + operation;
  if (permits(caller, action, names)) return;
  throw AwsError("AccessDeniedException", "User: " + caller.arn +
                                              " is not authorized to perform: " + action +
                                              " on resource: " + names.back());
}

AwsError not_found(const char* what, const std::string& id) {
  return AwsError("ResourceNotFoundException", std::string(what) + " " + id + " does not exist");
}

}  // namespace

std::string Timestream::id_of(const Json& input) {
  const std::string id = text_at(input, kInstanceId);
  return id.empty() ? text_at(input, kClusterId) : id;
}

Json Timestream::instance(const Json& input, const Principal& caller,
                          const std::string& region) const {
  const std::string id = checked_id(input, kInstanceId);
  for (const InfluxInstance& instance : instances_.list()) {
    if (instance.id != id || instance.region != region) continue;
    permit(caller, "GetDbInstance", {id, instance.arn});
    Json out = {{"id", instance.id},
                {"name", instance.name},
                {"arn", instance.arn},
                {"status", instance.status},
                {"port", instance.server->port()},
                {"networkType", "IPV4"},
                {"dbInstanceType", "db.influx.medium"},
                {"dbStorageType", "InfluxIOIncludedT1"},
                {"allocatedStorage", 20},
                {"deploymentType", "SINGLE_AZ"},
                {"vpcSubnetIds", {"subnet-12345678"}},
                {"publiclyAccessible", false},
                {"vpcSecurityGroupIds", {"sg-12345678"}},
                {"influxAuthParametersSecretArn", instance.secret_arn}};
    // There is none before it is made.
    if (instance.status != "CREATING") out["endpoint"] = instance.host();
    if (!instance.cluster.empty()) out["dbClusterId"] = instance.cluster;
    return out;
  }
  permit(caller, "GetDbInstance", {id});
  throw not_found("DB instance", id);
}

Json Timestream::cluster(const Json& input, const Principal& caller,
                         const std::string& region) const {
  const std::string id = checked_id(input, kClusterId);
  for (const InfluxCluster& cluster : instances_.clusters()) {
    if (cluster.id != id || cluster.region != region) continue;
    permit(caller, "GetDbCluster", {id, cluster.arn});
    Json out = {{"id", cluster.id},
                {"name", cluster.name},
                {"arn", cluster.arn},
                {"status", cluster.status},
                {"engineType", cluster.engine},
                {"port", 8086},
                {"deploymentType", "MULTI_NODE_READ_REPLICAS"},
                {"dbInstanceType", "db.influx.medium"},
                {"networkType", "IPV4"},
                {"dbStorageType", "InfluxIOIncludedT1"},
                {"allocatedStorage", 20},
                {"publiclyAccessible", false},
                {"vpcSubnetIds", {"subnet-12345678"}},
                {"vpcSecurityGroupIds", {"sg-12345678"}}};
    for (const InfluxInstance& instance : instances_.list()) {
      if (instance.id != cluster.instance) continue;
      out["endpoint"] = out["readerEndpoint"] = instance.host();
      out["port"] = instance.server->port();
      out["influxAuthParametersSecretArn"] = instance.secret_arn;
    }
    return out;
  }
  permit(caller, "GetDbCluster", {id});
  throw not_found("DB cluster", id);
}

Json Timestream::call(const std::string& operation, const Json& input, const Principal& caller,
                      const std::string& region) const {
  if (!input.is_object())
    throw AwsError("SerializationException", "The body is not a JSON object.");
  if (operation == "GetDbInstance") return instance(input, caller, region);
  if (operation == "GetDbCluster") return cluster(input, caller, region);
  throw AwsError("UnknownOperationException", "the sandbox does not serve " + printable(operation));
}

}  // namespace keyturn::sandbox
