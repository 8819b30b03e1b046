// The libcurl transport against real loopback sockets: exchanges, connections, deadlines,
// cancellation.
#include "lib/http/curl_transport.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/unit/http/loopback_server.h"

namespace keyturn::http {
namespace {

std::unique_ptr<Transport> make() {
  CurlOptions options;
  options.user_agent = "keyturn/test";
  options.proxies = {};
  return make_curl_transport(std::move(options));
}

Request get(const std::string& url) {
  Request request;
  request.url = url;
  request.connect_timeout = request.timeout =
      std::chrono::minutes(5);  // a busy machine is no error
  return request;
}

Request post(const std::string& url, std::string body) {
  Request request = get(url);
  request.method = "POST";
  request.body = std::move(body);
  return request;
}

void expect_error(const Result<Response>& result, ErrorClass cls, const std::string& code) {
  ASSERT_FALSE(result.ok()) << "status " << result->status;
  EXPECT_EQ(result.error().cls, cls) << result.error().describe();
  EXPECT_EQ(result.error().code, code) << result.error().describe();
}

// Answers every request with 200 and the request itself.
void echo(Peer& peer) {
  while (const auto request = peer.read_request()) peer.reply(200, *request);
}

TEST(CurlTransport, SendsWhatItWasGivenAndLittleElse) {
  LoopbackServer server(echo);
  Request request = post(server.url("/a/../b?x=1"), std::string("body\0with NUL", 13));
  request.headers = {{"X-One", "1"}, {"X-Empty", ""}, {"x-one", "2"}};
  const auto response = make()->send(request);
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body,
            "POST /a/../b?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                "\r\nUser-Agent: keyturn/test\r\nAccept: */*\r\nX-One: 1\r\nX-Empty:\r\n"
                "x-one: 2\r\nContent-Length: 13\r\n\r\n" +
                request.body);
}

TEST(CurlTransport, SendsEveryMethodWithItsBody) {
  LoopbackServer server(echo);
  const auto transport = make();
  const std::string large(3'000'000,
                          'x');  // libcurl would say "Expect: 100-continue" from 1 MiB on
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    for (const std::string& body : {std::string(), std::string("hello"), large}) {
      Request request = get(server.url());
      request.method = method;
      request.body = body;
      const auto response = transport->send(request);
      ASSERT_TRUE(response.ok()) << method << " " << response.error().describe();
      EXPECT_TRUE(response->body.starts_with(std::string(method) + " / HTTP/1.1\r\n"));
      EXPECT_TRUE(response->body.ends_with("\r\n\r\n" + body)) << method;
      EXPECT_EQ(response->body.find("Expect"), std::string::npos);
      EXPECT_EQ(response->body.find("Content-Type"), std::string::npos);
    }
  }
}

TEST(CurlTransport, HeadHasNoBodyToWaitFor) {
  LoopbackServer server([](Peer& peer) {
    while (peer.read_request()) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  });
  Request request = get(server.url());
  request.method = "HEAD";
  const auto response = make()->send(request);
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(*find_header(response->headers, "content-length"), "500");
}

TEST(CurlTransport, AnyStatusIsSuccessAndNoRedirectIsFollowed) {
  std::atomic<int> requests{0};
  LoopbackServer server([&](Peer& peer) {
    while (peer.read_request()) {
      ++requests;
      peer.reply(302, "moved", "Location: /elsewhere\r\nX-A:  padded \r\n");
    }
  });
  const auto response = make()->send(get(server.url()));
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(response->body, "moved");
  EXPECT_EQ(*find_header(response->headers, "x-a"), "padded");
  EXPECT_EQ(requests, 1);
}

TEST(CurlTransport, InterimRepliesLeaveNoHeaders) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
    peer.reply(200, "ok", "X-Late: 1\r\n");
  });
  const auto response = make()->send(get(server.url()));
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(find_header(response->headers, "X-Early"), nullptr);
  EXPECT_NE(find_header(response->headers, "X-Late"), nullptr);
}

TEST(CurlTransport, KeepsConnectionsAlive) {
  LoopbackServer server(echo);
  const auto transport = make();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(transport->send(get(server.url())).ok());
  ASSERT_TRUE(transport->send(post(server.url(), "x")).ok());
  EXPECT_EQ(server.accepted(), 1);
}

TEST(CurlTransport, TakesAFreshConnectionWhenAsked) {
  LoopbackServer server(echo);
  const auto transport = make();
  ASSERT_TRUE(transport->send(get(server.url())).ok());
  Request fresh = get(server.url());
  fresh.fresh_connection = true;
  ASSERT_TRUE(transport->send(fresh).ok());
  EXPECT_EQ(server.accepted(), 2);
}

TEST(CurlTransport, KeepsOneConnectionPerOriginWhenTheyTakeTurns) {
  LoopbackServer a(echo);
  LoopbackServer b(echo);
  const auto transport = make();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(transport->send(get((i % 2 ? a : b).url())).ok());
  EXPECT_EQ(a.accepted(), 1);
  EXPECT_EQ(b.accepted(), 1);
}

TEST(CurlTransport, SensitiveExchangesKeepTheirConnectionToo) {
  const std::string large(300'000, 's');
  LoopbackServer server([&](Peer& peer) {
    while (peer.read_request()) {  // unknown length: the reply's buffer has to grow
      peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (std::size_t at = 0; at < large.size(); at += 10'000) {
        peer.write("2710\r\n" + large.substr(at, 10'000) + "\r\n");
      }
      peer.write("0\r\n\r\n");
    }
  });
  const auto transport = make();
  for (int i = 0; i < 3; ++i) {
    Request request = post(server.url(), "secret");
    request.sensitive = true;
    const auto response = transport->send(request);
    ASSERT_TRUE(response.ok()) << response.error().describe();
    EXPECT_EQ(response->body, large);
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST(CurlTransport, ServesManyThreadsWithAtMostAsManyConnections) {
  LoopbackServer server(echo);
  const auto transport = make();
  constexpr int kThreads = 6;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) {
          const std::string body = std::to_string(t) + "/" + std::to_string(i);
          const auto response = transport->send(post(server.url(), body));
          ASSERT_TRUE(response.ok()) << response.error().describe();
          EXPECT_TRUE(response->body.ends_with("\r\n\r\n" + body));
        }
      });
    }
  }
  EXPECT_LE(server.accepted(), kThreads);
}

TEST(CurlTransport, ClosesIdleHandlesBeyondItsBound) {
  std::atomic<int> closed{0};
  const auto handler = [&](Peer& peer) {
    echo(peer);
    ++closed;
    closed.notify_all();
  };
  LoopbackServer first(handler);
  LoopbackServer second(handler);
  CurlOptions options;
  options.max_idle_handles = 1;
  const auto transport = make_curl_transport(options);
  ASSERT_TRUE(transport->send(get(first.url())).ok());
  ASSERT_TRUE(transport->send(get(second.url())).ok());
  closed.wait(0);  // the first server's connection: the client has hung up
  EXPECT_EQ(closed, 1);
}

TEST(CurlTransport, NoticesThatAnIdleConnectionWasClosed) {
  Gate closed;
  std::atomic<int> connections{0};
  LoopbackServer server([&](Peer& peer) {
    const bool first = connections++ == 0;
    peer.read_request();
    peer.reply(200, "ok");
    if (!first) return echo(peer);
    peer.finish_writing();
    closed.open();
    peer.await_close();
  });
  const auto transport = make();
  ASSERT_TRUE(transport->send(get(server.url())).ok());
  closed.wait();
  const auto response = transport->send(post(server.url(), "x"));
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(server.accepted(), 2);
}

// The dangerous race of keep-alive: the server read the request on an old connection and closed
// without a word.
class DiesOnSecondRequest : public ::testing::TestWithParam<const char*> {
 protected:
  std::atomic<int> connections_{0};
  std::atomic<int> swallowed_{0};  // read on the old connection, which then closed
  std::atomic<int> repeated_{0};
  LoopbackServer server_{[this](Peer& peer) {
    const bool first = connections_++ == 0;
    if (first) {
      peer.read_request();
      peer.reply(200, "ok");
      if (peer.read_request()) ++swallowed_;
      return;
    }
    while (peer.read_request()) {
      ++repeated_;
      peer.reply(200, "ok");
    }
  }};

  Result<Response> second_request(const std::string& method, const std::string& body) {
    const auto transport = make();
    EXPECT_TRUE(transport->send(get(server_.url())).ok());
    Request request = get(server_.url());
    request.method = method;
    request.body = body;
    return transport->send(request);
  }
};

class RepeatsIdempotent : public DiesOnSecondRequest {};
TEST_P(RepeatsIdempotent, OnAFreshConnection) {
  const auto response = second_request(GetParam(), std::string(GetParam()) == "PUT" ? "body" : "");
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(swallowed_, 1);
  EXPECT_EQ(repeated_, 1);
}
INSTANTIATE_TEST_SUITE_P(Methods, RepeatsIdempotent, ::testing::Values("GET", "PUT", "DELETE"));

class NeverRepeatsOthers : public DiesOnSecondRequest {};
TEST_P(NeverRepeatsOthers, BecauseTheServerMayHaveActed) {
  expect_error(second_request(GetParam(), "mint one"), ErrorClass::Transient, "Reset");
  EXPECT_EQ(swallowed_, 1);
  EXPECT_EQ(repeated_, 0);
}
TEST_P(NeverRepeatsOthers, NorWithoutABody) {
  const auto response = second_request(GetParam(), "");
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_EQ(swallowed_, 0) << "sent on a fresh connection at once";
  EXPECT_EQ(repeated_, 1);
}
INSTANTIATE_TEST_SUITE_P(Methods, NeverRepeatsOthers, ::testing::Values("POST", "PATCH"));

TEST(CurlTransport, GivesUpOnAServerThatNeverAnswers) {
  LoopbackServer server([](Peer& peer) { peer.await_close(); });
  Request request = get(server.url("/path?token=hunter2"));
  request.timeout = Duration(50);
  const auto result = make()->send(request);
  expect_error(result, ErrorClass::Transient, "Timeout");
  EXPECT_NE(result.error().message.find("/path"), std::string::npos);
  EXPECT_EQ(result.error().message.find("hunter2"), std::string::npos);
}

TEST(CurlTransport, GivesUpInTheMiddleOfABody) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    peer.await_close();
  });
  Request request = get(server.url());
  request.timeout = Duration(50);
  expect_error(make()->send(request), ErrorClass::Transient, "Timeout");
}

TEST(CurlTransport, TriesNothingWithoutTime) {
  LoopbackServer server(echo);
  Request request = get(server.url());
  request.timeout = Duration(0);
  expect_error(make()->send(request), ErrorClass::Unavailable, "DeadlineOver");
  EXPECT_EQ(server.accepted(), 0);
}

TEST(CurlTransport, MayWaitWithoutADeadline) {
  LoopbackServer server(echo);
  Request request = get(server.url());
  request.timeout = Duration::max();
  EXPECT_TRUE(make()->send(request).ok());
}

TEST(CurlTransport, SaysThatNobodyListens) {
  std::string url;
  {
    LoopbackServer server(echo);
    url = server.url();
  }
  expect_error(make()->send(get(url)), ErrorClass::Transient, "Connect");
}

TEST(CurlTransport, SaysThatANameDoesNotResolve) {
  expect_error(make()->send(get("http://no-such-host.invalid/")), ErrorClass::Transient, "Resolve");
}

TEST(CurlTransport, EndsWhenItsCallerStops) {
  std::stop_source stop;
  LoopbackServer server([&](Peer& peer) {
    peer.read_request();
    stop.request_stop();
    peer.await_close();
  });
  const auto transport = make();
  Request request = get(server.url());
  request.timeout = Duration::max();
  request.stop = stop.get_token();
  expect_error(transport->send(request), ErrorClass::Unavailable, "Cancelled");
  expect_error(transport->send(request), ErrorClass::Unavailable, "Cancelled");  // stopped before
}

TEST(CurlTransport, ReportsCutReplies) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    peer.finish_writing();
    peer.await_close();
  });
  expect_error(make()->send(get(server.url())), ErrorClass::Transient, "Reset");
}

TEST(CurlTransport, ReportsAConnectionClosedWithoutAReply) {
  LoopbackServer server([](Peer& peer) { peer.read_request(); });
  expect_error(make()->send(get(server.url())), ErrorClass::Transient, "Reset");
}

TEST(CurlTransport, ReportsWhatIsNotHttp) {
  LoopbackServer server([](Peer& peer) {
    peer.read_request();
    peer.write("SSH-2.0-OpenSSH_9.2\r\n");
  });
  expect_error(make()->send(get(server.url())), ErrorClass::Transient, "BadReply");
}

TEST(CurlTransport, BoundsTheReply) {
  LoopbackServer server([](Peer& peer) {
    while (peer.read_request()) peer.reply(200, std::string(1000, 'x'));
  });
  const auto transport = make();
  Request request = get(server.url());
  request.max_reply_bytes = 999;
  expect_error(transport->send(request), ErrorClass::Invalid, "TooLarge");
  request.max_reply_bytes = 1000;
  EXPECT_TRUE(transport->send(request).ok());
  request.max_reply_bytes = 0;
  EXPECT_TRUE(transport->send(request).ok());
}

TEST(CurlTransport, RefusesBadInputBeforeConnecting) {
  LoopbackServer server(echo);
  const auto transport = make();
  for (const auto& [name, value] : Headers{{"X-A", "1\r\nX-B: 2"},
                                           {"X-A", std::string("a\0b", 3)},
                                           {"X A", "1"},
                                           {"", "1"},
                                           {"X:A", "1"},
                                           {"X-A", "a\nb"}}) {
    Request request = get(server.url());
    request.headers = {{name, value}};
    expect_error(transport->send(request), ErrorClass::Invalid, "BadHeader");
  }
  Request request = get(server.url());
  request.method = "GET /x HTTP/1.1\r\nX: y\r\n\r\nGET";
  expect_error(transport->send(request), ErrorClass::Invalid, "BadHeader");
  expect_error(transport->send(get("file:///etc/passwd")), ErrorClass::Invalid, "BadUrl");
  EXPECT_EQ(server.accepted(), 0);
}

TEST(CurlTransport, UsesTheProxyOfTheRequestForEveryHost) {
  LoopbackServer proxy(echo);
  Request request = get("http://nowhere.invalid/x");
  request.proxy = proxy.url("");
  const auto response = make()->send(request);
  ASSERT_TRUE(response.ok()) << response.error().describe();
  EXPECT_TRUE(response->body.starts_with("GET http://nowhere.invalid/x HTTP/1.1\r\n"));
}

TEST(CurlTransport, UsesTheEnvironmentsProxyUnlessToldOtherwise) {
  LoopbackServer proxy(echo);
  CurlOptions options;
  options.proxies.http_proxy = proxy.url("");
  const auto transport = make_curl_transport(options);
  Request request = get("http://nowhere.invalid/");
  EXPECT_TRUE(transport->send(request).ok());
  request.proxy = kNoProxy;
  expect_error(transport->send(request), ErrorClass::Transient, "Resolve");
  LoopbackServer direct(echo);
  EXPECT_TRUE(transport->send(get(direct.url())).ok());
  EXPECT_EQ(direct.accepted(), 1) << "loopback never uses a proxy";
}

TEST(CurlTransport, ReportsAProxyThatRefusesATunnel) {
  LoopbackServer proxy([](Peer& peer) {
    peer.read_request();
    peer.reply(502, "no", "X-Proxy: 1\r\n");
  });
  Request request = post("https://nowhere.invalid/", "x");
  request.proxy = proxy.url("");
  expect_error(make()->send(request), ErrorClass::Transient, "Connect");
}

}  // namespace
}  // namespace keyturn::http
