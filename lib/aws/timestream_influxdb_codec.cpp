#include "lib/aws/timestream_influxdb_codec.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace keyturn::aws {
namespace {

// Reads members one after the other and remembers the first that does not fit.
class Reader {
 public:
  explicit Reader(const std::string& body)
      : json_(nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false)) {
    if (!json_.is_object()) problem_ = "it is not a JSON object";
  }

  std::string text(const char* name) {
    const auto* value = member(name);
    if (value == nullptr) return "";
    if (value->is_string()) return value->get<std::string>();
    complain(std::string(name) + " is not a string");
    return "";
  }

  std::string required_text(const char* name) {
    std::string value = text(name);
    if (value.empty()) complain(std::string(name) + " is missing");
    return value;
  }

  int port(const char* name, int fallback) {
    const auto* value = member(name);
    if (value == nullptr) return fallback;
    if (value->is_number_integer()) {
      const auto number = value->get<std::int64_t>();
      if (number >= 1 && number <= 65535) return static_cast<int>(number);
    }
    complain(std::string(name) + " is not a port");
    return fallback;
  }

  std::optional<Error> problem() const {
    if (problem_.empty()) return std::nullopt;
    return make_error(ErrorClass::Transient, "BadReply", "the reply cannot be used: " + problem_);
  }

 private:
  const nlohmann::json* member(const char* name) const {
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(name);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  void complain(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
  }

  nlohmann::json json_;
  std::string problem_;
};

constexpr int kDefaultPort = 8086;

}  // namespace

Result<DbInstance> decode_db_instance(const std::string& body) {
  Reader reply(body);
  DbInstance out;
  out.id = reply.required_text("id");
  out.arn = reply.required_text("arn");
  out.name = reply.text("name");
  out.status = reply.text("status");
  out.endpoint = reply.text("endpoint");
  out.port = reply.port("port", kDefaultPort);
  out.cluster_id = reply.text("dbClusterId");
  if (auto problem = reply.problem()) return *std::move(problem);
  return out;
}

Result<DbCluster> decode_db_cluster(const std::string& body) {
  Reader reply(body);
  DbCluster out;
  out.id = reply.required_text("id");
  out.arn = reply.required_text("arn");
  out.name = reply.text("name");
  out.status = reply.text("status");
  out.endpoint = reply.text("endpoint");
  out.port = reply.port("port", kDefaultPort);
  out.engine_type = reply.text("engineType");
  if (auto problem = reply.problem()) return *std::move(problem);
  return out;
}

}  // namespace keyturn::aws
