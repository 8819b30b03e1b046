// Death tests run their statement in a fresh process ("threadsafe" style), where signals can really
// be raised and the process can really end.
#include "controller/runtime/lifecycle.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/fake_clock.h"

namespace keyturn::runtime {
namespace {

using std::chrono::seconds;
using testing::FakeClock;

class LifecycleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    log_ = "";
  }

  Component part(const std::string& name) {
    return {name,
            [this, name] {
              log_ += "+" + name;
              return Status();
            },
            [this, name] { log_ += "-" + name; }};
  }
  // Its start asks for the end, as the first thing that happens while the process runs.
  Component stopper(Lifecycle& lifecycle) {
    return {"stopper",
            [&lifecycle] {
              lifecycle.stop("test");
              return Status();
            },
            [this] { log_ += "-stopper"; }};
  }

  FakeClock clock_;
  std::string log_;
};

TEST_F(LifecycleTest, StartsInOrderAndStopsInReverse) {
  Lifecycle lifecycle(clock_);
  lifecycle.add(part("a"));
  lifecycle.add(part("b"));
  std::jthread ender([&] {
    clock_.await_waiters(1);  // run() waits: everything has started
    lifecycle.stop("test");
  });
  EXPECT_TRUE(lifecycle.run().ok());
  EXPECT_EQ(log_, "+a+b-b-a");
}

TEST_F(LifecycleTest, AFailedStartStopsWhatHasStarted) {
  Lifecycle lifecycle(clock_);
  lifecycle.add(part("a"));
  lifecycle.add({"b", [] { return Status(invalid("PortTaken", "port 8080 is in use")); },
                 [this] { log_ += "-b"; }});
  lifecycle.add(part("c"));
  const Status status = lifecycle.run();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, "PortTaken");
  EXPECT_EQ(status.error().message, "cannot start b: port 8080 is in use");
  EXPECT_EQ(log_, "+a-a");
}

TEST_F(LifecycleTest, AnExceptionInStartIsAFailedStart) {
  Lifecycle lifecycle(clock_);
  lifecycle.add({"a", []() -> Status { throw std::runtime_error("x"); }, [] {}});
  EXPECT_EQ(lifecycle.run().error().code, "Exception");
}

TEST_F(LifecycleTest, AnExceptionInStopDoesNotKeepTheOthersRunning) {
  Lifecycle lifecycle(clock_);
  lifecycle.add(part("a"));
  lifecycle.add({"b", [] { return Status(); }, [] { throw std::runtime_error("x"); }});
  lifecycle.add(stopper(lifecycle));
  EXPECT_TRUE(lifecycle.run().ok());
  EXPECT_EQ(log_, "+a-stopper-a");
}

TEST_F(LifecycleTest, AStopDuringTheStartStartsNoMore) {
  Lifecycle lifecycle(clock_);
  lifecycle.add(part("a"));
  lifecycle.add(stopper(lifecycle));
  lifecycle.add(part("never"));
  EXPECT_TRUE(lifecycle.run().ok());
  EXPECT_EQ(log_, "+a-stopper-a");
}

using LifecycleDeathTest = LifecycleTest;

// Says what it does on stderr, so that the death test can see it.
Component told(const std::string& name) {
  return {name, [] { return Status(); },
          [name] {
            const std::string line = "stopping " + name + "\n";
            EXPECT_EQ(::write(STDERR_FILENO, line.data(), line.size()),
                      static_cast<ssize_t>(line.size()));
          }};
}
Component raiser(int signal) {
  return {"raiser",
          [signal] {
            ::kill(::getpid(), signal);
            return Status();
          },
          [] {}};
}

class EndingSignal : public LifecycleTest, public ::testing::WithParamInterface<int> {};

TEST_P(EndingSignal, DrainsAndReturns) {
  EXPECT_EXIT(
      {
        Lifecycle::block_signals();
        FakeClock clock;
        Lifecycle lifecycle(clock);
        lifecycle.add(told("lanes"));
        lifecycle.add(raiser(GetParam()));
        const Status status = lifecycle.run();
        std::_Exit(status ? 42 : 43);
      },
      ::testing::ExitedWithCode(42), "stopping lanes");
}
INSTANTIATE_TEST_SUITE_P(Signals, EndingSignal, ::testing::Values(SIGTERM, SIGINT));

TEST_F(LifecycleDeathTest, TheSecondSignalEndsAtOnce) {
  EXPECT_EXIT(
      {
        Lifecycle::block_signals();
        FakeClock clock;
        Lifecycle lifecycle(clock);
        lifecycle.add({"stuck", [] { return Status(); },
                       [] {
                         ::kill(::getpid(), SIGINT);  // the second, while this never ends
                         for (;;) ::pause();
                       }});
        lifecycle.add(raiser(SIGTERM));
        static_cast<void>(lifecycle.run());
      },
      ::testing::ExitedWithCode(128 + SIGINT), "second signal");
}

TEST_F(LifecycleDeathTest, TheDrainLimitEndsAStuckStop) {
  EXPECT_EXIT(
      {
        FakeClock clock;
        Lifecycle lifecycle(clock, seconds(10));
        lifecycle.add({"stuck lane", [] { return Status(); },
                       [&clock] {
                         clock.await_waiters(1);  // the limit is being watched
                         clock.advance(seconds(10));
                         for (;;) ::pause();
                       }});
        lifecycle.add({"stopper",
                       [&lifecycle] {
                         lifecycle.stop("test");
                         return Status();
                       },
                       [] {}});
        static_cast<void>(lifecycle.run());
      },
      ::testing::ExitedWithCode(1), "stuck lane");
}

TEST_F(LifecycleDeathTest, TheDrainLimitLeavesAnOrderlyStopAlone) {
  FakeClock& clock = clock_;
  Lifecycle lifecycle(clock, seconds(10));
  lifecycle.add({"slow", [] { return Status(); },
                 [&clock] {
                   clock.await_waiters(1);
                   clock.advance(seconds(10) - Duration(1));
                 }});
  lifecycle.add(stopper(lifecycle));
  EXPECT_TRUE(lifecycle.run().ok());
}

TEST_F(LifecycleDeathTest, DieEndsTheProcess) {
  EXPECT_EXIT(Lifecycle::die("lost the lease"), ::testing::ExitedWithCode(1), "lost the lease");
}

TEST_F(LifecycleDeathTest, APeerThatHangsUpIsNoSignal) {
  EXPECT_EXIT(
      {
        Lifecycle::block_signals();
        int ends[2];
        if (::pipe(ends) != 0) std::_Exit(43);
        ::close(ends[0]);
        std::_Exit(::write(ends[1], "x", 1) < 0 ? 42 : 43);
      },
      ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace keyturn::runtime
