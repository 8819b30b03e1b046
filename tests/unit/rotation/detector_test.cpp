#include "controller/rotation/detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::rotation {
namespace {

using testing::FakeClock;
using testing::FakeSecretsManager;

constexpr Duration kHour{3'600'000};

class DetectorTest : public ::testing::Test {
 protected:
  DetectorTest() {
    access =
        std::make_shared<AwsAccess>(AwsAccess{"operator@eu-west-1", "eu-west-1", true, secrets});
  }
  ~DetectorTest() override { detector.stop(); }

  void watch(const std::string& policy, const std::string& id, Duration interval = kHour) {
    detector.watch(policy, access, id, interval);
  }
  // Lets the first sweep happen: the detector waits a moment for more policies.
  void start() {
    detector.start();
    clock.await_waiters(1);
    clock.advance(Duration(300));
    await([&] { return !ready.empty(); });
    clock.await_waiters(1);
  }
  void deny_listing() {
    secrets->set_fault([](const FakeSecretsManager::Call& call,
                          FakeSecretsManager::When when) -> std::optional<Error> {
      if (call.operation != "ListSecrets" || when != FakeSecretsManager::When::Before)
        return std::nullopt;
      return make_error(ErrorClass::Denied, "AccessDeniedException", "no ListSecrets for you");
    });
  }
  template <class Condition>
  void await(Condition condition) {
    std::unique_lock lock(mutex);
    told.wait(lock, condition);
  }
  std::size_t count(const std::string& operation) const {
    const auto calls = secrets->calls();
    return static_cast<std::size_t>(std::count_if(
        calls.begin(), calls.end(), [&](const auto& call) { return call.operation == operation; }));
  }

  FakeClock clock;
  SeededRng rng{1};
  std::shared_ptr<FakeSecretsManager> secrets = std::make_shared<FakeSecretsManager>(clock);
  std::shared_ptr<AwsAccess> access;
  SecretKnowledge knowledge;
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::string> ready, changed, gone;
  ChangeDetector detector{
      {knowledge, clock, rng,
       [this](const aws::SecretMetadata&, const std::vector<std::string>& keys) {
         note(changed, keys);
       },
       [this](const std::string&, const std::vector<std::string>& keys) { note(gone, keys); },
       [this](const std::vector<std::string>& keys) { note(ready, keys); }}};

 private:
  void note(std::vector<std::string>& into, const std::vector<std::string>& keys) {
    const std::lock_guard lock(mutex);
    into.insert(into.end(), keys.begin(), keys.end());
    told.notify_all();
  }
};

TEST_F(DetectorTest, OneSweepServesEveryPolicyOfAnIdentity) {
  for (int i = 0; i < 50; ++i) {
    secrets->add_secret("shop/s" + std::to_string(i), "x");
    watch("shop/p" + std::to_string(i), "shop/s" + std::to_string(i));
  }
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Starting);
  start();
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Ready);
  EXPECT_EQ(ready.size(), 50U);
  EXPECT_EQ(secrets->calls().size(), 1U) << "50 secrets fit a page; nothing is described";
  EXPECT_EQ(knowledge.size(), 50U);
  EXPECT_TRUE(changed.empty()) << "the first sight is no change";
}

TEST_F(DetectorTest, OnlySecretsThatAPolicyNamesAreRemembered) {
  secrets->add_secret("shop/mine", "x");
  secrets->add_secret("shop/unrelated", "x");
  watch("shop/p", "shop/mine");
  start();
  EXPECT_EQ(knowledge.size(), 1U);
}

TEST_F(DetectorTest, AChangeByOthersWakesTheFollowers) {
  const std::string arn = secrets->add_secret("shop/a", "x");
  secrets->add_secret("shop/b", "x");
  watch("shop/by-name", "shop/a");
  watch("shop/by-arn", arn);
  watch("shop/other", "shop/b");
  start();
  secrets->forget_calls();
  clock.advance(Duration(400'000));  // beyond the list's lag
  secrets->put_as_person(arn, "y");
  clock.advance(kHour);
  await([&] { return changed.size() >= 2; });
  clock.await_waiters(1);
  std::sort(changed.begin(), changed.end());
  EXPECT_EQ(changed, (std::vector<std::string>{"shop/by-arn", "shop/by-name"}));
  EXPECT_EQ(count("DescribeSecret"), 0U);
}

TEST_F(DetectorTest, AChangeSoonAfterOurOwnLookIsNotTakenForTheListsLag) {
  const std::string arn = secrets->add_secret("shop/a", "x");
  watch("shop/p", "shop/a", Duration(60'000));
  start();
  knowledge.saw(access->scope, *secrets->describe(arn), clock.mono(), /*from_list=*/false);
  clock.advance(Duration(1'000));
  secrets->put_as_person(arn, "y");
  secrets->forget_calls();
  clock.advance(Duration(60'000));
  await([&] { return !changed.empty(); });
  clock.await_waiters(1);
  EXPECT_EQ(changed, std::vector<std::string>{"shop/p"});
  EXPECT_EQ(count("DescribeSecret"), 1U) << "one look decides";
  clock.advance(Duration(60'000));
  clock.await_waiters(1);
  EXPECT_EQ(count("DescribeSecret"), 1U) << "and then both agree";
}

TEST_F(DetectorTest, DeniedListingFallsBackToDescribingEachSecret) {
  const std::string arn = secrets->add_secret("shop/a", "x");
  deny_listing();
  watch("shop/p", "shop/a");
  start();
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Denied);
  secrets->put_as_person(arn, "y");
  clock.advance(kHour);
  await([&] { return !changed.empty(); });
  EXPECT_EQ(changed, std::vector<std::string>{"shop/p"});
  EXPECT_GE(count("DescribeSecret"), 1U);
}

TEST_F(DetectorTest, WhereListingIsDeniedEachSecretHasAnIntervalOfItsOwn) {
  secrets->add_secret("shop/slow", "x");
  secrets->add_secret("shop/quick", "x");
  deny_listing();
  watch("shop/slow", "shop/slow");
  watch("shop/quick", "shop/quick", Duration(120'000));
  watch("shop/lazy", "shop/quick");
  start();
  const auto described = [&](const std::string& id) {
    const auto calls = secrets->calls();
    return std::count_if(calls.begin(), calls.end(), [&](const auto& call) {
      return call.operation == "DescribeSecret" && call.secret_id == id;
    });
  };
  clock.advance(Duration(30'000));
  clock.await_waiters(1);
  ASSERT_EQ(described("shop/slow"), 1);
  ASSERT_EQ(described("shop/quick"), 1);
  for (int i = 0; i < 3; ++i) {
    clock.advance(Duration(120'000));
    clock.await_waiters(1);
  }
  EXPECT_EQ(described("shop/quick"), 4) << "the shortest of its policies counts";
  EXPECT_EQ(described("shop/slow"), 1) << "another secret's interval is none of its own";
  watch("shop/slow", "shop/slow", Duration(60'000));
  clock.advance(Duration(30'000));
  clock.await_waiters(1);
  EXPECT_EQ(described("shop/slow"), 1) << "another interval is no reason to look";
  clock.advance(Duration(30'000));
  clock.await_waiters(1);
  EXPECT_EQ(described("shop/slow"), 2) << "but a shorter one counts at once";
}

TEST_F(DetectorTest, WhereListingIsDeniedASecretThatNobodyNamesIsNotWaitedFor) {
  for (const char* name : {"shop/a", "shop/b", "shop/c"}) secrets->add_secret(name, "x");
  deny_listing();
  watch("shop/p", "shop/a");
  watch("shop/q", "shop/b");
  watch("shop/r", "shop/c");
  start();
  clock.advance(Duration(60'000));
  clock.await_waiters(1);
  ASSERT_EQ(count("DescribeSecret"), 3U);
  detector.forget("shop/p");
  watch("shop/q", "shop/c");  // another secret
  secrets->forget_calls();
  clock.advance(kHour);
  clock.await_waiters(1);
  EXPECT_EQ(count("DescribeSecret"), 1U);
  const MonoTime next = clock.next_deadline();
  EXPECT_GT(next, clock.mono()) << "it turns without end";
  EXPECT_NE(next, MonoTime::max());
}

TEST_F(DetectorTest, AnEntryWhoseLookFailedIsReachedAgain) {
  const std::string late = secrets->add_secret("shop/late", "x");
  const std::string other = secrets->add_secret("shop/other", "x");
  const auto changed_at = [&](const std::string& arn, WallTime at) {
    secrets->edit(arn, [&](FakeSecretsManager::Secret& s) { s.metadata.last_changed = at; });
  };
  const WallTime now = clock.now();
  for (const auto& arn : {late, other}) changed_at(arn, now - Duration(20 * 60'000));
  watch("shop/late", "shop/late", Duration(60'000));
  watch("shop/other", "shop/other", Duration(60'000));
  start();
  for (const auto& arn : {late, other}) secrets->put_as_person(arn, "y");
  changed_at(late, now - Duration(11 * 60'000));
  changed_at(other, now);
  std::mutex guard;
  bool fail = true;
  secrets->set_fault(
      [&](const FakeSecretsManager::Call& call, FakeSecretsManager::When) -> std::optional<Error> {
        const std::lock_guard lock(guard);
        if (call.operation != "DescribeSecret" || call.secret_id != late || !fail)
          return std::nullopt;
        fail = false;
        return make_error(ErrorClass::Throttled, "ThrottlingException", "slow down");
      });
  clock.advance(Duration(60'000));
  clock.await_waiters(1);
  EXPECT_EQ(changed, std::vector<std::string>{"shop/other"});
  clock.advance(Duration(60'000));
  clock.await_waiters(1);
  EXPECT_EQ(changed, (std::vector<std::string>{"shop/other", "shop/late"}));
  detector.stop();
}

TEST_F(DetectorTest, AFailingFirstSweepIsToldAndTriedAgain) {
  secrets->add_secret("shop/a", "x");
  bool fail = true;
  std::mutex guard;
  secrets->set_fault(
      [&](const FakeSecretsManager::Call&, FakeSecretsManager::When) -> std::optional<Error> {
        const std::lock_guard lock(guard);
        if (!fail) return std::nullopt;
        return make_error(ErrorClass::Transient, "Timeout", "AWS does not answer");
      });
  watch("shop/p", "shop/a");
  start();
  ASSERT_TRUE(detector.trouble(access->scope));
  EXPECT_EQ(detector.trouble(access->scope)->code, "Timeout");
  {
    const std::lock_guard lock(guard);
    fail = false;
  }
  clock.advance(Duration(5'000));
  await([&] { return ready.size() >= 2; });
  clock.await_waiters(1);
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Ready);
  EXPECT_FALSE(detector.trouble(access->scope));
}

TEST_F(DetectorTest, ARefusedIdentityThatWasMadeAnewIsTriedAtOnce) {
  secrets->add_secret("shop/a", "x");
  secrets->set_fault(
      [](const FakeSecretsManager::Call&, FakeSecretsManager::When) -> std::optional<Error> {
        return make_error(ErrorClass::Denied, "UnrecognizedClientException", "no such key");
      });
  watch("shop/p", "shop/a");
  start();
  ASSERT_TRUE(detector.trouble(access->scope));
  auto renewed = std::make_shared<FakeSecretsManager>(clock);
  renewed->add_secret("shop/a", "x");
  access = std::make_shared<AwsAccess>(AwsAccess{access->scope, "eu-west-1", false, renewed});
  watch("shop/p", "shop/a");
  await([&] { return ready.size() >= 2; });
  clock.await_waiters(1);
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Ready);
  EXPECT_EQ(renewed->calls().size(), 1U);
}

// Thirty secrets on three pages, all changed long before the newest one.
class SweepTest : public DetectorTest {
 protected:
  SweepTest() {
    secrets->set_page_size(10);
    for (int i = 0; i < 30; ++i) {
      const std::string name = "shop/s" + std::to_string(i);
      arns.push_back(secrets->add_secret(name, "x"));
      changed_at(arns.back(), clock.now() - Duration(kHour * (i + 1)));
      watch("shop/p" + std::to_string(i), name);
    }
    secrets->set_fault([this](const FakeSecretsManager::Call& call,
                              FakeSecretsManager::When when) -> std::optional<Error> {
      if (call.operation != "ListSecrets") return std::nullopt;
      const std::lock_guard lock(mutex);
      if (when == FakeSecretsManager::When::After) {
        ++listed;
        told.notify_all();
      } else if (listed + 1 == fails_at) {
        fails_at = 0;
        return make_error(ErrorClass::Throttled, "ThrottlingException", "slow down");
      }
      return std::nullopt;
    });
  }
  void changed_at(const std::string& arn, WallTime at) {
    secrets->edit(arn, [&](FakeSecretsManager::Secret& s) { s.metadata.last_changed = at; });
  }
  // The pages of the sweep that happens within this time.
  int pages_after(Duration time) {
    {
      const std::lock_guard lock(mutex);
      listed = 0;
    }
    clock.advance(time);
    await([&] { return listed > 0; });
    clock.await_waiters(1);
    const std::lock_guard lock(mutex);
    return listed;
  }

  std::vector<std::string> arns;
  int listed = 0;
  int fails_at = 0;  // the page of a sweep that fails, once
};

TEST_F(SweepTest, StopsAtWhatItHasSeen) {
  start();
  EXPECT_EQ(listed, 3) << "the first is a full one";
  EXPECT_EQ(pages_after(kHour), 1);
  EXPECT_TRUE(changed.empty());
}

TEST_F(SweepTest, WhoseSecretAPageShowsNeedNotWaitForTheOthers) {
  watch("shop/nobody", "shop/no-such-secret");
  fails_at = 3;
  start();
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Starting);
  EXPECT_EQ(std::count(ready.begin(), ready.end(), "shop/p0"), 2) << "its page, and the failure";
  EXPECT_EQ(knowledge.size(), 20U);
  ready.clear();
  clock.advance(Duration(2'000));
  await([&] { return ready.size() >= 11; });
  clock.await_waiters(1);
  EXPECT_EQ(detector.state(access->scope), ChangeDetector::State::Ready);
  EXPECT_EQ(ready.size(), 11U) << "those of the last page, and who was shown nothing";
  EXPECT_EQ(ready.back(), "shop/nobody");
}

TEST_F(SweepTest, OverlapsByTenMinutesSinceTheListLags) {
  start();
  // Changes that appear in the list only after newer ones did.
  const WallTime newest = clock.now() - kHour;
  secrets->put_as_person(arns[20], "late");
  changed_at(arns[20], newest - Duration(9 * 60'000));
  secrets->put_as_person(arns[25], "beyond any lag");
  changed_at(arns[25], newest - Duration(11 * 60'000));
  pages_after(kHour);
  EXPECT_EQ(changed, std::vector<std::string>{"shop/p20"});
}

TEST_F(SweepTest, ThatBrokeOffIsTakenUpWhereTheLastCompleteOneEnded) {
  start();
  const WallTime now = clock.now();
  for (std::size_t i = 0; i < 10; ++i) {
    secrets->put_as_person(arns[i], "y");
    changed_at(arns[i], now);
  }
  secrets->put_as_person(arns[20], "y");
  changed_at(arns[20], now - Duration(11 * 60'000));  // on the second page
  {
    const std::lock_guard lock(mutex);
    fails_at = 2;
  }
  EXPECT_EQ(pages_after(kHour), 1);
  EXPECT_EQ(changed.size(), 10U);
  EXPECT_EQ(pages_after(Duration(2'000)), 2);
  EXPECT_EQ(changed.back(), "shop/p20");
}

TEST_F(SweepTest, ADayAfterTheLastFullOneItIsFullAgainAndFindsWhatIsGone) {
  start();
  secrets->remove(arns[29]);
  EXPECT_EQ(pages_after(kHour), 1);
  EXPECT_TRUE(gone.empty());
  EXPECT_EQ(pages_after(kHour * 24), 3);
  EXPECT_EQ(gone, std::vector<std::string>{"shop/p29"});
}

TEST_F(SweepTest, IsAlwaysFullWhereTheOrderIsNotHonoured) {
  secrets->set_honour_order(false);
  changed_at(arns[0], clock.now() - kHour * 100);
  start();
  EXPECT_EQ(pages_after(kHour), 3);
  clock.advance(Duration(600'000));
  secrets->put_as_person(arns[29], "y");
  changed_at(arns[29], clock.now());
  EXPECT_EQ(pages_after(kHour), 3);
  EXPECT_EQ(changed, std::vector<std::string>{"shop/p29"});
}

TEST_F(DetectorTest, AScopeWithoutPoliciesIsSweptNoMore) {
  secrets->add_secret("shop/a", "x");
  watch("shop/p", "shop/a");
  start();
  detector.forget("shop/p");
  secrets->forget_calls();
  clock.advance(kHour * 30);
  clock.await_waiters(1);
  EXPECT_TRUE(secrets->calls().empty());
}

}  // namespace
}  // namespace keyturn::rotation
