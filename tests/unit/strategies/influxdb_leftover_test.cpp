// What influxdbToken takes for a leftover of its own.
#include "lib/engine/engine.h"
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class InfluxdbLeftover : public InfluxTest {};
using InfluxdbMinted = InfluxEngineTest;

// The put came too late to be sent; so would be a deletion that kept to the same deadline.
TEST_F(InfluxdbMinted, WhatWasMintedForAPutThatCameTooLateIsDeleted) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  first = secrets.holder(arn, "AWSCURRENT");
  secrets.set_fault([this](const keyturn::testing::FakeSecretsManager::Call& call,
                           keyturn::testing::FakeSecretsManager::When) -> std::optional<Error> {
    if (call.operation != "PutSecretValue") return std::nullopt;
    clock.advance(Timing{}.view_age() + Duration(1));
    return make_error(ErrorClass::Unavailable, "ViewTooOld", "not sent");
  });
  one_pass();
  EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
  EXPECT_EQ(influx.auths.size(), 1u);
}

// Found by the simulation: the person's new token stood beside the id of one that Keyturn had made.
TEST_F(InfluxdbLeftover, AnIdLeftBesideAnotherTokenHidesNoLeftover) {
  influx.add(kOldToken, Influx::kShop, narrow());
  store(original());
  const auto made = strategy->create(context("v-2"), text(original()));
  ASSERT_TRUE(made.ok());
  json saved = json_of(*made);
  const std::string id = saved["authorizationId"];
  saved["token"] = "a-token-of-their-own==";
  influx.add("a-token-of-their-own==", Influx::kShop, narrow());
  const auto left = strategy->leftovers(context("person"), text(saved));
  ASSERT_TRUE(left.ok());
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ(left->at(0).backend_id, id);
  EXPECT_FALSE(strategy->is_leftover(left->at(0), text(saved)));
  EXPECT_TRUE(strategy->is_leftover(left->at(0), *made));
  influx.hides_values = true;  // then the id is all there is: in doubt it is held
  use({});
  const auto hidden = strategy->leftovers(context("person"), text(saved));
  ASSERT_TRUE(hidden.ok());
  EXPECT_TRUE(hidden->empty());
}

// The secret was deleted and made anew: another six characters at the end of its ARN.
TEST_F(InfluxdbLeftover, WhatAFormerSecretOfThatNameMadeIsToldAndStays) {
  store(original());
  influx.add(kOldToken, Influx::kShop, narrow());
  const std::string former = arn.substr(0, arn.size() - 6) + "FoRmEr";
  const std::string id =
      influx.add("former", Influx::kShop, narrow(), "[keyturn " + former + "#v-9]");
  influx.add("other", Influx::kShop, narrow(),
             "[keyturn arn:aws:secretsmanager:eu-west-1:123456789012:secret:another-AbCdEf#v-9]");
  clock.advance(Duration(7'200'000));
  const auto left = strategy->leftovers(context("v-2"), text(original()));
  ASSERT_TRUE(left.ok());
  ASSERT_EQ(left->size(), 1u);
  EXPECT_TRUE(left->at(0).former);
  EXPECT_FALSE(strategy->revoke_leftover(context("v-2"), left->at(0), text(original())).ok());

  Memory memory;
  const Engine engine({secrets, *strategy, memory, clock, rng, Timing{}});
  Pass pass;
  auto view = engine.look(arn);
  ASSERT_TRUE(view.ok());
  const Situation situation{.retire = true, .clean_up = true};
  const StepResult done = engine.perform(*view, engine.decide(*view, situation), situation, pass);
  EXPECT_EQ(done.event, Event::CleanedUp);
  EXPECT_NE(done.note.find(id), std::string::npos) << done.note;
  EXPECT_NE(influx.find(id), nullptr);
}

}  // namespace
}  // namespace keyturn::engine
