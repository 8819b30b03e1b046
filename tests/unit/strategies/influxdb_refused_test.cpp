// A breaker that lets a request through or not (lib/http/breaker.h), under the real engine with the
// real strategy.
#include <algorithm>

#include "lib/engine/engine.h"
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using keyturn::testing::Reply;

class Refused : public InfluxTest {
 protected:
  Refused() {
    store(original());
    influx.add(kOldToken, Influx::kShop, narrow(), "");
    first = secrets.holder(arn, "AWSCURRENT");
  }

  void refuse(std::size_t nth) {
    transport->on_request([this, nth](const http::Request& request) {
      if (asked++ != nth) return influx.handle(request);
      Error error = make_error(ErrorClass::Unavailable, "BackendDown", "not asked: it is down");
      error.retry_after = Duration(40'000);
      return Reply::failed(std::move(error));
    });
  }

  // One pass, as a process of its own but for what it knows of quiet.
  StepResult pass() {
    use({});
    const Engine engine({secrets, *strategy, memory, clock, rng, Timing{}});
    Pass values;
    auto view = engine.look(arn);
    for (int turn = 0; turn < 30; ++turn) {
      Situation situation{.retire = true};
      if (view->labels.current == first) situation.permit = next_version(*view);
      const Decision decision = engine.decide(*view, situation);
      StepResult result = engine.perform(*view, decision, situation, values);
      events.push_back(result.event);
      if (result.kind != StepResult::Kind::Progress) return result;
    }
    return {};
  }

  Memory memory;
  std::string first;
  std::size_t asked = 0;
  std::vector<Event> events;
};

TEST_F(Refused, WhicheverRequestItIsWaitsAndNothingIsGivenUp) {
  std::size_t nth = 0;
  for (bool hit = true; hit; ++nth) {
    SCOPED_TRACE(nth);
    influx.auths.clear();
    influx.add(kOldToken, Influx::kShop, narrow(), "");
    secret_suffix = "-" + std::to_string(nth);
    store(original());
    first = secrets.holder(arn, "AWSCURRENT");
    events.clear();
    asked = 0;
    refuse(nth);
    int refusals = 0;
    StepResult result;
    for (int i = 0; i < 20 && result.kind != StepResult::Kind::Driver; ++i) {
      result = pass();
      if (result.kind == StepResult::Kind::Driver) break;
      ASSERT_EQ(result.kind, StepResult::Kind::After) << result.note;
      if (!result.error.code.empty()) {
        ++refusals;
        EXPECT_EQ(result.error.code, "BackendDown");
        EXPECT_EQ(result.delay, Duration(40'000));
      }
      clock.advance(result.delay);
    }
    hit = asked > nth;
    EXPECT_EQ(refusals, hit ? 1 : 0);
    EXPECT_EQ(std::count(events.begin(), events.end(), Event::GaveUp), 0);
    EXPECT_EQ(std::count(events.begin(), events.end(), Event::Retired), 1);
    ASSERT_EQ(influx.auths.size(), 1u);
    EXPECT_NE(influx.auths[0].token, kOldToken);
    EXPECT_TRUE(influx.auths[0].active);
  }
  EXPECT_GT(nth, 10u);  // the requests of a rotation
}

TEST_F(Refused, ATestThatWasNotSentSaysNothingAboutTheCredential) {
  refuse(0);
  const TestResult test = strategy->test(context("v"), text(original()));
  EXPECT_EQ(test.verdict, Verdict::Unknown);
  EXPECT_EQ(test.look_again, Duration(40'000));
}

TEST_F(Refused, TheDatabaseIsNotLookedUpAnewForAServerThatIsNotAsked) {
  reference_memory = std::make_shared<ReferenceMemory>();
  use({});
  refuse(0);
  for (int i = 0; i < 3; ++i) static_cast<void>(strategy->test(context("v"), text(original())));
  EXPECT_EQ(timestream.asked.size(), 1u);
}

TEST_F(Refused, OnlyGivingBackIsSentInAnyCase) {
  int looks = 0;
  const auto changes_after_disabling = [&looks] { return looks++ == 0; };
  const auto version = secrets.holder(arn, "AWSCURRENT");
  const auto retired = strategy->retire(context(version), text(original()),
                                        text({{"engine", "timestream-influxdb"},
                                              {"org", "shop-org"},
                                              {"adminSecretArn", admin_arn},
                                              {"type", "custom"},
                                              {"dbIdentifier", "shopdb"},
                                              {"token", "another"}}),
                                        changes_after_disabling);
  EXPECT_EQ(retired.error().code, "SomethingChanged");
  std::vector<bool> patches;
  for (const http::Request& request : transport->requests()) {
    if (request.method == "PATCH") {
      patches.push_back(request.takes_back);
    } else {
      EXPECT_FALSE(request.takes_back) << request.method << ' ' << request.url;
    }
  }
  EXPECT_EQ(patches, (std::vector<bool>{false, true}));
}

TEST_F(Refused, APingIsWaitedForBriefly) {
  static_cast<void>(strategy->test(context("v"), text(original())));
  ASSERT_FALSE(transport->requests().empty());
  EXPECT_EQ(transport->requests()[0].timeout, Duration(5'000));
  EXPECT_EQ(transport->requests()[1].timeout, Duration(15'000));
}

}  // namespace
}  // namespace keyturn::engine
