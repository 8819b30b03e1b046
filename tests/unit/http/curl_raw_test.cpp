// Request::raw: bytes over a verified TLS connection, without HTTP.
#include <gtest/gtest.h>

#include <chrono>

#include "lib/http/curl_transport.h"
#include "tests/unit/http/loopback_server.h"

namespace keyturn::http {
namespace {

class CurlRawTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { identity_ = new Identity(make_identity("IP:127.0.0.1")); }
  static void TearDownTestSuite() { delete identity_; }

  Request request(const LoopbackServer& server) {
    Request out;
    out.url = server.url("");
    out.raw = true;
    out.sensitive = true;
    out.body = "one two\r\n\r\n";
    out.connect_timeout = out.timeout = std::chrono::minutes(5);  // a busy machine is no error
    auto tls = std::make_shared<TlsConfig>();
    tls->ca_pem = identity_->cert_pem;
    out.tls = tls;
    return out;
  }
  // Until that many bytes are there.
  Result<Response> ask(const Request& request, std::size_t bytes = 6) {
    got_.clear();
    return transport_->stream(request, [&](std::string_view data) {
      got_ += data;
      return got_.size() < bytes;
    });
  }

  static const Identity* identity_;
  std::unique_ptr<Transport> transport_ = make_curl_transport({16, "keyturn/test", {}});
  std::string got_;
};
const Identity* CurlRawTest::identity_ = nullptr;

TEST_F(CurlRawTest, TheBodyIsSentAsItIsAndTheAnswerHandedOnUntilItIsEnough) {
  std::string seen;
  LoopbackServer server(*identity_, [&](Peer& peer) {
    seen = peer.read_request().value_or("");
    peer.write("+OK");
    peer.write("\r\n+");
    peer.await_close();
  });
  for (int i = 1; i <= 2; ++i) {
    const auto response = ask(request(server));
    ASSERT_TRUE(response.ok()) << response.error().describe();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(got_, "+OK\r\n+");
    EXPECT_EQ(seen, "one two\r\n\r\n");
    EXPECT_EQ(server.accepted(), i);  // a connection of its own
  }
}

TEST_F(CurlRawTest, NothingIsSentToAServerThatIsNotTrusted) {
  bool spoke = false;
  LoopbackServer server(*identity_, [&](Peer& peer) { spoke = peer.read_request().has_value(); });
  Request sent = request(server);
  auto tls = std::make_shared<TlsConfig>();
  tls->ca_pem = make_identity("IP:127.0.0.1").cert_pem;
  sent.tls = tls;
  const auto response = ask(sent);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "Tls") << response.error().describe();
  EXPECT_FALSE(spoke);
}

TEST_F(CurlRawTest, AnEndBeforeItIsEnoughIsAnError) {
  LoopbackServer server(*identity_, [](Peer& peer) {
    (void)peer.read_request();
    peer.write("+O");
  });
  const auto response = ask(request(server));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().cls, ErrorClass::Transient);
  EXPECT_EQ(response.error().code, "Reset") << response.error().describe();
}

TEST_F(CurlRawTest, SilenceIsATimeOutAndAServerThatIsNotThereIsNot) {
  int port = 0;
  {
    LoopbackServer server(*identity_, [](Peer& peer) {
      (void)peer.read_request();
      peer.await_close();
    });
    port = server.port();
    Request sent = request(server);
    sent.timeout = Duration(1500);
    const auto silent = ask(sent);
    ASSERT_FALSE(silent.ok());
    EXPECT_EQ(silent.error().cls, ErrorClass::Transient);
    const bool late = silent.error().code == "Timeout" || silent.error().code == "Connect";
    EXPECT_TRUE(late) << silent.error().describe();
  }
  Request sent;
  sent.url = "https://127.0.0.1:" + std::to_string(port);
  sent.raw = true;
  const auto gone = ask(sent);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, "Connect") << gone.error().describe();
}

TEST_F(CurlRawTest, AStopEndsIt) {
  std::stop_source stop;
  LoopbackServer server(*identity_, [&](Peer& peer) {
    (void)peer.read_request();
    stop.request_stop();
    peer.await_close();
  });
  Request sent = request(server);
  sent.stop = stop.get_token();
  const auto response = ask(sent);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "Cancelled") << response.error().describe();
}

TEST_F(CurlRawTest, WithoutTlsNothingLeaves) {
  LoopbackServer server([](Peer& peer) { peer.await_close(); });
  const auto response = ask(request(server));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "BadUrl");
  EXPECT_EQ(server.accepted(), 0);
}

}  // namespace
}  // namespace keyturn::http
