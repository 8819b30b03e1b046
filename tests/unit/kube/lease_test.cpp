#include "controller/kube/lease.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "tests/unit/kube/reflector_testing.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;
using testing::Reply;

// One Lease object behind a transport, with resourceVersion checks as the API server makes them.
class LeaseServer {
 public:
  Reply handle(const http::Request& request) {
    const std::lock_guard<std::mutex> guard(mutex_);
    timeouts_.push_back(request.timeout);
    if (failing_) return Reply::failed(unreachable());
    if (request.method == "GET")
      return lease_ ? Reply::of(200, lease_->dump()) : status_reply(404, "NotFound");
    const json wanted = json::parse(request.body);
    if (request.method == "POST") {
      if (lease_) return status_reply(409, "AlreadyExists");
    } else if (!lease_ ||
               wanted["metadata"]["resourceVersion"] != (*lease_)["metadata"]["resourceVersion"]) {
      return status_reply(409, "Conflict");
    }
    store(wanted);
    return Reply::of(200, lease_->dump());
  }
  // Somebody else writes.
  void put(const std::string& holder, int seconds, int transitions = 0) {
    const std::lock_guard<std::mutex> guard(mutex_);
    json lease = {{"metadata", {{"name", "l"}}},
                  {"spec",
                   {{"holderIdentity", holder},
                    {"leaseDurationSeconds", seconds},
                    {"leaseTransitions", transitions},
                    {"renewTime", std::to_string(serial_)}}}};
    store(std::move(lease));
  }
  void touch() {  // a foreign label: the resourceVersion moves, the record does not
    const std::lock_guard<std::mutex> guard(mutex_);
    lease_->at("metadata")["labels"]["x"] = std::to_string(serial_);
    store(*lease_);
  }
  void fail(bool yes) {
    const std::lock_guard<std::mutex> guard(mutex_);
    failing_ = yes;
  }
  json spec() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return lease_ ? (*lease_)["spec"] : json();
  }
  Duration last_timeout() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return timeouts_.back();
  }

 private:
  void store(json lease) {
    lease["metadata"]["resourceVersion"] = std::to_string(++serial_);
    lease_ = std::move(lease);
  }
  mutable std::mutex mutex_;
  std::optional<json> lease_;
  int serial_ = 0;
  bool failing_ = false;
  std::vector<Duration> timeouts_;
};

struct LeaseBench : Bench {
  LeaseServer server;
  SeededRng rng{5};
  std::atomic<int> started{0}, lost{0};
  LeaseOptions options;
  std::unique_ptr<LeaderElection> election;

  LeaseBench() {
    transport->on_request([this](const http::Request& r) { return server.handle(r); });
    options = {&client, "ns", "l", "me"};
    options.clock = &clock;
    options.rng = &rng;
    options.on_started = [this] { ++started; };
    options.on_lost = [this] { ++lost; };
  }
  void start() {
    election = std::make_unique<LeaderElection>(options);
    ASSERT_TRUE(election->start());
    clock.await_waiters(1);
  }
  // One round: whatever is slept for passes, then the next sleep is waited for.
  void round() {
    clock.advance_to_next();
    clock.await_waiters(1);
  }
};

TEST(Lease, CreatesAndRenews) {
  LeaseBench bench;
  bench.start();
  EXPECT_TRUE(bench.election->is_leader());
  EXPECT_EQ(bench.started, 1);
  const json first = bench.server.spec();
  EXPECT_EQ(first["holderIdentity"], "me");
  EXPECT_EQ(first["leaseDurationSeconds"], 15);
  EXPECT_EQ(first["leaseTransitions"], 0);
  EXPECT_EQ(bench.server.last_timeout(), Duration(5'000));
  bench.round();
  const json second = bench.server.spec();
  EXPECT_EQ(second["acquireTime"], first["acquireTime"]);
  EXPECT_NE(second["renewTime"], first["renewTime"]);
  bench.election->stop();
  EXPECT_FALSE(bench.election->is_leader());
  EXPECT_EQ(bench.lost, 0);
}

TEST(Lease, ReleasesOnStop) {
  LeaseBench bench;
  bench.start();
  bench.election->stop();
  EXPECT_EQ(bench.server.spec()["holderIdentity"], "");
  EXPECT_EQ(bench.server.spec()["leaseDurationSeconds"], 1);
}

TEST(Lease, ReleaseSurvivesAConflict) {
  LeaseBench bench;
  bench.start();
  bench.server.touch();
  bench.election->stop();
  EXPECT_EQ(bench.server.spec()["holderIdentity"], "");
}

TEST(Lease, AReleasedLeaseIsTakenAtOnce) {
  LeaseBench bench;
  bench.server.put("", 1, 4);
  bench.start();
  EXPECT_TRUE(bench.election->is_leader());
  EXPECT_EQ(bench.server.spec()["leaseTransitions"], 5);
}

// Expiry is our own time since the record last changed; renewTime of others is never read.
TEST(Lease, WaitsUntilTheRecordStoodStillForItsDuration) {
  LeaseBench bench;
  bench.server.put("other", 15);
  bench.start();
  const MonoTime seen = bench.clock.mono();
  while (bench.clock.next_deadline() < seen + Duration(15'000)) {
    EXPECT_FALSE(bench.election->is_leader());
    bench.server.touch();  // no renewal
    bench.round();
  }
  EXPECT_FALSE(bench.election->is_leader());
  bench.round();
  EXPECT_TRUE(bench.election->is_leader());
  EXPECT_EQ(bench.server.spec()["leaseTransitions"], 1);
}

TEST(Lease, RenewalsOfOthersKeepUsOut) {
  LeaseBench bench;
  bench.server.put("other", 15);
  bench.start();
  for (int i = 0; i < 20; ++i) {
    const Duration pause = bench.clock.next_deadline() - bench.clock.mono();
    EXPECT_GE(pause, Duration(2'000));
    EXPECT_LE(pause, Duration(4'400));
    bench.server.put("other", 15);
    bench.round();
  }
  EXPECT_EQ(bench.started, 0);
}

TEST(Lease, LostWhenRenewalsFailForTheRenewDeadline) {
  LeaseBench bench;
  bench.start();
  const MonoTime renewed = bench.clock.mono();
  bench.server.fail(true);
  while (bench.lost == 0 && bench.clock.mono() < renewed + Duration(60'000)) {
    bench.clock.advance_to_next();
    if (bench.clock.mono() >= renewed + Duration(10'000)) break;
    bench.clock.await_waiters(1);
    EXPECT_TRUE(bench.election->is_leader());
  }
  while (bench.lost == 0) std::this_thread::yield();
  bench.election->stop();
  EXPECT_EQ(bench.lost, 1);
  EXPECT_EQ(bench.clock.mono(), renewed + Duration(10'000));
  EXPECT_LE(bench.server.last_timeout(), Duration(2'000));  // never beyond the deadline
  EXPECT_FALSE(bench.election->is_leader());
}

TEST(Lease, AFailureIsForgivenWithinTheDeadline) {
  LeaseBench bench;
  bench.start();
  bench.server.fail(true);
  bench.round();
  bench.round();
  bench.server.fail(false);
  for (int i = 0; i < 10; ++i) bench.round();
  EXPECT_TRUE(bench.election->is_leader());
  EXPECT_EQ(bench.lost, 0);
}

TEST(Lease, SeenInOtherHandsEndsLeadershipAtOnce) {
  LeaseBench bench;
  bench.start();
  bench.server.put("other", 15);
  // The first try writes without looking and meets a conflict, the second looks.
  bench.round();
  bench.clock.advance_to_next();
  while (bench.lost == 0) std::this_thread::yield();
  EXPECT_FALSE(bench.election->is_leader());
  bench.election->stop();
  EXPECT_EQ(bench.server.spec()["holderIdentity"], "other");
}

TEST(Lease, OptionsAreChecked) {
  LeaseBench bench;
  const auto refuse = [&](auto change) {
    LeaseOptions options = bench.options;
    change(options);
    LeaderElection election(options);
    EXPECT_FALSE(election.start());
  };
  refuse([](LeaseOptions& o) { o.renew_deadline = o.lease; });
  refuse([](LeaseOptions& o) { o.retry = Duration(9'000); });
  refuse([](LeaseOptions& o) { o.identity.clear(); });
}

}  // namespace
}  // namespace keyturn::kube
