#include "controller/kube/reflector.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/kube/reflector_testing.h"

namespace keyturn::kube {
namespace {

using testing::Reply;
using Lines = std::vector<std::string>;

bool is_watch(const http::Request& request) { return query_of(request, "watch") == "true"; }

TEST(Reflector, ListsFromAnyVersionThenWatches) {
  ReflectorBench bench;
  bench.options.label_selector = "keyturn.dev/managed=true";
  bench.list("10", object_json("b", "5") + "," + object_json("a", "6"));
  bench.open_watch();
  bench.start();
  bench.await_open();
  EXPECT_TRUE(bench.reflector->synced());
  EXPECT_EQ(bench.sink.log(), (Lines{"put shop/b@5", "put shop/a@6", "keep shop/a,shop/b"}));
  const auto list = bench.request(0);
  EXPECT_FALSE(is_watch(list));
  EXPECT_EQ(query_of(list, "resourceVersion"), "0");
  EXPECT_EQ(query_of(list, "resourceVersionMatch"), "-");
  EXPECT_EQ(query_of(list, "limit"), "500");
  const auto watch = bench.request(1);
  EXPECT_TRUE(is_watch(watch));
  EXPECT_EQ(query_of(watch, "resourceVersion"), "10");
  EXPECT_EQ(query_of(watch, "allowWatchBookmarks"), "true");
  EXPECT_EQ(query_of(watch, "labelSelector"), "keyturn.dev%2Fmanaged%3Dtrue");
  const int seconds = std::stoi(query_of(watch, "timeoutSeconds"));
  EXPECT_GE(seconds, 300);
  EXPECT_LE(seconds, 600);
  EXPECT_EQ(watch.timeout, Duration((seconds + 5) * 1000));
}

TEST(Reflector, ListLatestAsksForTheNewest) {
  ReflectorBench bench;
  bench.options.list_latest = true;
  bench.list("10");
  bench.open_watch();
  bench.start();
  bench.await_open();
  EXPECT_EQ(query_of(bench.request(0), "resourceVersion"), "-");
}

TEST(Reflector, FollowsPagesAndKeepsOnlyAfterTheLast) {
  ReflectorBench bench;
  bench.list("10", object_json("a", "1"), "token/1");
  bench.list("10", object_json("b", "2"));
  bench.open_watch();
  bench.start();
  bench.await_open();
  EXPECT_EQ(bench.sink.log(), (Lines{"put shop/a@1", "put shop/b@2", "keep shop/a,shop/b"}));
  EXPECT_EQ(query_of(bench.request(1), "continue"), "token%2F1");
  EXPECT_EQ(query_of(bench.request(1), "resourceVersion"), "-");
  EXPECT_EQ(query_of(bench.request(1), "limit"), "500");
}

TEST(Reflector, NotSyncedBeforeTheLastPage) {
  ReflectorBench bench;
  bench.list("10", object_json("a", "1"), "more");
  bench.reply(Reply::of(200).hold());
  bench.start();
  bench.await_open();
  EXPECT_FALSE(bench.reflector->synced());
}

TEST(Reflector, ExpiredContinueTokenListsEverythingOnce) {
  ReflectorBench bench;
  bench.list("10", object_json("a", "1") + "," + object_json("gone", "1"), "more");
  bench.reply(status_reply(410, "Expired"));
  bench.list("12", object_json("a", "1"));
  bench.open_watch();
  bench.start();
  bench.await_open();
  const auto full = bench.request(2);
  EXPECT_EQ(query_of(full, "limit"), "-");
  EXPECT_EQ(query_of(full, "continue"), "-");
  EXPECT_EQ(query_of(full, "resourceVersion"), "0");
  EXPECT_EQ(bench.sink.log().back(), "keep shop/a");
}

TEST(Reflector, ATransientErrorKeepsThePage) {
  ReflectorBench bench;
  bench.list("10", object_json("a", "1"), "more");
  bench.reply(status_reply(503, "ServiceUnavailable", {{"Retry-After", "20"}}));
  bench.list("10", object_json("b", "1"));
  bench.open_watch();
  bench.start();
  EXPECT_EQ(bench.pass_pause(), Duration(20'000));
  bench.await_open();
  EXPECT_EQ(query_of(bench.request(2), "continue"), "more");
  EXPECT_EQ(bench.sink.log().back(), "keep shop/a,shop/b");
}

TEST(Reflector, ListTooLargeOrExpiredAsksForTheNewestAtOnce) {
  for (const auto& failure :
       {status_reply(410, "Expired"),
        Reply::of(504, status_json(504, "Timeout", "Too large resource version"))}) {
    ReflectorBench bench;
    bench.reply(failure);
    bench.list("10");
    bench.open_watch();
    bench.start();
    bench.await_open();
    EXPECT_EQ(query_of(bench.request(1), "resourceVersion"), "-");
  }
}

TEST(Reflector, EventsAdvanceTheVersionAndEofOnlyWatchesAgain) {
  ReflectorBench bench;
  bench.list("10");
  bench.open_watch({event_line("ADDED", object_json("a", "11")),
                    event_line("MODIFIED", object_json("a", "12")),
                    event_line("DELETED", object_json("a", "13")), bookmark_line("20")});
  bench.open_watch();
  bench.start();
  bench.end_watch(Duration(1'000));
  bench.transport->await_requests(3);
  bench.await_open();
  EXPECT_EQ(bench.sink.log(), (Lines{"keep ", "put shop/a@11", "put shop/a@12", "remove shop/a"}));
  EXPECT_TRUE(is_watch(bench.request(2)));
  EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "20");
  EXPECT_EQ(bench.endings.reasons(), Lines{"eof"});
}

// A watch from "0" begins with made-up ADDED events in no order.
TEST(Reflector, SyntheticEventsAreNoPlaceToGoOnFrom) {
  ReflectorBench bench;
  bench.list("0");
  bench.open_watch({event_line("ADDED", object_json("a", "90"))});
  bench.open_watch({event_line("ADDED", object_json("a", "90")),
                    event_line("MODIFIED", object_json("a", "91")),
                    event_line("ADDED", object_json("b", "92"))});
  bench.open_watch();
  bench.start();
  bench.end_watch(Duration(2'000));
  bench.transport->await_requests(3);
  EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "0");
  bench.end_watch(Duration(2'000));
  bench.transport->await_requests(4);
  EXPECT_EQ(query_of(bench.request(3), "resourceVersion"), "92");
}

TEST(Reflector, GoneAsStatusOrAsEventListsFromTheLastVersion) {
  const std::string gone = status_json(410, "Expired", "too old resource version");
  for (const auto& ending : {Reply::of(410, gone), Reply::chunks({event_line("ERROR", gone)})}) {
    ReflectorBench bench;
    bench.list("10", object_json("a", "1"));
    bench.reply(ending);
    bench.list("30", object_json("b", "2"));
    bench.open_watch();
    bench.start();
    bench.await_open();  // no pause: the first trouble in a quiet time
    EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "10");
    EXPECT_EQ(query_of(bench.request(2), "resourceVersionMatch"), "NotOlderThan");
    EXPECT_EQ(bench.sink.log().back(), "keep shop/b");
    EXPECT_EQ(query_of(bench.request(3), "resourceVersion"), "30");
    EXPECT_EQ(bench.endings.reasons(), Lines{"expired"});
  }
}

TEST(Reflector, RelistThatExpiresTooAsksForTheNewest) {
  ReflectorBench bench;
  bench.list("10");
  bench.reply(status_reply(410, "Expired"));
  bench.reply(status_reply(410, "Expired"));
  bench.list("30");
  bench.open_watch();
  bench.start();
  bench.await_open();
  EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "10");
  EXPECT_EQ(query_of(bench.request(3), "resourceVersion"), "-");
}

TEST(Reflector, ThrottledWaitsAsToldAndWatchesAgain) {
  ReflectorBench bench;
  bench.list("10");
  bench.reply(status_reply(429, "TooManyRequests", {{"Retry-After", "17"}}));
  bench.open_watch();
  bench.start();
  EXPECT_EQ(bench.pass_pause(), Duration(17'000));
  bench.await_open();
  EXPECT_TRUE(is_watch(bench.request(2)));
  EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "10");
}

TEST(Reflector, UnreachableServerIsWatchedAgainForeverWithBackoff) {
  ReflectorBench bench;
  bench.list("10");
  for (int i = 0; i < 8; ++i) bench.reply(Reply::failed(unreachable()));
  bench.open_watch();
  bench.start();
  Duration base(800);
  for (int i = 0; i < 8; ++i) {
    const Duration pause = bench.pass_pause();
    EXPECT_GE(pause, base) << i;
    EXPECT_LE(pause, base * 2) << i;
    base = std::min(base * 2, Duration(30'000));
  }
  bench.await_open();
  for (std::size_t i = 1; i <= 9; ++i) {
    EXPECT_TRUE(is_watch(bench.request(i))) << i;
    EXPECT_EQ(query_of(bench.request(i), "resourceVersion"), "10");
  }
}

TEST(Reflector, ServerErrorsAreRetriedThreeTimesThenListed) {
  const auto failures = {
      status_reply(500, "InternalError"),
      Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset")),
      Reply::chunks({event_line("ERROR", status_json(500, "InternalError", "etcd"))}),
      Reply::chunks({"{not json}\n"}), Reply::of(200)};
  for (const auto& failure : failures) {
    ReflectorBench bench;
    bench.list("10");
    for (int i = 0; i < 4; ++i) bench.reply(failure);
    bench.list("11");
    bench.open_watch();
    bench.start();
    for (int i = 0; i < 4; ++i) EXPECT_GE(bench.pass_pause(), Duration(800));
    bench.await_open();
    for (std::size_t i = 1; i <= 4; ++i) EXPECT_TRUE(is_watch(bench.request(i))) << i;
    EXPECT_FALSE(is_watch(bench.request(5)));
    EXPECT_EQ(query_of(bench.request(5), "resourceVersion"), "10");
  }
}

TEST(Reflector, EventsBetweenFailuresStartTheCountAnew) {
  ReflectorBench bench;
  bench.list("10");
  for (int i = 0; i < 10; ++i) {
    bench.reply(Reply::chunks({bookmark_line(std::to_string(11 + i))})
                    .then(make_error(ErrorClass::Transient, "Reset", "reset")));
  }
  bench.open_watch();
  bench.start();
  for (int i = 0; i < 10; ++i) bench.pass_pause();
  bench.await_open();
  EXPECT_TRUE(is_watch(bench.request(11)));
  EXPECT_EQ(query_of(bench.request(11), "resourceVersion"), "20");
}

TEST(Reflector, WatchClosedAtOnceWithoutEventsIsAnError) {
  ReflectorBench bench;
  bench.list("10");
  bench.reply(Reply::of(200));
  bench.open_watch();
  bench.start();
  EXPECT_GE(bench.pass_pause(), Duration(800));
  bench.await_open();
  EXPECT_EQ(bench.endings.reasons(), Lines{"short"});
}

TEST(Reflector, RefusedWatchIsClearedUpByAList) {
  ReflectorBench bench;
  bench.list("10");
  bench.reply(status_reply(403, "Forbidden"));
  bench.list("11");
  bench.open_watch();
  bench.start();
  EXPECT_GE(bench.pass_pause(), Duration(800));
  bench.await_open();
  EXPECT_FALSE(is_watch(bench.request(2)));
  EXPECT_EQ(bench.endings.reasons(), Lines{"refused"});
}

// The connection died without a word: the client deadline ends the watch, which goes on where it
// was.
TEST(Reflector, DeadConnectionEndsByTheClientDeadline) {
  ReflectorBench bench;
  bench.list("10");
  bench.reply(Reply::chunks({bookmark_line("15")})
                  .then(make_error(ErrorClass::Transient, "Timeout", "timed out"))
                  .hold());
  bench.open_watch();
  bench.start();
  bench.end_watch(Duration(605'000));
  bench.transport->await_requests(3);
  bench.await_open();
  EXPECT_TRUE(is_watch(bench.request(2)));
  EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "15");
  EXPECT_EQ(bench.endings.reasons(), Lines{"deadline"});
}

TEST(Reflector, HalfLinesAtAnyChunkBoundary) {
  const std::string text = event_line("ADDED", object_json("a", "11", R"(,"labels":{"x":"ü"})")) +
                           event_line("DELETED", object_json("a", "12"));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ReflectorBench bench;
    bench.list("10");
    bench.open_watch({text.substr(0, cut), text.substr(cut)});
    bench.start();
    bench.await_open();
    EXPECT_EQ(bench.sink.log(), (Lines{"keep ", "put shop/a@11", "remove shop/a"})) << cut;
  }
}

TEST(Reflector, ALineCutAtTheEndIsNoEvent) {
  const std::string whole = event_line("ADDED", object_json("a", "11"));
  const std::string cut = event_line("ADDED", object_json("b", "12"));
  ReflectorBench bench;
  bench.list("10");
  bench.open_watch({whole + cut.substr(0, cut.size() - 1)});  // only the line feed is missing
  bench.open_watch();
  bench.start();
  bench.end_watch(Duration(2'000));
  bench.transport->await_requests(3);
  EXPECT_EQ(query_of(bench.request(2), "resourceVersion"), "11");
  EXPECT_EQ(bench.sink.log(), (Lines{"keep ", "put shop/a@11"}));
}

TEST(Reflector, UnknownEventTypesAreSkipped) {
  ReflectorBench bench;
  bench.list("10");
  bench.open_watch(
      {event_line("NOVEL", object_json("a", "11")), event_line("ADDED", object_json("b", "12"))});
  bench.start();
  bench.await_open();
  EXPECT_EQ(bench.sink.log(), (Lines{"keep ", "put shop/b@12"}));
}

TEST(Reflector, StopEndsAPauseAndAnOpenWatch) {
  ReflectorBench paused;
  paused.reply(Reply::failed(unreachable()));
  paused.start();
  paused.clock.await_waiters(1);
  paused.reflector->stop();

  ReflectorBench open;
  open.list("10");
  open.open_watch();
  open.start();
  open.await_open();
  open.reflector->stop();
}

TEST(Reflector, NeedsItsParts) {
  ReflectorBench bench;
  bench.options.client = nullptr;
  Reflector reflector(bench.options, bench.sink);
  EXPECT_EQ(reflector.start().error().cls, ErrorClass::Invalid);
}

// Whatever a broken server does for ever, requests stay bounded by the pauses: 40 pauses, at most
// two requests each.
struct Storm {
  const char* name;
  Reply list;
  Reply next_page;
  Reply watch;
};

class ReflectorStorm : public ::testing::TestWithParam<Storm> {};

TEST_P(ReflectorStorm, IsPaced) {
  ReflectorBench bench;
  const Storm& storm = GetParam();
  bench.transport->on_request([&storm](const http::Request& request) {
    if (is_watch(request)) return storm.watch;
    return query_of(request, "continue") == "-" ? storm.list : storm.next_page;
  });
  bench.start();
  constexpr int kPauses = 40;
  const MonoTime started = bench.clock.mono();
  for (int i = 0; i < kPauses; ++i) bench.pass_pause();
  bench.clock.await_waiters(1);
  // Every round may list in two pages, again in full, again at "", and watch.
  EXPECT_LE(bench.transport->request_count(), 7u * (kPauses + 2));
  EXPECT_GE(bench.clock.mono() - started, Duration(kPauses / 2 * 30'000));
}

INSTANTIATE_TEST_SUITE_P(
    All, ReflectorStorm,
    ::testing::Values(
        Storm{"EofAtOnce", Reply::of(200, list_json("1", "")), Reply::of(200), Reply::of(200)},
        Storm{"EventThenEof", Reply::of(200, list_json("1", "")), Reply::of(200),
              Reply::chunks({bookmark_line("2")})},
        Storm{"WatchAlwaysGone", Reply::of(200, list_json("1", "")), Reply::of(200),
              status_reply(410, "Expired")},
        Storm{"ListAlwaysGone", status_reply(410, "Expired"), Reply::of(200), Reply::of(200)},
        Storm{"TokensAlwaysGone", Reply::of(200, list_json("1", "", "more")),
              status_reply(410, "Expired"), Reply::of(200)},
        Storm{"ServerErrors", status_reply(500, "InternalError"), Reply::of(200),
              status_reply(500, "InternalError")},
        Storm{"WatchErrors", Reply::of(200, list_json("1", "")), Reply::of(200),
              status_reply(500, "InternalError")},
        Storm{"Forbidden", status_reply(403, "Forbidden"), Reply::of(200),
              status_reply(403, "Forbidden")},
        Storm{"Unreachable", Reply::failed(unreachable()), Reply::of(200),
              Reply::failed(unreachable())},
        Storm{"NotALine", Reply::of(200, list_json("1", "")), Reply::of(200),
              Reply::chunks({"x\n"})}),
    [](const auto& storm) { return std::string(storm.param.name); });

}  // namespace
}  // namespace keyturn::kube
