#include "lib/http/breaker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_transport.h"

namespace keyturn::http {
namespace {

using namespace std::chrono_literals;
using testing::FakeClock;
using testing::FakeTransport;
using testing::Reply;

Error timeout() { return make_error(ErrorClass::Transient, "Timeout", "no reply in time"); }

struct Rig {
  FakeClock clock;
  SeededRng rng{7};
  std::shared_ptr<FakeTransport> inner = std::make_shared<FakeTransport>();
  std::unique_ptr<Transport> breaker;

  explicit Rig(BreakerOptions options = {}) { breaker = make_breaker(inner, clock, rng, options); }

  static Request request(const std::string& host) {
    Request request;
    request.url = "https://" + host + ":8086/ping";
    return request;
  }
  Result<Response> ask(const std::string& host = "a") { return breaker->send(request(host)); }
  // An exchange that stays open until inner->release().
  std::jthread held(Request request) {
    std::jthread thread([this, request] { static_cast<void>(breaker->send(request)); });
    inner->await_held(1);
    return thread;
  }
  void fail(int times, const std::string& host = "a") {
    inner->on_request([](const Request&) { return Reply::failed(timeout()); });
    for (int i = 0; i < times; ++i) EXPECT_EQ(ask(host).error().code, "Timeout");
  }
  void heal() {
    inner->on_request([](const Request&) { return Reply::of(204); });
  }
};

TEST(Breaker, OpensAfterFailuresInARowAndNamesTheServer) {
  Rig rig;
  rig.fail(3);
  const auto refused = rig.ask();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().cls, ErrorClass::Unavailable);
  EXPECT_EQ(refused.error().code, kBackendDown);
  EXPECT_NE(refused.error().message.find("a:8086 does not answer (Timeout)"), std::string::npos);
  EXPECT_EQ(rig.inner->request_count(), 3u);
}

TEST(Breaker, TheRefusalSaysTheSameEachTime) {
  Rig rig;
  rig.fail(3);
  const std::string first = rig.ask().error().message;
  rig.clock.advance(1s);
  EXPECT_EQ(rig.ask().error().message, first);
}

TEST(Breaker, AnotherServerIsAskedAllTheSame) {
  Rig rig;
  rig.fail(3, "a");
  rig.heal();
  EXPECT_TRUE(rig.ask("b").ok());
}

TEST(Breaker, AReplyBetweenFailuresStartsTheCountAnew) {
  Rig rig;
  rig.fail(2);
  rig.heal();
  EXPECT_TRUE(rig.ask().ok());
  rig.fail(2);
  rig.heal();
  EXPECT_TRUE(rig.ask().ok());
}

TEST(Breaker, AnyStatusIsAnAnswer) {
  Rig rig;
  rig.inner->on_request([](const Request&) { return Reply::of(503); });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rig.ask()->status, 503);
}

TEST(Breaker, WhatIsNoFaultOfTheServerCountsForNothing) {
  Rig rig;
  for (const ErrorClass cls : {ErrorClass::Unavailable, ErrorClass::Invalid}) {
    rig.inner->on_request(
        [cls](const Request&) { return Reply::failed(make_error(cls, "Cancelled", "")); });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(rig.ask().error().code, "Cancelled");
  }
  EXPECT_EQ(rig.inner->request_count(), 10u);
}

// The deadline of its sender was near: the server may answer who asks with the usual time.
TEST(Breaker, WhatRunsOutOfTooLittleTimeCountsForNothing) {
  Rig rig({.enough = [] { return Duration(5000); }});
  const auto asked = [&rig](Duration timeout, Duration passes) {
    rig.inner->on_request([&rig, passes](const Request&) {
      rig.clock.advance(passes);
      return Reply::failed(keyturn::http::timeout());
    });
    Request request = Rig::request("a");
    request.timeout = timeout;
    return rig.breaker->send(request).error().code;
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(asked(700ms, 700ms), "Timeout");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(asked(700ms, 100ms), "Timeout");  // the server's doing
  EXPECT_EQ(asked(5s, 5s), "Timeout");                                    // enough
  EXPECT_EQ(asked(700ms, 700ms), kBackendDown);
}

TEST(Breaker, ThePausesGrowAndAreBounded) {
  Rig rig({.first_pause = 10s, .longest_pause = 60s});
  rig.fail(3);
  for (const Duration pause : {10s, 20s, 40s, 60s, 60s}) {
    SCOPED_TRACE(pause.count());
    rig.clock.advance(pause * 3 / 4 - 1ms);
    const auto refused = rig.ask();
    EXPECT_EQ(refused.error().code, kBackendDown);
    ASSERT_TRUE(refused.error().retry_after);
    EXPECT_GE(*refused.error().retry_after, 1s);
    rig.clock.advance(pause / 4 + 1ms);
    EXPECT_EQ(rig.ask().error().code, "Timeout");
  }
}

TEST(Breaker, WhoComesBackWhenToldIsTheProbeOrComesAfterIt) {
  Rig rig;
  rig.fail(3);
  rig.clock.advance(*rig.ask().error().retry_after);
  rig.heal();
  EXPECT_TRUE(rig.ask().ok());
  EXPECT_TRUE(rig.ask().ok());
}

TEST(Breaker, OneProbeAtATimeWhileTheServerFails) {
  Rig rig;
  rig.fail(1);
  rig.inner->on_request([](const Request&) { return Reply::of(204).hold(); });
  Request slow = Rig::request("a");
  slow.timeout = 15s;
  std::jthread probe = rig.held(slow);
  const auto refused = rig.ask();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "BackendBusy");  // one failure is not told as an outage
  EXPECT_GE(*refused.error().retry_after, 15s);    // the probe may take as long
  rig.inner->release();
}

TEST(Breaker, AmongManyServersTheOnesThatFailAreRemembered) {
  Rig rig;
  rig.fail(2, "dead");
  rig.heal();
  for (int i = 0; i < 1100; ++i) EXPECT_TRUE(rig.ask("h" + std::to_string(i)).ok());
  rig.fail(1, "dead");
  rig.heal();
  EXPECT_EQ(rig.ask("dead").error().code, kBackendDown);
}

TEST(Breaker, ProbesOfAllServersAreBounded) {
  Rig rig({.probes = 1});
  rig.fail(1, "a");
  rig.fail(1, "b");
  rig.inner->on_request([](const Request& r) {
    return r.url.find("//c:") == std::string::npos ? Reply::of(204).hold() : Reply::of(204);
  });
  std::jthread probe = rig.held(Rig::request("a"));
  EXPECT_EQ(rig.ask("b").error().code, "BackendBusy");
  EXPECT_TRUE(rig.ask("c").ok());  // never failed: no probe
  rig.inner->release();
  probe.join();
  rig.heal();
  EXPECT_TRUE(rig.ask("b").ok());
}

TEST(Breaker, OverTheLimitWaitsForASlotAndTakesTheWaitOffItsTimeout) {
  Rig rig({.per_host = 1});
  rig.inner->on_request([](const Request&) { return Reply::of(204).hold(); });
  std::jthread first = rig.held(Rig::request("a"));
  Request second = Rig::request("a");
  second.timeout = 15s;
  std::jthread waiting([&] { EXPECT_TRUE(rig.breaker->send(second).ok()); });
  rig.clock.await_waiters(1);
  EXPECT_EQ(rig.inner->request_count(), 1u);
  rig.heal();
  rig.clock.advance(40ms);
  rig.inner->release();
  waiting.join();
  EXPECT_EQ(rig.inner->requests().at(1).timeout, 14'960ms);
}

TEST(Breaker, AServerThatHasNotAnsweredLatelyIsAskedOnceFirst) {
  Rig rig;
  rig.heal();
  EXPECT_TRUE(rig.ask().ok());
  rig.inner->on_request([](const Request&) { return Reply::of(204).hold(); });
  {
    std::jthread first = rig.held(Rig::request("a"));
    std::jthread second([&] { EXPECT_TRUE(rig.ask().ok()); });
    rig.inner->await_held(2);  // known: two at a time
    rig.inner->release();
  }
  rig.clock.advance(60s);
  {
    std::jthread first = rig.held(Rig::request("a"));
    std::jthread second([&] { EXPECT_TRUE(rig.ask().ok()); });
    rig.clock.await_waiters(1);
    EXPECT_EQ(rig.inner->request_count(), 4u);
    rig.heal();
    rig.inner->release();
  }
}

TEST(Breaker, NobodyWaitsForAServerThatLeavesEarlierRequestsUnanswered) {
  Rig rig({.per_host = 1});
  rig.inner->on_request([](const Request&) { return Reply::of(204).hold(); });
  std::jthread first = rig.held(Rig::request("a"));
  Result<Response> second = timeout();
  std::jthread waiting([&] { second = rig.ask(); });
  rig.clock.await_waiters(1);
  rig.clock.advance(50ms);
  waiting.join();
  EXPECT_EQ(second.error().code, "BackendBusy");
  EXPECT_EQ(second.error().cls, ErrorClass::Unavailable);
  EXPECT_GE(*second.error().retry_after, 1s);
  EXPECT_EQ(rig.ask().error().code, "BackendBusy");  // at once: the first is old already
  EXPECT_EQ(rig.inner->request_count(), 1u);
  rig.inner->release();
}

TEST(Breaker, WhatTakesSomethingBackIsAlwaysSent) {
  Rig rig;
  rig.fail(3);
  Request undo = Rig::request("a");
  undo.takes_back = true;
  EXPECT_EQ(rig.breaker->send(undo).error().code, "Timeout");
  rig.heal();
  EXPECT_TRUE(rig.breaker->send(undo).ok());
}

TEST(Breaker, AUrlThatIsNoneIsLeftToTheTransport) {
  Rig rig;
  Request request;
  request.url = "nonsense";
  rig.inner->push(Reply::failed(make_error(ErrorClass::Invalid, "BadUrl", "")));
  EXPECT_EQ(rig.breaker->send(request).error().code, "BadUrl");
}

TEST(Breaker, StreamsCountToo) {
  Rig rig;
  rig.inner->on_request([](const Request&) { return Reply::failed(timeout()); });
  const auto nothing = [](std::string_view) { return true; };
  for (int i = 0; i < 3; ++i) static_cast<void>(rig.breaker->stream(Rig::request("a"), nothing));
  EXPECT_EQ(rig.ask().error().code, kBackendDown);
}

}  // namespace
}  // namespace keyturn::http
