#include "lib/base/time.h"

#include <gtest/gtest.h>

#include <limits>

#include "lib/base/rng.h"

namespace keyturn {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

WallTime at(std::int64_t millis) { return WallTime(Duration(millis)); }

TEST(Rfc3339, WritesUtc) {
  EXPECT_EQ(format_rfc3339(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(at(1'795'328'086'789)), "2026-11-22T06:14:46Z");
  EXPECT_EQ(format_rfc3339(at(-1)), "1969-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339(at(951'782'400'000)), "2000-02-29T00:00:00Z");
  EXPECT_EQ(format_rfc3339_micro(at(1'795'328'086'007)), "2026-11-22T06:14:46.007000Z");
}

TEST(Rfc3339, StaysWithinTheGrammar) {
  EXPECT_EQ(format_rfc3339(WallTime::max()), "9999-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339(WallTime::min()), "0000-01-01T00:00:00Z");
}

TEST(Rfc3339, ReadsFractionsAndOffsets) {
  const WallTime t = at(1'795'328'086'000);
  EXPECT_EQ(*parse_rfc3339("2026-11-22T06:14:46Z"), t);
  EXPECT_EQ(*parse_rfc3339("2026-11-22t06:14:46z"), t);
  EXPECT_EQ(*parse_rfc3339("2026-11-22T07:44:46+01:30"), t);
  EXPECT_EQ(*parse_rfc3339("2026-11-21T22:14:46-08:00"), t);
  EXPECT_EQ(*parse_rfc3339("2026-11-22T06:14:46.123456789Z"), t + Duration(123));
  EXPECT_EQ(*parse_rfc3339("2026-11-22T06:14:46.5-00:00"), t + Duration(500));
  EXPECT_EQ(*parse_rfc3339("1969-12-31T23:59:59.999Z"), at(-1));
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text : {"",
                           "2026-11-22",
                           "2026-11-22T06:14:46",
                           "2026-11-22 06:14:46Z",
                           "2026-13-22T06:14:46Z",
                           "2026-02-29T06:14:46Z",
                           "2026-00-22T06:14:46Z",
                           "2026-11-00T06:14:46Z",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T06:60:46Z",
                           "2026-11-22T23:59:60Z",
                           "2026-11-22T06:14:46.Z",
                           "2026-11-22T06:14:46+0130",
                           "2026-11-22T06:14:46+24:00",
                           "2026-11-22T06:14:46Zx",
                           "26-11-22T06:14:46Z",
                           "+026-11-22T06:14:46Z",
                           "2026-11-22T06:14:46,5Z",
                           " 2026-11-22T06:14:46Z",
                           "2026-1-22T06:14:46Z"}) {
    const auto parsed = parse_rfc3339(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().cls, ErrorClass::Invalid);
    EXPECT_EQ(parsed.error().code, "BadTime");
  }
}

TEST(Rfc3339, RoundTrips) {
  SeededRng rng(7);
  for (int i = 0; i < 2000; ++i) {
    const WallTime t =
        at(static_cast<std::int64_t>(rng.below(8'000'000'000'000)) - 2'000'000'000'000);
    const auto again = parse_rfc3339(format_rfc3339_micro(t));
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(*again, t);
  }
}

TEST(EpochSeconds, CutsTowardsThePast) {
  EXPECT_EQ(epoch_seconds(at(1999)), 1);
  EXPECT_EQ(epoch_seconds(at(-1)), -1);
}

TEST(EpochSeconds, RoundsAndBoundsWhatJsonHolds) {
  EXPECT_EQ(from_epoch_seconds(1795000000.123), at(1'795'000'000'123));
  EXPECT_EQ(from_epoch_seconds(-0.5), at(-500));
  EXPECT_EQ(format_rfc3339(from_epoch_seconds(1e300)), "9999-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339(from_epoch_seconds(-1e300)), "0000-01-01T00:00:00Z");
  EXPECT_EQ(from_epoch_seconds(std::numeric_limits<double>::quiet_NaN()), at(0));
}

TEST(ParseDuration, ReadsGoStyle) {
  EXPECT_EQ(*parse_duration("90s"), seconds(90));
  EXPECT_EQ(*parse_duration("1h30m"), minutes(90));
  EXPECT_EQ(*parse_duration("500ms"), Duration(500));
  EXPECT_EQ(*parse_duration("0s"), Duration(0));
  EXPECT_EQ(*parse_duration("1m5ms"), minutes(1) + Duration(5));
  EXPECT_EQ(*parse_duration("30d"), hours(720));
  EXPECT_EQ(*parse_duration("1.5h"), minutes(90));
  EXPECT_EQ(*parse_duration(".5s"), Duration(500));
  EXPECT_EQ(*parse_duration("12.4s"), Duration(12400));
  EXPECT_EQ(*parse_duration("0.123456789012345678901234s"), Duration(123));
  EXPECT_EQ(*parse_duration("2562047h47m16s"), hours(2562047) + minutes(47) + seconds(16));
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text :
       {"", "5", "-5s", "+5s", "s", ".s", "1.2.3s", "1h 30m", "1w", "5 s", "1e3s", "2562047h48m",
        "9223372036854775808ms", "99999999999999999999h", "1hour", "h1", "106752d"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, "BadDuration");
  }
}

TEST(FormatDuration, IsTheShortestThatGoReads) {
  EXPECT_EQ(format_duration(hours(2)), "2h");
  EXPECT_EQ(format_duration(minutes(90)), "1h30m");
  EXPECT_EQ(format_duration(Duration(12400)), "12.4s");
  EXPECT_EQ(format_duration(Duration(12040)), "12.04s");
  EXPECT_EQ(format_duration(Duration(500)), "500ms");
  EXPECT_EQ(format_duration(Duration(0)), "0s");
  EXPECT_EQ(format_duration(hours(720)), "720h");
  EXPECT_EQ(format_duration(hours(1) + Duration(1)), "1h0.001s");
  EXPECT_EQ(format_duration(-seconds(5)), "-5s");
  EXPECT_EQ(format_duration(Duration::min()).substr(0, 2), "-2");
}

TEST(FormatDuration, RoundTrips) {
  SeededRng rng(3);
  for (int i = 0; i < 2000; ++i) {
    const Duration d(static_cast<std::int64_t>(rng.below(1'000'000'000'000) >> rng.below(40)));
    const auto again = parse_duration(format_duration(d));
    ASSERT_TRUE(again.ok()) << format_duration(d);
    ASSERT_EQ(*again, d);
  }
}

TEST(FormatAge, ShowsAtMostTwoUnits) {
  EXPECT_EQ(format_age(Duration(999)), "0s");
  EXPECT_EQ(format_age(seconds(12)), "12s");
  EXPECT_EQ(format_age(seconds(330)), "5m30s");
  EXPECT_EQ(format_age(minutes(14) + seconds(20)), "14m");
  EXPECT_EQ(format_age(hours(3)), "3h");
  EXPECT_EQ(format_age(hours(3) + minutes(12) + seconds(5)), "3h12m");
  EXPECT_EQ(format_age(hours(27 * 24 + 20)), "27d20h");
  EXPECT_EQ(format_age(hours(30 * 24)), "30d");
  EXPECT_EQ(format_age(-seconds(5)), "0s");
}

}  // namespace
}  // namespace keyturn
