#include "controller/kube/events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/kube/reflector_testing.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;
using testing::Reply;

Event event(const std::string& reason = "Rotated", const std::string& note = "done") {
  Event e;
  e.reason = reason;
  e.action = "Rotate";
  e.note = note;
  e.regarding = {"keyturn.dev/v1alpha1", "RotationPolicy", "shop", "orders", "uid-1", "7"};
  return e;
}

struct EventBench : Bench {
  ApiEventRecorder recorder{client, clock, "keyturn.dev/controller", "host_1"};

  EventBench() {
    transport->on_request([](const http::Request&) { return Reply::of(201, "{}"); });
  }
  // Emits and waits until the recorder is done with it.
  void emit(const Event& e, std::size_t requests) {
    recorder.emit(e);
    transport->await_requests(requests);
  }
  json body(std::size_t i) const { return json::parse(request(i).body); }
};

TEST(Events, WritesAnEvent) {
  EventBench bench;
  bench.recorder.start();
  bench.emit(event(), 1);
  bench.recorder.stop();
  EXPECT_EQ(bench.request(0).method, "POST");
  EXPECT_EQ(path_of(bench.request(0)), "/apis/events.k8s.io/v1/namespaces/shop/events");
  const json body = bench.body(0);
  EXPECT_EQ(body["apiVersion"], "events.k8s.io/v1");
  EXPECT_EQ(body["kind"], "Event");
  EXPECT_TRUE(body["metadata"]["name"].get<std::string>().starts_with("orders."));
  EXPECT_EQ(body["eventTime"], "2026-11-18T11:06:40.000000Z");
  EXPECT_EQ(body["reportingController"], "keyturn.dev/controller");
  EXPECT_EQ(body["reportingInstance"], "host_1");
  EXPECT_EQ(body["type"], "Normal");
  EXPECT_EQ(body["action"], "Rotate");
  EXPECT_EQ(body["reason"], "Rotated");
  EXPECT_EQ(body["note"], "done");
  EXPECT_EQ(body["regarding"]["uid"], "uid-1");
  EXPECT_FALSE(body.contains("series"));
}

TEST(Events, SecondStartsASeriesLaterOnesAreCounted) {
  EventBench bench;
  bench.recorder.start();
  bench.emit(event(), 1);
  bench.emit(event("Rotated", "another note"), 2);
  bench.recorder.emit(event());
  bench.recorder.emit(event());
  bench.emit(event("SyncFailed"), 3);  // another reason: another object
  const std::string name = bench.body(0)["metadata"]["name"];
  EXPECT_EQ(bench.request(1).method, "PATCH");
  EXPECT_TRUE(path_of(bench.request(1)).ends_with("/events/" + name));
  EXPECT_EQ(bench.body(1)["series"]["count"], 2);
  EXPECT_EQ(bench.request(2).method, "POST");
  bench.recorder.stop();  // the count is written at the end
  EXPECT_EQ(bench.transport->request_count(), 4u);
  EXPECT_EQ(bench.body(3)["series"]["count"], 4);
}

TEST(Events, ASeriesEndsAfterSixMinutes) {
  EventBench bench;
  bench.recorder.start();
  bench.emit(event(), 1);
  bench.clock.await_waiters(1);
  bench.clock.advance(Duration(360'000));
  bench.emit(event(), 2);
  EXPECT_EQ(bench.request(1).method, "POST");
  EXPECT_NE(bench.body(0)["metadata"]["name"], bench.body(1)["metadata"]["name"]);
}

TEST(Events, ASeriesWhoseEventIsGoneIsCreatedAgain) {
  EventBench bench;
  bench.transport->push(Reply::of(201, "{}"));
  bench.transport->push(Reply::of(404, ""));
  bench.recorder.start();
  bench.emit(event(), 1);
  bench.emit(event(), 3);
  EXPECT_EQ(bench.request(2).method, "POST");
  EXPECT_EQ(bench.body(2)["series"]["count"], 2);
}

TEST(Events, TransientErrorsAreRetriedOthersNot) {
  EventBench bench;
  bench.transport->push(Reply::failed(unreachable()));
  bench.transport->push(Reply::of(403, ""));
  bench.recorder.start();
  bench.emit(event(), 1);
  bench.clock.await_waiters(1);  // the pause before the second try
  bench.clock.advance_to_next();
  bench.transport->await_requests(2);
  bench.emit(event("Other"), 3);
  EXPECT_EQ(bench.body(0), bench.body(1));
  EXPECT_EQ(bench.body(2)["reason"], "Other");
}

TEST(Events, TheQueueDropsItsOldest) {
  EventBench bench;
  for (int i = 0; i < 1001; ++i) bench.recorder.emit(event("R" + std::to_string(i)));
  bench.recorder.start();
  bench.transport->await_requests(1000);
  bench.recorder.stop();
  EXPECT_EQ(bench.transport->request_count(), 1000u);
  EXPECT_EQ(bench.body(0)["reason"], "R1");
}

TEST(Events, NotesAreCutAndClusterObjectsGoToDefault) {
  EventBench bench;
  Event e = event("Rotated", std::string(5'000, 'x'));
  e.regarding.ns.clear();
  e.regarding.name = std::string(253, 'n');
  bench.recorder.start();
  bench.emit(e, 1);
  EXPECT_EQ(path_of(bench.request(0)), "/apis/events.k8s.io/v1/namespaces/default/events");
  EXPECT_LE(bench.body(0)["note"].get<std::string>().size(), 1024u);
  EXPECT_LE(bench.body(0)["metadata"]["name"].get<std::string>().size(), 253u);
}

TEST(Events, StopWritesWhatIsQueued) {
  EventBench bench;
  bench.recorder.start();
  for (int i = 0; i < 20; ++i) bench.recorder.emit(event("R" + std::to_string(i)));
  bench.recorder.stop();
  EXPECT_EQ(bench.transport->request_count(), 20u);
}

TEST(Events, StopAbortsARequestAndWritesItOnceMore) {
  EventBench bench;
  bench.transport->push(Reply::of(201, "{}").hold());
  bench.recorder.start();
  bench.recorder.emit(event());
  bench.transport->await_held(1);
  bench.recorder.stop();
  ASSERT_EQ(bench.transport->request_count(), 2u);
  EXPECT_EQ(bench.body(0), bench.body(1));
  EXPECT_EQ(bench.request(1).timeout, Duration(2'000));
}

}  // namespace
}  // namespace keyturn::kube
