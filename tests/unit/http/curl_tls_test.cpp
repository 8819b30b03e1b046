// TLS: who is trusted, under which name, with which certificate of our own.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "lib/http/curl_transport.h"
#include "tests/unit/http/loopback_server.h"

namespace keyturn::http {
namespace {

class CurlTlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    address_ = new Identity(make_identity("IP:127.0.0.1"));
    named_ = new Identity(make_identity("DNS:kube.internal"));
  }
  static void TearDownTestSuite() {
    delete address_;
    delete named_;
  }

  // Answers with SNI, whether a client certificate came, and the request.
  static void describe(Peer& peer) {
    while (const auto request = peer.read_request()) {
      peer.reply(200, "sni=" + peer.server_name() +
                          (peer.has_client_certificate() ? " certificate\n" : " anonymous\n") +
                          *request);
    }
  }

  Result<Response> ask(const LoopbackServer& server, const TlsConfig& tls) {
    Request request;
    request.url = server.url("/p?q=1");
    request.connect_timeout = request.timeout =
        std::chrono::minutes(5);  // a busy machine is no error
    request.tls = std::make_shared<TlsConfig>(tls);
    return transport_->send(request);
  }

  void expect_refused(const LoopbackServer& server, const TlsConfig& tls) {
    const auto response = ask(server, tls);
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.error().cls, ErrorClass::Transient);
    EXPECT_EQ(response.error().code, "Tls") << response.error().describe();
  }

  static const Identity* address_;
  static const Identity* named_;
  std::unique_ptr<Transport> transport_ = make_curl_transport({16, "keyturn/test", {}});
};
const Identity* CurlTlsTest::address_ = nullptr;
const Identity* CurlTlsTest::named_ = nullptr;

TEST_F(CurlTlsTest, TrustsTheGivenCaAndKeepsTheConnection) {
  LoopbackServer server(*address_, describe);
  TlsConfig tls;
  tls.ca_pem = address_->cert_pem;
  for (int i = 0; i < 3; ++i) {  // a new but equal object each time
    const auto response = ask(server, tls);
    ASSERT_TRUE(response.ok()) << response.error().describe();
    EXPECT_TRUE(response->body.starts_with("sni= anonymous\n")) << response->body;
  }
  EXPECT_EQ(server.accepted(), 1);
}

// A sensitive exchange throws its handle away but not the connection: that must bear it, late
// session tickets and all.
TEST_F(CurlTlsTest, SensitiveExchangesShareTheConnectionToo) {
  LoopbackServer server(*address_, describe);
  auto tls = std::make_shared<TlsConfig>();
  tls->ca_pem = address_->cert_pem;
  for (int i = 0; i < 4; ++i) {
    Request request;
    request.url = server.url();
    request.connect_timeout = request.timeout = std::chrono::minutes(5);
    request.tls = tls;
    request.sensitive = i != 2;
    const auto response = transport_->send(request);
    ASSERT_TRUE(response.ok()) << response.error().describe();
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTlsTest, RefusesAnotherCa) {
  LoopbackServer server(*address_, describe);
  TlsConfig tls;
  tls.ca_pem = named_->cert_pem;
  expect_refused(server, tls);
  expect_refused(server, {});  // the system's store does not know it either
}

TEST_F(CurlTlsTest, WithoutACaTheSystemsCertificatesCount) {
  LoopbackServer server(*address_, describe);
  const std::string file = ::testing::TempDir() + "keyturn-system-ca.pem";
  std::ofstream(file) << address_->cert_pem;
  ::setenv("SSL_CERT_FILE", file.c_str(), 1);  // where OpenSSL, as Go, looks for them
  const auto response = ask(server, {});
  ::unsetenv("SSL_CERT_FILE");
  std::remove(file.c_str());
  ASSERT_TRUE(response.ok()) << response.error().describe();
  TlsConfig tls;
  tls.ca_pem = named_->cert_pem;
  expect_refused(server, tls);  // nor is the connection reused where they do not count
}

TEST_F(CurlTlsTest, ATrustedConnectionIsNotReusedUnderAnotherCa) {
  LoopbackServer server(*address_, describe);
  TlsConfig tls;
  tls.ca_pem = address_->cert_pem;
  ASSERT_TRUE(ask(server, tls).ok());
  tls.ca_pem = named_->cert_pem;
  expect_refused(server, tls);
}

TEST_F(CurlTlsTest, AnUnverifiedConnectionIsNotReusedForAVerifiedRequest) {
  LoopbackServer server(*named_, describe);
  TlsConfig tls;
  tls.insecure_skip_verify = true;
  ASSERT_TRUE(ask(server, tls).ok());
  tls.insecure_skip_verify = false;
  tls.ca_pem = named_->cert_pem;
  expect_refused(server, tls);  // the URL's host is not in the certificate
}

TEST_F(CurlTlsTest, ServerNameIsSentAndVerifiedWhileTheHostStays) {
  LoopbackServer server(*named_, describe);
  TlsConfig tls;
  tls.ca_pem = named_->cert_pem;
  tls.server_name = "kube.internal";
  const auto response = ask(server, tls);
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_TRUE(response->body.starts_with("sni=kube.internal anonymous\nGET /p?q=1 HTTP/1.1\r\n"))
      << response->body;
  EXPECT_NE(response->body.find("\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"),
            std::string::npos)
      << response->body;
  ASSERT_TRUE(ask(server, tls).ok());
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTlsTest, AWrongServerNameIsRefused) {
  LoopbackServer server(*address_, describe);
  TlsConfig tls;
  tls.ca_pem = address_->cert_pem;
  tls.server_name = "kube.internal";
  expect_refused(server, tls);
}

TEST_F(CurlTlsTest, ShowsItsCertificate) {
  LoopbackServer server(*address_, describe, named_->cert_pem);
  TlsConfig tls;
  tls.ca_pem = address_->cert_pem;
  tls.client_cert_pem = named_->cert_pem;
  tls.client_key_pem = named_->key_pem;
  const auto response = ask(server, tls);
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_TRUE(response->body.starts_with("sni= certificate\n"));
}

TEST_F(CurlTlsTest, WithoutACertificateItIsTurnedAway) {
  LoopbackServer server(*address_, describe, named_->cert_pem);
  TlsConfig tls;
  tls.ca_pem = address_->cert_pem;
  const auto response = ask(server, tls);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().cls, ErrorClass::Transient);
}

TEST_F(CurlTlsTest, BrokenPemIsInvalid) {
  LoopbackServer server(*address_, describe);
  TlsConfig tls;
  tls.ca_pem = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n";
  auto response = ask(server, tls);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "BadTlsConfig") << response.error().describe();
  tls.ca_pem = address_->cert_pem;
  tls.client_cert_pem = "nonsense";
  tls.client_key_pem = "nonsense";
  response = ask(server, tls);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "BadTlsConfig") << response.error().describe();
}

TEST_F(CurlTlsTest, AHandshakeThatNeverEndsIsNoConnection) {
  LoopbackServer server([](Peer& peer) { peer.await_close(); });  // reads, says nothing
  Request request;
  request.url = "https://127.0.0.1:" + std::to_string(server.port());
  request.connect_timeout = Duration(50);
  const auto response = transport_->send(request);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "Connect") << response.error().describe();
}

}  // namespace
}  // namespace keyturn::http
