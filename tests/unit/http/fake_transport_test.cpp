// The fake that the tests of AWS and Kubernetes clients stand on.
#include "tests/testing/fake_transport.h"

#include <gtest/gtest.h>

#include <thread>

namespace keyturn::testing {
namespace {

http::Request get(const std::string& url) {
  http::Request request;
  request.url = url;
  return request;
}

TEST(FakeTransport, PlaysItsScriptThenAsksTheFunction) {
  FakeTransport transport;
  transport.push(Reply::of(201, "a", {{"X", "1"}}));
  transport.push(Reply::failed(make_error(ErrorClass::Transient, "Reset", "gone")));
  EXPECT_EQ(transport.send(get("u1"))->body, "a");
  EXPECT_EQ(transport.send(get("u2")).error().code, "Reset");
  EXPECT_EQ(transport.send(get("u3")).error().code, "UnexpectedRequest");
  EXPECT_EQ(transport.unexpected(), 1u);
  transport.on_request([](const http::Request& r) { return Reply::of(200, r.url); });
  EXPECT_EQ(transport.send(get("u4"))->body, "u4");
  ASSERT_EQ(transport.requests().size(), 4u);
  EXPECT_EQ(transport.requests()[1].url, "u2");
}

TEST(FakeTransport, StreamsChunksOfGoodRepliesOnly) {
  FakeTransport transport;
  transport.push(Reply::chunks({"a", "b"}).then(make_error(ErrorClass::Transient, "Reset", "cut")));
  Reply gone = Reply::chunks({"x", "y"});
  gone.status = 410;
  transport.push(gone);
  std::string seen;
  const auto take = [&](std::string_view data) {
    seen += data;
    return true;
  };
  EXPECT_EQ(transport.stream(get("u"), take).error().code, "Reset");
  EXPECT_EQ(seen, "ab");
  EXPECT_EQ(transport.stream(get("u"), take)->body, "xy");
  EXPECT_EQ(seen, "ab");
}

TEST(FakeTransport, HoldsUntilStoppedOrReleased) {
  FakeTransport transport;
  transport.push(Reply::of(200).hold());
  transport.push(Reply::of(200, "late").hold());
  std::stop_source stop;
  http::Request request = get("u");
  request.stop = stop.get_token();
  std::jthread ender([&] {
    transport.await_held(1);
    transport.release();
    transport.await_requests(2);
    stop.request_stop();
  });
  EXPECT_TRUE(transport.send(request).ok());
  EXPECT_EQ(transport.send(request).error().code, "Cancelled");
}

}  // namespace
}  // namespace keyturn::testing
