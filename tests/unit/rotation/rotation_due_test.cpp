#include "controller/rotation/rotation_due.h"

#include <gtest/gtest.h>

#include "controller/rotation/rotation_record.h"
#include "lib/base/time.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::rotation {
namespace {

using testing::FakeClock;
using testing::FakeSecretsManager;

constexpr Duration kFloor{900'000};

class DueTest : public ::testing::Test {
 protected:
  DueTest() : arn(secrets.add_secret("shop/db", "{}")) { look(); }

  void look() {
    const auto metadata = secrets.describe(arn);
    labels = engine::read_labels(arn, metadata->stages);
    secrets.forget_calls();
  }
  engine::Due judge() {
    auto created = created_times(secrets, arn, labels, status);
    EXPECT_TRUE(created.ok());
    auto due = judge_due(policy, status, arn, labels, *created, kFloor, clock.now(), clock.now());
    EXPECT_TRUE(due.ok());
    return *due;
  }
  bool waits() {
    return request_waits(policy, status, labels, *created_times(secrets, arn, labels, status));
  }
  void request(WallTime at) { policy.rotate_requested_at = format_rfc3339(at); }

  FakeClock clock;
  FakeSecretsManager secrets{clock};
  std::string arn;
  engine::Labels labels;
  Policy policy;
  PolicyStatus status;
};

TEST_F(DueTest, TheStatusSavesTheQuestionWhileItKnowsTheVersion) {
  EXPECT_TRUE(created_times(secrets, arn, labels, status)->current);
  EXPECT_EQ(secrets.calls().size(), 1U) << "not known yet";
  secrets.forget_calls();
  status.current_version_id = labels.current;
  status.current_version_created = clock.now();
  EXPECT_EQ(created_times(secrets, arn, labels, status)->current, clock.now());
  EXPECT_TRUE(secrets.calls().empty());
}

TEST_F(DueTest, ARequestCountsOnlyIfNewerThanTheCurrentVersion) {
  request(clock.now());
  EXPECT_FALSE(judge().due) << "the same second";
  EXPECT_FALSE(waits());
  clock.advance(Duration(5'000));
  request(clock.now());
  EXPECT_TRUE(judge().due);
  EXPECT_TRUE(waits());
  policy.rotate_requested_at = "now";
  EXPECT_FALSE(judge().due);
  EXPECT_FALSE(waits());
}

TEST_F(DueTest, ARequestForLaterWaitsEvenWhereTheScheduleComesFirst) {
  policy.spec.schedule =
      ScheduleSpec{.expression = "rate(1 hour)", .time_zone = "", .window = Duration(60'000)};
  request(clock.now() + Duration(3 * 3'600'000));
  EXPECT_EQ(judge().trigger, engine::Trigger::Schedule);
  EXPECT_TRUE(waits()) << "it is not handled by being later";
}

// AWS dates the new version by its own clock. One that is behind ours must not make one request
// rotate twice.
TEST_F(DueTest, ARequestIsServedOnceThoughTheClockOfAwsIsBehind) {
  clock.advance(Duration(60'000));
  request(clock.now());
  ASSERT_TRUE(judge().due);
  const std::string made = secrets.put_as_person(arn, "{}");
  secrets.edit(arn, [&](FakeSecretsManager::Secret& s) {
    s.versions[made].created = clock.now() - Duration(30'000);
  });
  record_step(status, {"generic", "{}"}, made, engine::Step::CreateSecret, "", "request",
              clock.now());
  look();
  EXPECT_EQ(labels.current, made);
  record_end(status, made, "Succeeded", clock.now());
  clock.advance(2 * kFloor);
  EXPECT_FALSE(judge().due);
  EXPECT_FALSE(waits());
}

// What is told about a retirement must not make the version look younger than it is: a request of
// the same second would count as served by it.
TEST_F(DueTest, ARequestOfTheSecondInWhichTheRetirementStartsWaits) {
  clock.advance(Duration(60'000));
  const std::string made = secrets.put_as_person(arn, "{}");
  record_step(status, {"influxdbToken", "{}"}, made, engine::Step::CreateSecret, "", "request",
              clock.now());
  record_end(status, made, "Succeeded", clock.now());
  look();
  ASSERT_EQ(labels.current, made);
  clock.advance(Duration(5'000));
  request(clock.now());
  record_aftermath(status, {"influxdbToken", "{}"}, made, engine::Step::Retire, "", clock.now());
  EXPECT_TRUE(waits());
  EXPECT_EQ(status.rotation->started_at, status.history.front().started_at);
  record_rest(status, made, clock.now());
  EXPECT_TRUE(waits());
}

// A request that led to a version, which people then take out of force by hand.
class ServedTest : public DueTest {
 protected:
  ServedTest() : first(labels.current) {
    clock.advance(Duration(60'000));
    request(clock.now());
    EXPECT_TRUE(judge().due);
    clock.advance(Duration(5'000));
  }
  void move_back() {
    secrets.move_label(arn, "AWSCURRENT", first);
    clock.advance(2 * kFloor);
    look();
    EXPECT_EQ(labels.current, first);
  }
  bool counts() {
    const bool due = judge().due;
    EXPECT_EQ(due, waits());
    return due;
  }

  const std::string first;
};

TEST_F(ServedTest, CountsNoMoreThoughItsVersionWasMovedBackAndTheStatusIsLost) {
  const std::string made = secrets.put_as_person(arn, "{}");
  secrets.move_label(arn, "KEYTURN_LATEST", made);
  move_back();
  EXPECT_FALSE(counts());
  request(clock.now());
  EXPECT_TRUE(counts()) << "a new one does";
}

TEST_F(ServedTest, CountsNoMoreWhereOnlyTheHistoryTells) {
  record_step(status, {"generic", "{}"}, "ours", engine::Step::CreateSecret, "", "request",
              clock.now());
  record_end(status, "ours", "Succeeded", clock.now());
  move_back();
  EXPECT_FALSE(counts());
}

TEST_F(ServedTest, PutAsideForAVersionMadeByHandItStaysSo) {
  secrets.put_as_person(arn, "{}");
  look();
  EXPECT_FALSE(counts());
  status.last_handled_rotate_request = policy.rotate_requested_at;
  move_back();
  EXPECT_FALSE(counts());
}

TEST_F(ServedTest, AnAttemptThatWasGivenUpHasServedNothing) {
  for (const char* outcome : {"Abandoned", "Failed"}) {
    status = {};
    status.last_handled_rotate_request = policy.rotate_requested_at;
    record_step(status, {"generic", "{}"}, "ours", engine::Step::CreateSecret, "", "request",
                clock.now());
    EXPECT_TRUE(waits()) << "under way";
    record_end(status, "ours", outcome, clock.now());
    clock.advance(2 * kFloor);
    EXPECT_TRUE(counts()) << outcome;
  }
}

// It came while an attempt of the schedule's was under way.
TEST_F(ServedTest, NorHasOneThatBeganBeforeIt) {
  record_step(status, {"generic", "{}"}, "ours", engine::Step::CreateSecret, "", "schedule",
              clock.now() - Duration(30'000));
  status.last_handled_rotate_request = policy.rotate_requested_at;
  record_end(status, "ours", "Abandoned", clock.now());
  clock.advance(2 * kFloor);
  EXPECT_TRUE(counts());
}

}  // namespace
}  // namespace keyturn::rotation
