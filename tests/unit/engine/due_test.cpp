#include "lib/engine/due.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/base/time.h"

namespace keyturn::engine {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

WallTime at(std::string_view text) { return *parse_rfc3339(text); }

const WallTime kNow = at("2026-11-22T12:00:00Z");

// A policy that rotates every 10 days without a window, seen for a year, whose current version is a
// day old.
class DueTest : public ::testing::Test {
 protected:
  DueTest() {
    in_.now = kNow;
    in_.first_seen = kNow - days(365);
    in_.schedule = &every_ten_days_;
    in_.identity = "arn:aws:secretsmanager:eu-west-1:1:secret:a";
    in_.current_created = kNow - days(1);
  }

  Due due() const { return is_due(in_); }

  Schedule every_ten_days_ = *Schedule::parse("rate(10 days)", "", 0ms);
  Schedule spread_ = *Schedule::parse("rate(10 days)", "", 24h);
  DueInput in_;
};

TEST_F(DueTest, WaitsForTheSchedule) {
  const Due d = due();
  EXPECT_FALSE(d.due);
  EXPECT_FALSE(d.deferred);
  EXPECT_EQ(d.trigger, Trigger::Schedule);
  EXPECT_EQ(d.next, kNow + days(9));
  EXPECT_EQ(d.reason, "Scheduled");
  EXPECT_NE(d.message.find("2026-12-01T12:00:00Z"), std::string::npos);
}

TEST_F(DueTest, IsDueFromTheVeryInstant) {
  in_.current_created = kNow - days(10);
  EXPECT_TRUE(due().due);
  EXPECT_EQ(due().reason, "Due");
  EXPECT_EQ(due().trigger, Trigger::Schedule);
  in_.current_created = kNow - days(10) + 1ms;
  EXPECT_FALSE(due().due);
}

TEST_F(DueTest, NoScheduleMeansOnlyOnRequest) {
  in_.schedule = nullptr;
  in_.current_created = kNow - days(3000);
  EXPECT_FALSE(due().due);
  EXPECT_EQ(due().reason, "NoSchedule");
  EXPECT_EQ(due().next, std::nullopt);
  in_.rotate_requested = kNow - 1min;
  EXPECT_TRUE(due().due);
  EXPECT_EQ(due().trigger, Trigger::Request);
}

TEST_F(DueTest, ARollbackDoesNotTriggerOne) {
  in_.current_created = kNow - days(11);  // moved back by hand to an old version
  EXPECT_TRUE(due().due);
  in_.latest_created = kNow - days(2);  // ours, which was current
  EXPECT_FALSE(due().due);
  EXPECT_EQ(due().next, kNow + days(8));
  in_.latest_created = kNow - days(20);  // the newer of the two counts
  EXPECT_TRUE(due().due);
}

TEST_F(DueTest, ASecretWithoutAValueIsDueAtOnce) {
  in_.current_created = std::nullopt;
  in_.schedule = &spread_;
  EXPECT_TRUE(due().due);
}

// ---- spreading ----

TEST_F(DueTest, ComingDueInOperationIsSpreadInsideItsWindow) {
  in_.schedule = &spread_;
  const WallTime opens = *in_.current_created + days(10);
  EXPECT_EQ(due().next, spread_.spread(opens, in_.identity));
  in_.now = *due().next;
  EXPECT_TRUE(due().due);
}

TEST_F(DueTest, OverdueWhenFirstSeenIsSpreadOverOneWindowFromThen) {
  in_.schedule = &spread_;
  in_.current_created = kNow - days(400);
  in_.first_seen = kNow;
  const WallTime later = spread_.spread_overdue(kNow, in_.identity);
  ASSERT_GT(later, kNow);
  EXPECT_FALSE(due().due);
  EXPECT_EQ(due().next, later);
  in_.now = later;
  EXPECT_TRUE(due().due);
}

TEST_F(DueTest, ARestartKeepsThePromiseOfTheProcessBefore) {
  in_.schedule = &spread_;
  in_.current_created = kNow - days(400);
  in_.first_seen = kNow;
  in_.promised = kNow + 1min;
  ASSERT_GT(spread_.spread_overdue(kNow, in_.identity), *in_.promised);
  EXPECT_EQ(due().next, in_.promised);
  in_.promised = kNow - 1h;  // passed while no process ran
  EXPECT_TRUE(due().due);
  in_.promised = kNow + days(100);  // made under another schedule
  EXPECT_EQ(due().next, spread_.spread_overdue(kNow, in_.identity));
}

TEST_F(DueTest, TheRegularTimeIsNoPromiseAfterALongOutage) {
  in_.schedule = &spread_;
  in_.current_created = kNow - days(12);
  in_.first_seen = kNow;
  const WallTime regular = spread_.spread(*in_.current_created + days(10), in_.identity);
  ASSERT_LT(regular, kNow);
  in_.promised = std::chrono::floor<std::chrono::seconds>(regular);  // as the status says it
  EXPECT_EQ(due().next, spread_.spread_overdue(kNow, in_.identity));
}

// ---- requests ----

TEST_F(DueTest, ARequestCountsIfNewerThanTheCurrentVersionByWholeSeconds) {
  in_.current_created = at("2026-11-21T10:00:00Z") + 900ms;
  in_.rotate_requested = at("2026-11-21T10:00:00Z");
  EXPECT_FALSE(due().due);  // the one that made this version, or one from a backup
  in_.rotate_requested = at("2026-11-21T10:00:00Z") + 999ms;
  EXPECT_FALSE(due().due);
  in_.rotate_requested = at("2026-11-21T10:00:01Z");
  EXPECT_TRUE(due().due);
  EXPECT_EQ(due().trigger, Trigger::Request);
}

TEST_F(DueTest, ARequestIsNotMadeNewByMovingTheLabelBack) {
  in_.current_created = kNow - days(3);  // moved back by hand
  in_.latest_created = kNow - days(1);   // the version that the request led to
  in_.rotate_requested = kNow - days(2);
  EXPECT_FALSE(due().due);
  in_.rotate_requested = kNow - 1min;
  EXPECT_TRUE(due().due);
}

TEST_F(DueTest, ARequestInTheFutureIsWaitedFor) {
  in_.rotate_requested = kNow + days(3);
  EXPECT_FALSE(due().due);
  EXPECT_EQ(due().reason, "Requested");
  EXPECT_EQ(due().next, kNow + days(3));
  EXPECT_EQ(due().trigger, Trigger::Request);
  in_.rotate_requested = kNow + days(30);  // the schedule comes first
  EXPECT_EQ(due().trigger, Trigger::Schedule);
  EXPECT_EQ(due().next, kNow + days(9));
  in_.now = kNow + days(30);
  EXPECT_EQ(due().trigger, Trigger::Request);  // both due: the person's
}

// ---- what holds a rotation back ----

TEST_F(DueTest, Suspended) {
  in_.suspended = true;
  EXPECT_EQ(due().reason, "Suspended");
  EXPECT_FALSE(due().deferred);
  EXPECT_EQ(due().next, std::nullopt);
  in_.rotate_requested = kNow - 1s;
  EXPECT_FALSE(due().due);
  EXPECT_TRUE(due().deferred);
  EXPECT_NE(due().message.find("the requested rotation is deferred: spec.suspend"),
            std::string::npos)
      << due().message;
}

TEST_F(DueTest, TheFloorDefersARequestAndSaysUntilWhen) {
  in_.current_created = kNow - 5min;
  in_.last_start = kNow - 5min;
  in_.rotate_requested = kNow - 1min;
  EXPECT_FALSE(due().due);
  EXPECT_TRUE(due().deferred);
  EXPECT_EQ(due().reason, "MinRotationInterval");
  EXPECT_EQ(due().next, kNow + 10min);
  EXPECT_NE(due().message.find("until 2026-11-22T12:10:00Z"), std::string::npos) << due().message;
  EXPECT_NE(due().message.find("15m"), std::string::npos);
  in_.now = kNow + 10min;
  EXPECT_TRUE(due().due);
}

TEST_F(DueTest, AScheduleFasterThanTheFloorIsHeldToIt) {
  const Schedule fast = *Schedule::parse("rate(1 minute)", "", 0ms);
  in_.schedule = &fast;
  in_.current_created = in_.last_start = kNow - 30s;
  EXPECT_FALSE(due().deferred);
  EXPECT_EQ(due().next, kNow - 30s + 15min);
  EXPECT_EQ(due().reason, "MinRotationInterval");
  in_.floor = 1s;
  EXPECT_EQ(due().next, kNow + 30s);
  EXPECT_EQ(due().reason, "Scheduled");
}

TEST_F(DueTest, AGivenUpAttemptBacksOff) {
  in_.current_created = kNow - days(11);
  in_.last_start = in_.abandoned = kNow - 20min;
  in_.failures = 1;
  EXPECT_TRUE(due().due);  // 15 minutes are over
  in_.failures = 2;
  EXPECT_FALSE(due().due);
  EXPECT_TRUE(due().deferred);
  EXPECT_EQ(due().reason, "BackingOff");
  EXPECT_EQ(due().next, kNow + 10min);
  EXPECT_NE(due().message.find("the last 2 attempts"), std::string::npos) << due().message;
}

TEST_F(DueTest, ANewRequestEndsTheBackOffButNotTheFloor) {
  in_.current_created = kNow - days(11);
  in_.last_start = in_.abandoned = kNow - 20min;
  in_.failures = 5;
  in_.rotate_requested = kNow - 30min;  // older than the attempt: it is what was tried
  EXPECT_EQ(due().reason, "BackingOff");
  in_.rotate_requested = kNow - 1min;
  EXPECT_TRUE(due().due);
  in_.last_start = in_.abandoned = kNow - 2min;
  EXPECT_EQ(due().reason, "MinRotationInterval");
}

TEST_F(DueTest, TheLatestHoldDecidesTheTime) {
  in_.current_created = kNow - days(11);
  in_.last_start = kNow - 1min;
  in_.abandoned = kNow - 16min;
  in_.failures = 2;
  EXPECT_EQ(due().reason, "BackingOff");  // until +14 min
  in_.last_start = kNow;                  // floor: until +15 min
  EXPECT_EQ(due().next, kNow + 15min);
}

TEST(BackOff, DoublesUpToTwentyFourFloors) {
  EXPECT_EQ(back_off(15min, 1), 15min);
  EXPECT_EQ(back_off(15min, 2), 30min);
  EXPECT_EQ(back_off(15min, 5), 4h);
  EXPECT_EQ(back_off(15min, 6), 6h);
  EXPECT_EQ(back_off(15min, 1'000'000), 6h);
  EXPECT_EQ(back_off(0ms, 3), 0ms);
}

TEST(TriggerNames, AreThoseOfTheHistory) {
  EXPECT_EQ(to_string(Trigger::Schedule), "schedule");
  EXPECT_EQ(to_string(Trigger::Request), "request");
  EXPECT_EQ(to_string(Trigger::None), "");
}

}  // namespace
}  // namespace keyturn::engine
