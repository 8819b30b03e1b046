// The weaknesses of the rotation function that AWS publishes for InfluxDB tokens, one by one: the
// real engine with the real strategy, where the original's order of steps would fail.
#include <algorithm>

#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class OriginalsWeakness : public InfluxEngineTest {
 protected:
  void begin(const json& value, const char* owner = Influx::kShop, const json& permissions = {},
             const std::string& description = "") {
    store(value);
    first = secrets.holder(arn, "AWSCURRENT");
    if (value.value("token", "").empty()) return;
    influx.add(kOldToken, owner, permissions.is_null() ? narrow() : permissions, description);
  }
  // One token, that of the current version.
  void expect_only_the_current_one() {
    ASSERT_TRUE(moved()) << last;
    ASSERT_EQ(influx.auths.size(), 1u) << last;
    EXPECT_EQ(influx.auths[0].token, current().at("token"));
    EXPECT_TRUE(influx.auths[0].active);
    EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
    EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
  }
};

// Pods of big namespaces are many.
TEST_F(OriginalsWeakness, Two_ALongLookAtReadersLeavesNoTokenInactive) {
  begin(original());
  int looks = 0;
  gate_still_open = [&] {
    ++looks;
    clock.advance(Duration(25'000));
    return true;
  };
  for (int pass = 0; pass < 60 && one_pass(); ++pass) {
    const bool there = std::any_of(influx.auths.begin(), influx.auths.end(),
                                   [](const auto& a) { return a.token == kOldToken; });
    EXPECT_EQ(influx.accepts(kOldToken), there) << "inactive after pass " << pass;
  }
  EXPECT_EQ(looks, 2);
  expect_only_the_current_one();
}

TEST_F(OriginalsWeakness, Two_WhatChangesDuringALongLookIsSeen) {
  begin(original());
  int looks = 0;
  gate_still_open = [&] {
    clock.advance(Duration(25'000));
    if (looks++ == 0) secrets.move_label(arn, "AWSCURRENT", first);  // a person goes back
    return true;
  };
  for (int pass = 0; pass < 60 && looks == 0; ++pass) one_pass();
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(influx.accepts(kOldToken));
  for (const auto& line : influx.log) EXPECT_FALSE(line.starts_with("PATCH")) << line;
}

TEST_F(OriginalsWeakness, One_ACrashBetweenMintAndPutLeavesNoOrphanForEver) {
  for (const bool hides : {false, true}) {
    SCOPED_TRACE(hides);
    influx.auths.clear();
    influx.hides_values = hides;
    secret_suffix = hides ? "-hidden" : "";
    begin(original());
    secrets.set_fault([this](const auto& call, auto when) -> std::optional<Error> {
      if (call.operation != "PutSecretValue" ||
          when != keyturn::testing::FakeSecretsManager::When::Before)
        return std::nullopt;
      secrets.set_fault(nullptr);
      return make_error(ErrorClass::Transient, "Reset", "the process died here");
    });
    run();
    ASSERT_TRUE(moved()) << last;
    EXPECT_TRUE(std::any_of(influx.auths.begin(), influx.auths.end(), [&](const auto& a) {
      return a.token != current().at("token");
    })) << "the orphan of the first try";
    clock.advance(Duration(4'000'000));  // it is old enough now
    clean_up = true;
    run();
    expect_only_the_current_one();
  }
}

TEST_F(OriginalsWeakness, Two_ACrashAfterTheLabelMoveStillDeletesTheOldToken) {
  begin(original());
  gate_open = false;
  run();  // current has moved; this process ends here
  ASSERT_TRUE(moved()) << last;
  ASSERT_TRUE(influx.accepts(kOldToken));
  gate_open = true;
  run();
  expect_only_the_current_one();
}

TEST_F(OriginalsWeakness, Two_ATokenThatIsGoneAlreadyIsNoFailure) {
  begin(original());
  gate_open = false;
  run();
  std::erase_if(influx.auths, [](const auto& a) { return a.token == kOldToken; });
  gate_open = true;
  run();
  expect_only_the_current_one();
}

TEST_F(OriginalsWeakness, Three_TheOldTokenWorksUntilNobodyCanHoldIt) {
  begin(original());
  gate_open = false;
  for (int pass = 0; pass < 20; ++pass) {
    one_pass();
    clock.advance(Duration(3'600'000));
    ASSERT_TRUE(influx.accepts(kOldToken));
  }
  ASSERT_TRUE(moved());
  EXPECT_TRUE(influx.accepts(current().at("token")));
  gate_open = true;
  run();
  expect_only_the_current_one();
}

TEST_F(OriginalsWeakness, Four_TheTokenOfAnotherUserStaysThatUsers) {
  begin(original(), Influx::kShop);
  run();
  expect_only_the_current_one();
  EXPECT_EQ(influx.auths[0].user_id, Influx::kShop);
}

TEST_F(OriginalsWeakness, Four_ARejectedTestLeavesNothingPendingAndNothingMinted) {
  begin(original());
  influx.fault = [this](const http::Request& r,
                        Influx::When when) -> std::optional<testing::Reply> {
    const bool minted =
        when == Influx::When::After && r.method == "POST" && r.url.ends_with("/authorizations");
    if (minted) influx.auths.back().user_id = Influx::kAdmin;  // as the original's would be
    return std::nullopt;
  };
  const json before = current();
  for (int pass = 0; pass < 8; ++pass) one_pass();
  influx.fault = nullptr;
  EXPECT_FALSE(moved());
  EXPECT_EQ(current(), before);
  EXPECT_TRUE(influx.accepts(kOldToken));
  run();
  expect_only_the_current_one();
}

TEST_F(OriginalsWeakness, Five_TheDescriptionAndCapitalLettersSurvive) {
  begin(original(), Influx::kShop, {}, "orders, team shop");
  run();
  expect_only_the_current_one();
  EXPECT_TRUE(influx.auths[0].description.starts_with("orders, team shop [keyturn "));
  EXPECT_EQ(influx.auths[0].permissions, narrow());  // with notificationRules in it
  json value = original();
  value["token"] = "";
  value["permissions"] = {"read-notificationRules", "write-tasks"};
  use({{"allowCreate", true}});
  EXPECT_TRUE(strategy->recognise(text(value)).ok());
}

TEST_F(OriginalsWeakness, Six_ACustomTokenGetsTheNamedBucketsAndNoOthers) {
  json value = original();
  value["token"] = "";
  value["readBuckets"] = {"00000000000000b1"};
  value["writeBuckets"] = {"00000000000000b2"};
  value["permissions"] = {"write-tasks"};
  options = {{"allowCreate", true}};
  begin(value);
  run();
  expect_only_the_current_one();
  EXPECT_EQ(influx.auths[0].permissions,
            (json{Influx::permission("read", "buckets", "00000000000000b1", Influx::kOrg),
                  Influx::permission("write", "buckets", "00000000000000b2", Influx::kOrg),
                  Influx::permission("write", "tasks", "", Influx::kOrg)}));
}

TEST_F(OriginalsWeakness, Six_NamesInPlaceOfIdsAreRefused) {
  json value = original();
  value["token"] = "";
  value["readBuckets"] = {"orders"};
  use({{"allowCreate", true}});
  EXPECT_EQ(strategy->recognise(text(value)).error().code, "BadPermission");
}

TEST_F(OriginalsWeakness, Seven_AServerThatHidesValuesIsNoObstacle) {
  influx.hides_values = true;
  influx.add("admins-own", Influx::kAdmin, Influx::everything(Influx::kOrg));
  begin(original());  // in the original's format: without an id
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(influx.accepts(kOldToken));
  EXPECT_EQ(influx.auths.size(), 2u);
  EXPECT_NE(influx.with_token("admins-own"), nullptr);
  // And again, by the id that is in the secret now.
  first = secrets.holder(arn, "AWSCURRENT");
  clock.advance(Duration(86'400'000));
  const std::string before = current().at("token");
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(influx.accepts(before));
  EXPECT_TRUE(influx.accepts(current().at("token")));
  EXPECT_EQ(influx.auths.size(), 2u);
}

TEST_F(OriginalsWeakness, Seven_WhatCannotBeToldIsNotGuessed) {
  influx.hides_values = true;
  influx.add("twin", Influx::kShop, narrow());
  begin(original());
  run();
  EXPECT_FALSE(moved());
  EXPECT_EQ(writes(), 0u);
  EXPECT_NE(last.find("store it in the secret as authorizationId"), std::string::npos) << last;
  json told = original();
  told["authorizationId"] = influx.with_token(kOldToken)->id;
  secrets.put_as_person(arn, told.dump());
  first = secrets.holder(arn, "AWSCURRENT");
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(influx.accepts(kOldToken));
  EXPECT_TRUE(influx.accepts("twin"));
}

TEST_F(OriginalsWeakness, Seven_ATokenThatMayAskWhoseItIsIsFoundByItsUser) {
  influx.hides_values = true;
  json own = narrow();
  own.push_back(Influx::permission("read", "users", Influx::kShop));
  influx.add("another user's", Influx::kAdmin, Influx::everything(Influx::kOrg));
  influx.add("may not ask", Influx::kShop, narrow());
  begin(original(), Influx::kShop, own);
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(influx.accepts(kOldToken));
  EXPECT_TRUE(influx.accepts("another user's"));
  EXPECT_TRUE(influx.accepts("may not ask"));
}

TEST_F(OriginalsWeakness, Seven_WhatWasReplacedIsKnownByTheMark) {
  influx.hides_values = true;
  begin(original());
  gate_open = false;
  run();
  ASSERT_TRUE(moved()) << last;
  influx.add("twin", Influx::kShop, narrow());  // since then: by itself it could not be told
  gate_open = true;
  run();
  EXPECT_FALSE(influx.accepts(kOldToken));
  EXPECT_TRUE(influx.accepts("twin"));
  EXPECT_TRUE(influx.accepts(current().at("token")));
}

TEST_F(OriginalsWeakness, SevenAndOne_AnOrphanOfOursDoesNotBlurWhichTokenIsTheSecrets) {
  influx.hides_values = true;
  begin(original());
  influx.add("orphan", Influx::kShop, narrow(), "[keyturn " + arn + "#attempt]");
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(influx.accepts(kOldToken));
}

TEST_F(OriginalsWeakness, ARollbackMakesTheOldTokenCurrentAndRevokesTheNew) {
  begin(original());
  gate_open = false;
  run();
  ASSERT_TRUE(moved());
  const std::string failed = current().at("token");
  use(options);
  const Engine engine({secrets, *strategy, *memory, clock, rng, Timing{}});
  gate_open = true;
  for (int pass_no = 0; pass_no < 40; ++pass_no) {
    Pass pass;
    auto view = engine.look(arn);
    ASSERT_TRUE(view.ok());
    bool more = true;
    for (int turn = 0; turn < 30 && more; ++turn) {
      Situation situation{.retire = true};
      if (current().at("token") == failed) {
        situation.permit = next_version(*view);
        situation.rollback = true;
      }
      const auto result = engine.perform(*view, engine.decide(*view, situation), situation, pass);
      more = result.kind == StepResult::Kind::Progress;
      if (result.kind == StepResult::Kind::After) clock.advance(result.delay);
    }
  }
  EXPECT_EQ(current().at("token"), kOldToken);
  EXPECT_TRUE(influx.accepts(kOldToken));
  EXPECT_FALSE(influx.accepts(failed));
  EXPECT_EQ(influx.auths.size(), 1u);
}

TEST_F(OriginalsWeakness, ARotationCostsFewAwsCalls) {
  begin(original());
  gate_open = false;
  run();
  const std::size_t until_moved = secrets.calls().size();
  RecordProperty("aws_calls_until_current_moved", static_cast<int>(until_moved));
  EXPECT_LE(until_moved, 14u);
}

}  // namespace
}  // namespace keyturn::engine
