#include "controller/kube/backoff.h"

#include <gtest/gtest.h>

#include "tests/testing/fake_clock.h"

namespace keyturn::kube {
namespace {

TEST(Backoff, DoublesUpToACapWithFullJitter) {
  testing::FakeClock clock;
  SeededRng rng(7);
  Backoff backoff(clock, rng);
  Duration base(800);
  for (int i = 0; i < 12; ++i) {
    const Duration pause = backoff.next();
    EXPECT_GE(pause, base) << i;
    EXPECT_LE(pause, base * 2) << i;
    base = std::min(base * 2, Duration(30'000));
  }
}

TEST(Backoff, ForgetsAfterTwoQuietMinutes) {
  testing::FakeClock clock;
  SeededRng rng(7);
  Backoff backoff(clock, rng);
  for (int i = 0; i < 8; ++i) backoff.next();
  clock.advance(Duration(120'000));
  EXPECT_GE(backoff.next(), Duration(30'000));
  clock.advance(Duration(120'001));
  EXPECT_LE(backoff.next(), Duration(1'600));
}

TEST(Backoff, TheFirstTroubleInAQuietTimeCostsNothing) {
  testing::FakeClock clock;
  SeededRng rng(7);
  Backoff backoff(clock, rng);
  EXPECT_EQ(backoff.next_unless_quiet(), Duration(0));
  EXPECT_GE(backoff.next_unless_quiet(), Duration(800));
  clock.advance(Duration(120'001));
  EXPECT_EQ(backoff.next_unless_quiet(), Duration(0));
}

}  // namespace
}  // namespace keyturn::kube
