// What the tests of controller/kube share: a connection with fixed credentials, small JSON bodies,
// readers of requests.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "controller/kube/client.h"
#include "controller/kube/config.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_transport.h"

namespace keyturn::kube {

class FixedConnection : public Connection {
 public:
  Result<Access> access() override {
    Access access;
    access.server = "https://api.test:6443";
    access.tls = tls_;
    access.bearer_token = SecretString(tokens_[std::min(refused_.load(), kTokens - 1)]);
    return access;
  }
  void unauthorized() override { ++refused_; }
  const std::string& default_namespace() const override { return ns_; }
  std::string credentials_origin() const override { return "the token of user \"t\" in FILE"; }
  std::string ca_origin() const override {
    return "certificate-authority of cluster \"c\" in FILE";
  }

  // From now on every token is the same: a 401 changes nothing.
  void keep_token() { tokens_[1] = tokens_[0]; }
  int refused() const { return static_cast<int>(refused_.load()); }

 private:
  static constexpr std::size_t kTokens = 2;
  std::string tokens_[kTokens] = {"token-one", "token-two"};
  std::atomic<std::size_t> refused_{0};
  std::string ns_ = "default";
  std::shared_ptr<const http::TlsConfig> tls_ = std::make_shared<http::TlsConfig>();
};

// A client on fakes.
struct Bench {
  testing::FakeClock clock;
  std::shared_ptr<testing::FakeTransport> transport = std::make_shared<testing::FakeTransport>();
  std::shared_ptr<FixedConnection> connection = std::make_shared<FixedConnection>();
  Client client{transport, connection, clock};

  http::Request request(std::size_t i) const { return transport->requests().at(i); }
};

inline Error unreachable() {
  return make_error(ErrorClass::Transient, "Connect", "connection refused");
}

inline std::string object_json(const std::string& name, const std::string& version,
                               const std::string& extra = "") {
  return R"({"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"shop","name":")" + name +
         R"(","resourceVersion":")" + version + "\"" + extra + "}}";
}

inline std::string event_line(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

inline std::string bookmark_line(const std::string& version) {
  return event_line("BOOKMARK",
                    R"({"kind":"Secret","metadata":{"resourceVersion":")" + version + "\"}}");
}

// items: object_json(…) joined by commas.
inline std::string list_json(const std::string& version, const std::string& items,
                             const std::string& next = "") {
  return R"({"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
         R"(","continue":")" + next + R"("},"items":[)" + items + "]}";
}

inline std::string status_json(int code, const std::string& reason, const std::string& message,
                               const std::string& details = "{}") {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")" + message +
         R"(","reason":")" + reason + R"(","details":)" + details + R"(,"code":)" +
         std::to_string(code) + "}";
}

// The value of a query parameter as it stands in the URL; "-" when absent.
inline std::string query_of(const http::Request& request, const std::string& name) {
  const std::size_t start = request.url.find('?');
  if (start == std::string::npos) return "-";
  const std::string query = "&" + request.url.substr(start + 1) + "&";
  const std::size_t at = query.find("&" + name + "=");
  if (at == std::string::npos) return "-";
  const std::size_t value = at + name.size() + 2;
  return query.substr(value, query.find('&', value) - value);
}

inline std::string path_of(const http::Request& request) {
  const std::string rest = request.url.substr(request.url.find("://") + 3);
  const std::string path = rest.substr(rest.find('/'));
  return path.substr(0, path.find('?'));
}

}  // namespace keyturn::kube
