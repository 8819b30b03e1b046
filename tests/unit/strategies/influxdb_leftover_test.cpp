// What influxdbToken takes for a leftover of its own.
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class InfluxdbLeftover : public InfluxTest {};

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

}  // namespace
}  // namespace keyturn::engine
