#include "tests/unit/sandbox/clients.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <csignal>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::sandbox::testing {
namespace {

Reply to_reply(const httplib::Result& result) {
  Reply out;
  if (!result) return out;
  out.status = result->status;
  out.body = Json::parse(result->body, nullptr, false);
  for (const auto& [name, value] : result->headers)
    out.headers.emplace_back(lower_ascii(name), value);
  return out;
}

std::string hmac(const std::string& key, const std::string& data) {
  const Sha256 mac = hmac_sha256(as_bytes_of(key), data);
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

void trust(httplib::SSLClient& client, const std::string& pem) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL's farewell to a connection that was reset
  BIO* bytes = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bytes, nullptr, nullptr, nullptr);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, certificate);
  X509_free(certificate);
  BIO_free(bytes);
  client.set_ca_cert_store(store);  // which is the client's from here on
}

}  // namespace

std::string Reply::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (key == lower_ascii(name)) return value;
  }
  return "";
}

KubeClient::KubeClient(Sandbox& sandbox, std::string token)
    : port_(sandbox.kube_server().port()), token_(std::move(token)), ca_pem_(sandbox.ca_pem()) {}

Reply KubeClient::send(const std::string& method, const std::string& path, const std::string& type,
                       const std::string& body, const std::string& accept) const {
  httplib::SSLClient client("127.0.0.1", port_);
  trust(client, ca_pem_);
  client.set_read_timeout(0, read_timeout_ms * 1000);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.headers = {{"Authorization", "Bearer " + token_}, {"Accept", accept}};
  if (!type.empty()) request.headers.emplace("Content-Type", type);
  request.body = body;
  return to_reply(client.send(request));
}

Reply KubeClient::get(const std::string& path, const std::string& accept) const {
  return send("GET", path, "", "", accept);
}
Reply KubeClient::post(const std::string& path, const Json& body) const {
  return send("POST", path, "application/json", body.dump(), "application/json");
}
Reply KubeClient::put(const std::string& path, const Json& body) const {
  return send("PUT", path, "application/json", body.dump(), "application/json");
}
Reply KubeClient::patch(const std::string& path, const std::string& type, const Json& body) const {
  return send("PATCH", path, type, body.dump(), "application/json");
}
Reply KubeClient::del(const std::string& path, const Json& options) const {
  return send("DELETE", path, "application/json", options.is_null() ? "" : options.dump(),
              "application/json");
}
Reply KubeClient::apply(const std::string& path, const std::string& manager, const Json& body,
                        bool force) const {
  const std::string query = "?fieldManager=" + manager + (force ? "&force=true" : "");
  return send("PATCH", path + query, kApply, body.dump(), "application/json");
}

std::string KubeClient::watch_bytes(const std::string& path,
                                    const std::function<bool(const std::string&)>& stop) const {
  httplib::SSLClient client("127.0.0.1", port_);
  trust(client, ca_pem_);
  client.set_read_timeout(0, read_timeout_ms * 1000);
  std::string seen;
  client.Get(path, {{"Authorization", "Bearer " + token_}, {"Accept", "application/json"}},
             [&](const char* data, std::size_t size) {
               seen.append(data, size);
               return !stop(seen);
             });
  return seen;
}

std::vector<Json> KubeClient::watch(const std::string& path, std::size_t count,
                                    const std::string& accept) const {
  httplib::SSLClient client("127.0.0.1", port_);
  trust(client, ca_pem_);
  client.set_read_timeout(0, read_timeout_ms * 1000);
  std::string bytes;
  std::vector<Json> out;
  const auto receive = [&](const char* data, std::size_t size) {
    bytes.append(data, size);
    for (std::size_t end = bytes.find('\n'); end != std::string::npos; end = bytes.find('\n')) {
      out.push_back(Json::parse(bytes.substr(0, end)));
      bytes.erase(0, end + 1);
    }
    return out.size() < count;
  };
  client.Get(path, {{"Authorization", "Bearer " + token_}, {"Accept", accept}}, receive);
  return out;
}

AwsClient::AwsClient(Sandbox& sandbox)
    : access_key(sandbox.access_key()),
      secret_key(sandbox.secret_key()),
      port_(sandbox.aws_server().port()),
      region_(sandbox.region()) {}

Reply AwsClient::call(const std::string& operation, const Json& input,
                      const AwsService& service) const {
  const std::string body = input.dump();
  const std::string host = "127.0.0.1:" + std::to_string(port_);
  std::string stamp = format_rfc3339(SystemClock().now() + clock_offset);
  std::erase(stamp, '-');
  std::erase(stamp, ':');
  const std::string day = stamp.substr(0, 8);
  std::string names = "content-type;host;x-amz-date";
  std::string headers =
      "content-type:" + service.content_type + "\nhost:" + host + "\nx-amz-date:" + stamp + "\n";
  if (!session_token.empty()) {
    names += ";x-amz-security-token";
    headers += "x-amz-security-token:" + session_token + "\n";
  }
  names += ";x-amz-target";
  headers += "x-amz-target:" + service.target + "." + operation + "\n";
  const std::string canonical = "POST\n/\n\n" + headers + "\n" + names + "\n" + hex(sha256(body));
  const std::string scope = day + "/" + region_ + "/" + service.name + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex(sha256(canonical));
  const std::string key =
      hmac(hmac(hmac(hmac("AWS4" + secret_key, day), region_), service.name), "aws4_request");
  httplib::Request request;
  request.method = "POST";
  request.path = "/";
  request.body = body;
  request.headers = {{"Host", host},
                     {"Content-Type", service.content_type},
                     {"X-Amz-Date", stamp},
                     {"X-Amz-Target", service.target + "." + operation},
                     {"Authorization", "AWS4-HMAC-SHA256 Credential=" + access_key + "/" + scope +
                                           ", SignedHeaders=" + names +
                                           ", Signature=" + hex(as_bytes_of(hmac(key, to_sign)))}};
  if (!session_token.empty()) request.headers.emplace("X-Amz-Security-Token", session_token);
  httplib::Client client("127.0.0.1", port_);
  return to_reply(client.send(request));
}

Json AdminClient::send(const std::string& method, const std::string& path, const Json& body) const {
  httplib::Request request;
  request.method = method;
  request.path = path;
  if (!body.is_null()) request.body = body.dump();
  httplib::Client client(url_);
  return to_reply(client.send(request)).body;
}

InfluxClient::InfluxClient(Sandbox& sandbox, const InfluxInstance& instance)
    : tls_(instance.tls), port_(instance.server->port()), ca_pem_(sandbox.ca_pem()) {}

Reply InfluxClient::send(const std::string& method, const std::string& path, const Headers& headers,
                         const std::string& body) const {
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  for (const auto& [name, value] : headers) request.headers.emplace(name, value);
  if (!tls_) {
    httplib::Client client("127.0.0.1", port_);
    return to_reply(client.send(request));
  }
  httplib::SSLClient client("127.0.0.1", port_);
  trust(client, ca_pem_);
  return to_reply(client.send(request));
}

Reply InfluxClient::as(const std::string& token, const std::string& method, const std::string& path,
                       const Json& body) const {
  return send(method, path, {{"Authorization", "Token " + token}},
              body.is_null() ? "" : body.dump());
}

Reply InfluxClient::in(const std::string& session, const std::string& method,
                       const std::string& path, const Json& body) const {
  return send(method, path, {{"Cookie", "influxdb-oss-session=" + session}},
              body.is_null() ? "" : body.dump());
}

Reply InfluxClient::sign_in(const std::string& username, const std::string& password) const {
  return send("POST", "/api/v2/signin",
              {{"Authorization", "Basic " + base64(username + ":" + password)}});
}

std::string InfluxClient::session(const std::string& username, const std::string& password) const {
  const Reply reply = sign_in(username, password);
  EXPECT_EQ(reply.status, 204);
  const std::string cookie = reply.header("set-cookie");
  const std::size_t start = cookie.find('=') + 1;
  return cookie.substr(start, cookie.find(';') - start);
}

Json secret(const std::string& name, const Json& data) {
  return {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", name}}}, {"data", data}};
}

}  // namespace keyturn::sandbox::testing
