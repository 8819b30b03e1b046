// Streams: how Kubernetes watches are read.
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include "lib/http/curl_transport.h"
#include "tests/unit/http/loopback_server.h"

namespace keyturn::http {
namespace {

constexpr std::string_view kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::unique_ptr<Transport> make() {
  CurlOptions options;
  options.proxies = {};
  return make_curl_transport(std::move(options));
}

Request get(const LoopbackServer& server) {
  Request request;
  request.url = server.url();
  request.connect_timeout = request.timeout =
      std::chrono::minutes(5);  // a busy machine is no error
  return request;
}

TEST(CurlStream, HandsOnWhatHasArrivedWhileTheStreamIsOpen) {
  Gate seen;
  LoopbackServer server([&](Peer& peer) {
    peer.read_request();
    peer.write(std::string(kChunked) + "5\r\nhello\r\n");
    seen.wait();  // would wait for ever if the client kept the first chunk back
    peer.write("6\r\n world\r\n0\r\n\r\n");
    peer.await_close();
  });
  std::string body;
  Request request = get(server);
  request.max_reply_bytes = 3;  // what is handed on does not count
  const auto response = make()->stream(request, [&](std::string_view data) {
    body += data;
    if (body == "hello") seen.open();
    return true;
  });
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(body, "hello world");
}

TEST(CurlStream, EndsWhenItsReaderHasEnough) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write(std::string(kChunked) + "5\r\nhello\r\n");
    peer.await_close();
  });
  Request request = get(server);
  request.timeout = Duration::max();
  const auto response = make()->stream(request, [](std::string_view) { return false; });
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(response->status, 200);
}

TEST(CurlStream, KeepsTheBodyOfOtherStatuses) {
  LoopbackServer server([](Peer& peer) {
    while (peer.read_request()) peer.reply(410, "{\"reason\":\"Expired\"}");
  });
  const auto transport = make();
  const auto response = transport->stream(get(server), [](std::string_view) {
    ADD_FAILURE() << "an error is not part of the stream";
    return true;
  });
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 410);
  EXPECT_EQ(response->body, "{\"reason\":\"Expired\"}");
  Request small = get(server);
  small.max_reply_bytes = 5;
  const auto refused = transport->stream(small, [](std::string_view) { return true; });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "TooLarge");
}

TEST(CurlStream, TellsACutStreamFromAFinishedOne) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write(std::string(kChunked) + "5\r\nhello\r\n");
    peer.finish_writing();  // no last chunk
    peer.await_close();
  });
  std::string body;
  const auto response = make()->stream(get(server), [&](std::string_view data) {
    body += data;
    return true;
  });
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "Reset");
  EXPECT_EQ(body, "hello");
}

TEST(CurlStream, EndsAtItsDeadline) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write(kChunked);
    peer.await_close();
  });
  Request request = get(server);
  request.timeout = Duration(50);
  const auto response = make()->stream(request, [](std::string_view) { return true; });
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "Timeout");
}

TEST(CurlStream, EndsWhenItsCallerStops) {
  std::stop_source stop;
  LoopbackServer server([&](Peer& peer) {
    peer.read_request();
    peer.write(std::string(kChunked) + "5\r\nhello\r\n");
    peer.await_close();
  });
  Request request = get(server);
  request.timeout = Duration::max();
  request.stop = stop.get_token();
  const auto response = make()->stream(request, [&](std::string_view) {
    stop.request_stop();  // from within, as well as from another thread
    return true;
  });
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, "Cancelled");
}

TEST(CurlStream, LetsTheReadersExceptionThroughAndStaysUsable) {
  LoopbackServer server([](Peer& peer) {
    while (peer.read_request()) peer.reply(200, "x");
  });
  const auto transport = make();
  EXPECT_THROW(
      static_cast<void>(transport->stream(
          get(server), [](std::string_view) -> bool { throw std::runtime_error("reader"); })),
      std::runtime_error);
  EXPECT_TRUE(transport->send(get(server)).ok());
}

}  // namespace
}  // namespace keyturn::http
