#include "controller/rotation/person_requests.h"

#include <gtest/gtest.h>

#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

const WallTime kNow = from_epoch_seconds(1'795'000'000);

class PersonRequestsTest : public ::testing::Test {
 protected:
  PersonRequestsTest() {
    labels.current = "v2";
    created.current = kNow - Duration(100'000);
  }
  static std::string at(int seconds) { return format_rfc3339(kNow + Duration(1000 * seconds)); }
  PersonRequests look() const { return person_requests(policy, status, labels, created, kNow); }
  void note(bool rotation_asked = false) {
    note_requests(status, policy, look(), rotation_asked, kNow);
  }

  Policy policy;
  PolicyStatus status;
  engine::Labels labels;
  CreatedTimes created;
};

TEST_F(PersonRequestsTest, OnesThatAreNewerThanTheVersionCount) {
  policy.rollback_requested_at = at(-50);
  policy.revoke_requested_at = at(-40);
  EXPECT_TRUE(look().rollback);
  EXPECT_TRUE(look().revoke);
  policy.rollback_requested_at = policy.revoke_requested_at = at(-200);  // back from Git
  EXPECT_FALSE(look().rollback);
  EXPECT_FALSE(look().revoke);
  note();
  EXPECT_EQ(status.last_handled_rollback_request, at(-200));
  EXPECT_EQ(status.last_handled_revoke_request, at(-200));
}

TEST_F(PersonRequestsTest, EachCountsOnce) {
  policy.rollback_requested_at = policy.revoke_requested_at = at(-50);
  status.last_handled_rollback_request = status.last_handled_revoke_request = at(-50);
  EXPECT_FALSE(look().rollback);
  EXPECT_FALSE(look().revoke);
}

TEST_F(PersonRequestsTest, OneInTheFutureIsWaitedFor) {
  policy.rollback_requested_at = at(50);
  policy.revoke_requested_at = at(40);
  EXPECT_FALSE(look().rollback);
  EXPECT_FALSE(look().revoke);
  EXPECT_EQ(look().later, kNow + Duration(40'000));
  note();
  EXPECT_EQ(status.last_handled_rollback_request, "");
  EXPECT_EQ(status.last_handled_revoke_request, "");
}

TEST_F(PersonRequestsTest, WhatIsNoTimeIsNotedAndDoesNothing) {
  policy.rollback_requested_at = policy.revoke_requested_at = "now";
  EXPECT_FALSE(look().rollback);
  EXPECT_FALSE(look().revoke);
  note();
  EXPECT_EQ(status.last_handled_rollback_request, "now");
}

TEST_F(PersonRequestsTest, ARevocationWithNothingToRevokeIsAnswered) {
  policy.revoke_requested_at = at(-50);
  note();
  EXPECT_EQ(status.last_handled_revoke_request, at(-50));
}

TEST_F(PersonRequestsTest, ADrillHoldsForTheVersionItAskedFor) {
  policy.rotate_requested_at = policy.revoke_requested_at = at(-150);
  created.current = kNow - Duration(160'000);
  EXPECT_TRUE(look().revoke) << "a retirement that waits already ends first";
  note(/*rotation_asked=*/true);
  EXPECT_EQ(status.last_handled_revoke_request, "") << "the rotation asked for is to come";

  created.current = kNow - Duration(100'000);  // it came
  status.last_handled_rotate_request = policy.rotate_requested_at;
  status.history = {{"v2", "Succeeded", "request", kNow - Duration(110'000), {}}};
  EXPECT_FALSE(look().revoke);
  EXPECT_TRUE(look().drill);
  note();
  EXPECT_EQ(status.last_handled_revoke_request, at(-150));
  EXPECT_FALSE(look().drill);
}

TEST_F(PersonRequestsTest, ADrillDoesNotHoldForALaterRotation) {
  policy.rotate_requested_at = policy.revoke_requested_at = at(-150);
  status.last_handled_rotate_request = policy.rotate_requested_at;
  status.history = {{"v2", "Succeeded", "schedule", kNow - Duration(110'000), {}}};
  EXPECT_FALSE(look().drill);
}

}  // namespace
}  // namespace keyturn::rotation
