// HTTP clients for the sandbox's own tests: cpp-httplib as an implementation of HTTP and TLS that
// is not the sandbox's, and a signer of requests written apart from both the product's and the
// verifier. Thread rule: one thread.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"

namespace keyturn::sandbox::testing {

struct Reply {
  int status = 0;  // 0: no answer
  Json body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string header(const std::string& name) const;
};

inline constexpr const char* kMergePatch = "application/merge-patch+json";
inline constexpr const char* kJsonPatch = "application/json-patch+json";
inline constexpr const char* kStrategicPatch = "application/strategic-merge-patch+json";
inline constexpr const char* kApply = "application/apply-patch+yaml";
inline constexpr const char* kMetadata =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
inline constexpr const char* kTable = "application/json;as=Table;g=meta.k8s.io;v=v1";

class KubeClient {
 public:
  explicit KubeClient(Sandbox& sandbox) : KubeClient(sandbox, sandbox.token()) {}
  KubeClient(Sandbox& sandbox, std::string token);

  Reply get(const std::string& path, const std::string& accept = "application/json") const;
  Reply post(const std::string& path, const Json& body) const;
  Reply put(const std::string& path, const Json& body) const;
  Reply patch(const std::string& path, const std::string& type, const Json& body) const;
  Reply del(const std::string& path, const Json& options = Json()) const;
  // Server-side apply as `manager`.
  Reply apply(const std::string& path, const std::string& manager, const Json& body,
              bool force = false) const;
  // Reads a watch until `count` lines have come or the stream ends. `path` has its query.
  std::vector<Json> watch(const std::string& path, std::size_t count,
                          const std::string& accept = "application/json") const;
  // The raw bytes of a watch, until the stream ends or `stop` says so.
  std::string watch_bytes(const std::string& path,
                          const std::function<bool(const std::string&)>& stop) const;
  int read_timeout_ms = 10'000;

 private:
  Reply send(const std::string& method, const std::string& path, const std::string& type,
             const std::string& body, const std::string& accept) const;
  int port_;
  std::string token_, ca_pem_;
};

// What differs between two services that speak JSON.
struct AwsService {
  std::string name = "secretsmanager";
  std::string target = "secretsmanager";
  std::string content_type = "application/x-amz-json-1.1";
};
inline const AwsService kTimestream = {"timestream-influxdb", "AmazonTimestreamInfluxDB",
                                       "application/x-amz-json-1.0"};

class AwsClient {
 public:
  explicit AwsClient(Sandbox& sandbox);
  // One signed call.
  Reply call(const std::string& operation, const Json& input, const AwsService& service = {}) const;

  std::string access_key, secret_key, session_token;
  Duration clock_offset{0};  // the client's clock beside the real one

 private:
  int port_;
  std::string region_;
};

// The control API.
class AdminClient {
 public:
  explicit AdminClient(const Sandbox& sandbox) : url_(sandbox.admin_url()) {}
  Json send(const std::string& method, const std::string& path, const Json& body = Json()) const;

 private:
  std::string url_;
};

// A client of one InfluxDB server, over TLS where the server has it.
class InfluxClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  InfluxClient(Sandbox& sandbox, const InfluxInstance& instance);

  Reply send(const std::string& method, const std::string& path, const Headers& headers,
             const std::string& body = "") const;
  // With "Authorization: Token …".
  Reply as(const std::string& token, const std::string& method, const std::string& path,
           const Json& body = Json()) const;
  // With the cookie of a session.
  Reply in(const std::string& session, const std::string& method, const std::string& path,
           const Json& body = Json()) const;
  Reply sign_in(const std::string& username, const std::string& password) const;
  // The session's key; fails the test when refused.
  std::string session(const std::string& username, const std::string& password) const;

 private:
  bool tls_;
  int port_;
  std::string ca_pem_;
};

// {"apiVersion":"v1","kind":"Secret",…} with data taken as given (base64).
Json secret(const std::string& name, const Json& data);
inline constexpr const char* kSecrets = "/api/v1/namespaces/default/secrets";

}  // namespace keyturn::sandbox::testing
