#include "controller/rotation/listener.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http/curl_transport.h"

namespace keyturn::rotation {
namespace {

bool has_ipv6() {
  const int probe = socket(AF_INET6, SOCK_STREAM, 0);
  if (probe < 0) return false;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(probe);
  return bound;
}

class ListenerTest : public ::testing::Test {
 protected:
  http::Response get(const std::string& page) { return get("127.0.0.1", listener.port(), page); }
  http::Response get(const std::string& host, int port, const std::string& page) {
    http::Request request;
    request.method = "GET";
    request.url = "http://" + host + ":" + std::to_string(port) + page;
    auto response = transport->send(request);
    EXPECT_TRUE(response) << response.error().message;
    return response ? *response : http::Response{};
  }

  Status healthy, ready;
  Listener listener{
      "127.0.0.1:0",
      {[] { return std::string("up 1\n"); }, [this] { return healthy; }, [this] { return ready; }}};
  // Closes its connections before the listener stops, which would wait for them.
  std::shared_ptr<http::Transport> transport = http::make_curl_transport({});
};

TEST_F(ListenerTest, ServesItsThreePages) {
  ASSERT_TRUE(listener.start());
  EXPECT_EQ(get("/metrics").body, "up 1\n");
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_EQ(get("/").status, 404);
}

TEST_F(ListenerTest, ThoseThatFailSayWhy) {
  ASSERT_TRUE(listener.start());
  healthy = make_error(ErrorClass::Unavailable, "WorkerStuck", "a worker is stuck");
  EXPECT_EQ(get("/healthz").status, 503);
  EXPECT_EQ(get("/healthz").body, "a worker is stuck\n");
  EXPECT_EQ(get("/readyz").status, 200) << "stuck is not unready";
  ready = make_error(ErrorClass::Unavailable, "NotSynced", "not listed yet");
  EXPECT_EQ(get("/readyz").body, "not listed yet\n");
}

TEST_F(ListenerTest, StopsAtOnceAfterItsStart) {
  for (int i = 0; i < 50; ++i) {
    Listener other("127.0.0.1:0", {});
    ASSERT_TRUE(other.start());
  }
}

// The kubelet of an IPv6-only cluster knows the pod by no other address.
TEST_F(ListenerTest, WithoutAHostItIsThereForBothFamilies) {
  Listener everywhere(":0", {[] { return std::string("up 1\n"); }, {}, {}});
  ASSERT_TRUE(everywhere.start());
  EXPECT_EQ(get("127.0.0.1", everywhere.port(), "/metrics").body, "up 1\n");
  if (has_ipv6()) {
    EXPECT_EQ(get("[::1]", everywhere.port(), "/metrics").body, "up 1\n");
  }
  transport.reset();  // its connections first
  everywhere.stop();
  if (!has_ipv6()) GTEST_SKIP() << "THIS MACHINE HAS NO IPv6: ONLY IPv4 WAS TRIED";
}

TEST_F(ListenerTest, AnAddressThatCannotBeHadIsNamed) {
  ASSERT_TRUE(listener.start());
  const std::string taken = "127.0.0.1:" + std::to_string(listener.port());
  for (const std::string& address : {taken, std::string("nonsense"), std::string(":99999")}) {
    Listener other(address, {});
    const Status started = other.start();
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code, "ListenFailed");
    EXPECT_NE(started.error().message.find(address), std::string::npos) << started.error().message;
  }
}

}  // namespace
}  // namespace keyturn::rotation
