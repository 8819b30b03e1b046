#include "lib/engine/schedule.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "lib/base/time.h"

namespace keyturn::engine {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

WallTime at(std::string_view text) { return *parse_rfc3339(text); }
std::string text(WallTime t) { return format_rfc3339(t); }

Schedule schedule(std::string_view expression, std::string_view zone = "",
                  std::optional<Duration> window = {}) {
  auto parsed = Schedule::parse(expression, zone, window);
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
  return std::move(parsed).value();
}

std::string refused(std::string_view expression, std::string_view zone = "",
                    std::optional<Duration> window = {}) {
  auto parsed = Schedule::parse(expression, zone, window);
  if (parsed.ok()) return "accepted";
  EXPECT_EQ(parsed.error().cls, ErrorClass::Invalid);
  return parsed.error().code;
}

// The first `count` starts after `from`.
std::vector<std::string> starts(const Schedule& s, std::string_view from, int count) {
  std::vector<std::string> out;
  WallTime t = at(from);
  for (int i = 0; i < count; ++i) {
    t = s.next(t);
    out.push_back(text(t));
  }
  return out;
}
using Starts = std::vector<std::string>;

// ---- rate ----

TEST(Rate, CountsFromTheGivenTime) {
  EXPECT_EQ(schedule("rate(30 days)").next(at("2026-01-31T10:11:12Z")), at("2026-03-02T10:11:12Z"));
  EXPECT_EQ(schedule("rate(1 minute)").next(at("2026-01-31T23:59:30Z")),
            at("2026-02-01T00:00:30Z"));
  EXPECT_EQ(schedule(" rate( 4 hours ) ").period(), 4h);
  EXPECT_EQ(schedule("rate(1 day)").period(), days(1));
  EXPECT_EQ(schedule("rate(999 days)").period(), days(999));
}

TEST(Rate, Refusals) {
  for (const char* expression :
       {"rate(0 days)", "rate(1000 days)", "rate(23977 hours)", "rate(-1 days)", "rate(1.5 days)",
        "rate(days)", "rate(5)", "rate(5 weeks)", "rate()", "rate(5 days",
        "rate(99999999999999999999 days)", "Rate(5 days)", "rate 5 days", "rate(5 days) x"}) {
    EXPECT_EQ(refused(expression), "BadSchedule") << expression;
  }
  EXPECT_EQ(refused("rate(5 days)", "Europe/Berlin"), "BadSchedule");
}

// ---- AWS cron: the examples of the user guide, and its rules ----

TEST(AwsCron, ExamplesOfTheUserGuide) {
  const char* from = "2026-11-22T06:14:00Z";  // a Sunday
  EXPECT_EQ(starts(schedule("cron(0 /8 * * ? *)"), from, 4),
            (Starts{"2026-11-22T08:00:00Z", "2026-11-22T16:00:00Z", "2026-11-23T00:00:00Z",
                    "2026-11-23T08:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 4/12 * * ? *)"), from, 3),
            (Starts{"2026-11-22T16:00:00Z", "2026-11-23T04:00:00Z", "2026-11-23T16:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 2/10 * * ? *)"), from, 4),  // steps start anew each day
            (Starts{"2026-11-22T12:00:00Z", "2026-11-22T22:00:00Z", "2026-11-23T02:00:00Z",
                    "2026-11-23T12:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 8 1 * ? *)"), from, 2),
            (Starts{"2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 16 L * ? *)"), from, 4),
            (Starts{"2026-11-30T16:00:00Z", "2026-12-31T16:00:00Z", "2027-01-31T16:00:00Z",
                    "2027-02-28T16:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 0 ? * SUN#1 *)"), from, 2),
            (Starts{"2026-12-06T00:00:00Z", "2027-01-03T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 10 ? * 1L *)"), from, 2),
            (Starts{"2026-11-29T10:00:00Z", "2026-12-27T10:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 1 1/7 * ? *)"), from, 5),
            (Starts{"2026-11-29T01:00:00Z", "2026-12-01T01:00:00Z", "2026-12-08T01:00:00Z",
                    "2026-12-15T01:00:00Z", "2026-12-22T01:00:00Z"}));
}

TEST(AwsCron, WeekDaysAreOneForSunday) {
  EXPECT_EQ(starts(schedule("cron(0 0 ? * 1 *)"), "2026-11-22T00:00:00Z", 1),
            Starts{"2026-11-29T00:00:00Z"});
  EXPECT_EQ(starts(schedule("cron(0 0 ? * 7 *)"), "2026-11-22T00:00:00Z", 1),
            Starts{"2026-11-28T00:00:00Z"});
  EXPECT_EQ(starts(schedule("cron(0 0 ? * L *)"), "2026-11-22T00:00:00Z", 1),
            Starts{"2026-11-28T00:00:00Z"});
  EXPECT_EQ(starts(schedule("cron(0 0 ? * MON-WED,fri *)"), "2026-11-22T00:00:00Z", 5),
            (Starts{"2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z",
                    "2026-11-27T00:00:00Z", "2026-11-30T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 0 ? * TUE#3,SUNL *)"), "2026-11-01T00:00:00Z", 3),
            (Starts{"2026-11-17T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-15T00:00:00Z"}));
}

TEST(AwsCron, MonthsListsRangesAndSteps) {
  EXPECT_EQ(starts(schedule("cron(0 0 15 JAN,APR-MAY,11 ? *)"), "2026-01-15T00:00:00Z", 4),
            (Starts{"2026-04-15T00:00:00Z", "2026-05-15T00:00:00Z", "2026-11-15T00:00:00Z",
                    "2027-01-15T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 0 1 /6 ? *)"), "2026-01-01T00:00:00Z", 2),
            (Starts{"2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 0 10-12/2 * ? *)"), "2026-01-11T00:00:00Z", 2),
            (Starts{"2026-01-12T00:00:00Z", "2026-02-10T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 8,14-15 ? * * *)"), "2026-01-01T00:00:00Z", 4),
            (Starts{"2026-01-01T08:00:00Z", "2026-01-01T14:00:00Z", "2026-01-01T15:00:00Z",
                    "2026-01-02T08:00:00Z"}));
}

TEST(AwsCron, RareDaysAreFound) {
  EXPECT_EQ(starts(schedule("cron(0 0 29 2 ? *)"), "2026-01-01T00:00:00Z", 2),
            (Starts{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("cron(0 0 29 2 ? *)"), "2096-03-01T00:00:00Z", 1),
            Starts{"2104-02-29T00:00:00Z"});
  EXPECT_EQ(starts(schedule("cron(0 0 ? 2 SUN#5 *)"), "2026-01-01T00:00:00Z", 2),
            (Starts{"2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z"}));
}

TEST(AwsCron, Refusals) {
  for (const char* expression : {"cron(5 0 * * ? *)",
                                 "cron(* 0 * * ? *)",
                                 "cron(0 24 * * ? *)",
                                 "cron(0 0 0 * ? *)",
                                 "cron(0 0 32 * ? *)",
                                 "cron(0 0 * 13 ? *)",
                                 "cron(0 0 * 0 ? *)",
                                 "cron(0 0 ? * 0 *)",
                                 "cron(0 0 ? * 8 *)",
                                 "cron(0 0 * * * *)",
                                 "cron(0 0 ? * ? *)",
                                 "cron(0 0 1 * MON *)",
                                 "cron(0 0 * * ? 2026)",
                                 "cron(0 0 * * ?)",
                                 "cron(0 0 * * ? * *)",
                                 "cron(0 0 ? * MON#6 *)",
                                 "cron(0 0 ? * MON#0 *)",
                                 "cron(0 0 ? * MON# *)",
                                 "cron(0 0 ? * #1 *)",
                                 "cron(0 0 L-3 * ? *)",
                                 "cron(0 0 15W * ? *)",
                                 "cron(0 0 ? * FRI-MON *)",
                                 "cron(0 0 1-32 * ? *)",
                                 "cron(0 0 1, * ? *)",
                                 "cron(0 0 1/0 * ? *)",
                                 "cron(0 /24 * * ? *)",
                                 "cron(0 0 ? JANUARY MON *)",
                                 "cron(0 ? * * ? *)",
                                 "cron(0 0 ?,1 * ? *)",
                                 "cron(0 0 * * ? *",
                                 "cron()",
                                 "cron(0 -1 * * ? *)",
                                 "cron(0 0 ? * 8L *)",
                                 "cron(0 0 1-2-3 * ? *)"}) {
    EXPECT_EQ(refused(expression), "BadSchedule") << expression;
  }
  EXPECT_EQ(refused("cron(0 0 * * ? *)", "Europe/Berlin"), "BadSchedule");
}

TEST(AwsCron, MessagesNameTheFieldAndTheRemedy) {
  const auto error = Schedule::parse("cron(30 3 ? * MON *)", "", {}).error();
  EXPECT_NE(error.message.find("cron(30 3 ? * MON *)"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("minutes \"30\""), std::string::npos);
  EXPECT_NE(error.message.find("without cron()"), std::string::npos);
  EXPECT_NE(Schedule::parse("cron(0 3 ? * MO *)", "", {})
                .error()
                .message.find("day-of-week \"MO\": must be 1-7 or SUN-SAT"),
            std::string::npos);
}

// ---- five fields ----

TEST(ClassicCron, Fields) {
  EXPECT_EQ(starts(schedule("*/20 3 * * *"), "2026-11-22T03:05:00Z", 3),
            (Starts{"2026-11-22T03:20:00Z", "2026-11-22T03:40:00Z", "2026-11-23T03:00:00Z"}));
  EXPECT_EQ(starts(schedule("5/25 0 * * *"), "2026-11-22T00:00:00Z", 3),
            (Starts{"2026-11-22T00:05:00Z", "2026-11-22T00:30:00Z", "2026-11-22T00:55:00Z"}));
  EXPECT_EQ(starts(schedule("  30\t4 1 jan,JUL *"), "2026-01-01T04:30:00Z", 2),
            (Starts{"2026-07-01T04:30:00Z", "2027-01-01T04:30:00Z"}));
  EXPECT_EQ(starts(schedule("0 0 * * 0"), "2026-11-20T00:00:00Z", 1),
            starts(schedule("0 0 * * 7"), "2026-11-20T00:00:00Z", 1));
  EXPECT_EQ(starts(schedule("0 0 * * 5-7"), "2026-11-19T00:00:00Z", 4),
            (Starts{"2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z",
                    "2026-11-27T00:00:00Z"}));
}

TEST(ClassicCron, EitherDayFieldIsEnoughWhereBothRestrict) {
  EXPECT_EQ(starts(schedule("0 0 13 * FRI"), "2026-11-01T00:00:00Z", 4),
            (Starts{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z",
                    "2026-11-27T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("0 0 13 * *"), "2026-11-01T00:00:00Z", 2),
            (Starts{"2026-11-13T00:00:00Z", "2026-12-13T00:00:00Z"}));
  EXPECT_EQ(starts(schedule("0 0 */10 * MON"), "2026-11-01T00:00:00Z", 3),
            (Starts{"2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z", "2026-11-11T00:00:00Z"}));
}

TEST(ClassicCron, Refusals) {
  for (const char* expression :
       {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
        "* * * * 8", "@daily", "* * ? * *", "* * L * *", "* * * * MON#1", "*/0 * * * *",
        "*/60 * * * *", "a * * * *", "1- * * * *", "-1 * * * *", ", * * * *", "5-1 * * * *"}) {
    EXPECT_EQ(refused(expression), "BadSchedule") << expression;
  }
}

TEST(ClassicCron, ImpossibleDays) {
  EXPECT_EQ(refused("0 0 30 2 *"), "ImpossibleSchedule");
  EXPECT_EQ(refused("0 0 31 4,6,9,11 *"), "ImpossibleSchedule");
  EXPECT_EQ(refused("cron(0 0 31 2 ? *)"), "ImpossibleSchedule");
  EXPECT_EQ(refused("0 0 30 2 MON"), "accepted");  // or any Monday of February
}

TEST(ClassicCron, UnknownZones) {
  for (const char* zone :
       {"Europe/Atlantis", "europe/berlin", "../etc/passwd", "/etc/localtime", " "})
    EXPECT_EQ(refused("0 0 * * *", zone), "UnknownTimeZone") << zone;
}

// ---- changes of clocks ----

TEST(TimeZone, OrdinaryOffsets) {
  EXPECT_EQ(starts(schedule("0 9 * * *", "Asia/Kolkata"), "2026-01-01T00:00:00Z", 1),
            Starts{"2026-01-01T03:30:00Z"});
  EXPECT_EQ(starts(schedule("0 9 * * *", "Pacific/Kiritimati"), "2026-01-01T00:00:00Z", 1),
            Starts{"2026-01-01T19:00:00Z"});
  EXPECT_EQ(starts(schedule("0 9 * * *", "UTC"), "2026-01-01T09:00:00Z", 1),
            Starts{"2026-01-02T09:00:00Z"});
}

TEST(TimeZone, BerlinSpring) {  // 2026-03-29: 02:00 CET becomes 03:00 CEST at 01:00Z
  EXPECT_EQ(starts(schedule("30 2 * * *", "Europe/Berlin"), "2026-03-27T12:00:00Z", 3),
            (Starts{"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}));
  // all that the gap swallowed runs once, together with what stands at its end
  EXPECT_EQ(starts(schedule("*/30 1-3 * * *", "Europe/Berlin"), "2026-03-28T23:59:00Z", 5),
            (Starts{"2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z",
                    "2026-03-29T01:30:00Z", "2026-03-29T23:00:00Z"}));
}

TEST(TimeZone, BerlinAutumn) {  // 2026-10-25: 03:00 CEST becomes 02:00 CET at 01:00Z
  EXPECT_EQ(starts(schedule("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", 2),
            (Starts{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}));
  EXPECT_EQ(starts(schedule("30 2 * * *", "Europe/Berlin"), "2026-10-25T00:45:00Z", 1),
            Starts{"2026-10-26T01:30:00Z"});
  EXPECT_EQ(starts(schedule("30 * * * *", "Europe/Berlin"), "2026-10-24T23:00:00Z", 4),
            (Starts{"2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z",
                    "2026-10-25T03:30:00Z"}));
}

TEST(TimeZone, NewYork) {  // 2026-03-08 07:00Z forward, 2026-11-01 06:00Z back
  EXPECT_EQ(starts(schedule("15 2 * * *", "America/New_York"), "2026-03-07T12:00:00Z", 2),
            (Starts{"2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"}));
  EXPECT_EQ(starts(schedule("15 1 * * *", "America/New_York"), "2026-10-31T12:00:00Z", 2),
            (Starts{"2026-11-01T05:15:00Z", "2026-11-02T06:15:00Z"}));
}

TEST(TimeZone, LordHoweMovesByHalfAnHour) {  // 2026-10-03 15:30Z: 02:00 becomes 02:30; 2026-04-04
                                             // 15:00Z: 02:00 becomes 01:30
  EXPECT_EQ(starts(schedule("10 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2),
            (Starts{"2026-10-03T15:30:00Z", "2026-10-04T15:10:00Z"}));
  EXPECT_EQ(starts(schedule("40 1 * * *", "Australia/Lord_Howe"), "2026-04-04T00:00:00Z", 2),
            (Starts{"2026-04-04T14:40:00Z", "2026-04-05T15:10:00Z"}));
}

TEST(TimeZone, ASkippedDayRunsAtItsEnd) {  // Samoa had no 30 December 2011
  EXPECT_EQ(starts(schedule("0 12 30 12 *", "Pacific/Apia"), "2011-12-01T00:00:00Z", 2),
            (Starts{"2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"}));
}

TEST(TimeZone, StartsAlwaysMoveForward) {
  SeededRng rng(11);
  for (const char* zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                           "Africa/Casablanca", "America/St_Johns"}) {
    for (const char* expression : {"*/7 * * * *", "30 1-3 * * *", "0 0 31 * *", "0 0 29 * SUN"}) {
      const Schedule s = schedule(expression, zone);
      for (int i = 0; i < 200; ++i) {
        const WallTime t = at("2024-01-01T00:00:00Z") +
                           Duration(static_cast<std::int64_t>(rng.below(5ull * 366 * 86'400'000)));
        const WallTime next = s.next(t);
        ASSERT_GT(next, t) << expression << " " << zone << " " << text(t);
        ASSERT_EQ(s.next(next - 1ms), next) << expression << " " << zone << " " << text(t);
      }
    }
  }
}

TEST(Schedule, FarFutureIsNoTrap) {
  const WallTime year9000 =
      WallTime(std::chrono::sys_days(std::chrono::year(9000) / 1 / 1).time_since_epoch());
  for (const char* expression : {"rate(1 day)", "* * * * *"}) {
    EXPECT_EQ(schedule(expression).next(year9000), WallTime::max());
    EXPECT_EQ(schedule(expression).next(WallTime::max()), WallTime::max());
    EXPECT_GT(schedule(expression).next(year9000 - 1ms), year9000 - 1ms);
  }
}

// ---- windows and spreading ----

TEST(Window, DefaultIsATenthOfThePeriodAtMostADay) {
  EXPECT_EQ(schedule("rate(10 minutes)").window(), 1min);
  EXPECT_EQ(schedule("rate(5 days)").window(), 12h);
  EXPECT_EQ(schedule("rate(30 days)").window(), 24h);
  EXPECT_EQ(schedule("0 3 * * *").window(), 144min);
}

TEST(Window, PeriodIsTheShortestDistance) {
  EXPECT_EQ(schedule("0 3 * * *").period(), days(1));
  EXPECT_EQ(schedule("0 3,4 * * *").period(), 1h);
  EXPECT_EQ(schedule("0 0,23 * * *").period(), 1h);
  EXPECT_EQ(schedule("0 1,13 * * MON").period(), 12h);
  EXPECT_EQ(schedule("0 0 * * MON").period(), days(7));
  EXPECT_EQ(schedule("0 0 1 * *").period(), days(28));
  EXPECT_EQ(schedule("cron(0 0 L * ? *)").period(), days(28));
  EXPECT_EQ(schedule("0 0 29 2 *").period(), days(1461));
  EXPECT_EQ(schedule("0 0 1 * MON").period(), days(1));
  EXPECT_EQ(schedule("0 22 * * 1,2").period(), days(1));
  EXPECT_EQ(schedule("cron(0 0 ? 2 SUN#5 *)").period(), days(28 * 365 + 7));
}

TEST(Window, LongerThanThePeriodIsRefused) {
  EXPECT_EQ(refused("rate(1 hour)", "", 61min), "WindowTooLong");
  EXPECT_EQ(refused("0 3 * * *", "", 25h), "WindowTooLong");
  EXPECT_EQ(refused("0 3 * * *", "", -1ms), "BadSchedule");
  EXPECT_EQ(schedule("rate(1 hour)", "", 60min).window(), 60min);
  const auto error = Schedule::parse("rate(1 hour)", "", 2h).error();
  EXPECT_NE(error.message.find("2h"), std::string::npos);
  EXPECT_NE(error.message.find("1h"), std::string::npos);
}

TEST(Spread, StaysInsideAndIsStable) {
  const Schedule s = schedule("0 3 * * *", "", 2h);
  const WallTime opens = at("2026-11-22T03:00:00Z");
  std::set<std::int64_t> seen;
  for (int i = 0; i < 500; ++i) {
    const std::string identity = "arn:aws:secretsmanager:eu-west-1:1:secret:s" + std::to_string(i);
    const WallTime t = s.spread(opens, identity);
    ASSERT_GE(t, opens);
    ASSERT_LT(t, opens + 2h);
    ASSERT_EQ(t, s.spread(opens, identity));
    ASSERT_EQ(t,
              s.spread(opens + 400ms, identity) - 400ms);  // a fraction of a second changes nothing
    seen.insert((t - opens) / 12min);
  }
  EXPECT_EQ(seen.size(), 10u);  // every tenth of the window gets some
  EXPECT_NE(s.spread(opens, "a") - opens,
            s.spread(opens + 24h, "a") - opens - 24h);  // another place each time
}

TEST(Spread, IsTheSameForEver) {  // a change here would move every rotation of every installation
  const Schedule s = schedule("0 3 * * *", "", 2h);
  EXPECT_EQ(s.spread(at("2026-11-22T03:00:00Z"), "arn:a") - at("2026-11-22T03:00:00Z"),
            Duration(5373172));
  EXPECT_EQ(s.spread_overdue(at("2026-11-22T03:00:00Z"), "arn:a") - at("2026-11-22T03:00:00Z"),
            Duration(6338637));
}

TEST(Spread, NoWindowMeansOnTime) {
  const Schedule s = schedule("0 3 * * *", "", 0ms);
  EXPECT_EQ(s.spread(at("2026-11-22T03:00:00Z"), "x"), at("2026-11-22T03:00:00Z"));
  EXPECT_EQ(s.spread_overdue(at("2026-11-22T03:00:00Z"), "x"), at("2026-11-22T03:00:00Z"));
}

}  // namespace
}  // namespace keyturn::engine
