// Timestream for InfluxDB over the wire: JSON 1.0, one operation per method.
#include "lib/aws/timestream_influxdb.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lib/aws/caller.h"
#include "lib/aws/timestream_influxdb_codec.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

class WireTimestreamInfluxdb final : public TimestreamInfluxdb {
 public:
  explicit WireTimestreamInfluxdb(std::shared_ptr<Session> session)
      : session_(std::move(session)) {}

  Result<DbInstance> get_instance(const std::string& identifier) override {
    return ask("GetDbInstance", "identifier", identifier, &decode_db_instance);
  }
  Result<DbCluster> get_cluster(const std::string& cluster_id) override {
    return ask("GetDbCluster", "dbClusterId", cluster_id, &decode_db_cluster);
  }

 private:
  template <class T>
  Result<T> ask(const char* operation, const char* member, const std::string& id,
                Result<T> (*decode)(const std::string&)) {
    // Bytes that are not UTF-8 are replaced: the service then says that there is no such database.
    const nlohmann::json body = {{member, id}};
    Call call = json_call("timestream-influxdb", "AmazonTimestreamInfluxDB", operation, id,
                          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    call.content_type = "application/x-amz-json-1.0";
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    auto decoded = decode(reply->body);
    if (decoded) return decoded;
    return decoded.error().with_context(std::string(operation) + " " + printable(id));
  }

  const std::shared_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<TimestreamInfluxdb> make_timestream_influxdb(std::shared_ptr<Session> session) {
  return std::make_unique<WireTimestreamInfluxdb>(std::move(session));
}

}  // namespace keyturn::aws
