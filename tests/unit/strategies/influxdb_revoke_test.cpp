// influxdbToken: what takes tokens away, and what must not.
#include "lib/engine/labels.h"
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

class InfluxdbRevoke : public InfluxTest {
 protected:
  void SetUp() override {
    store(original());
    old_id = influx.add(kOldToken, Influx::kShop, narrow(), "orders service");
    first = secrets.holder(arn, "AWSCURRENT");
    second = successor_id(arn, first, "");
    auto made = strategy->create(context(second), text(original()));
    ASSERT_TRUE(made.ok()) << made.error().message;
    next = std::move(made).value();
    new_id = json_of(next).at("authorizationId");
    influx.log.clear();
  }

  // Confirms until the n-th time (from 1).
  std::function<bool()> until(int n) {
    return [this, n] {
      influx.log.push_back("confirm");
      return ++asked < n;
    };
  }
  std::vector<std::string> steps() const {  // what takes away, and the looks between
    std::vector<std::string> out;
    for (const auto& line : influx.log) {
      const bool counts =
          line == "confirm" || line.starts_with("PATCH") || line.starts_with("DELETE");
      if (counts) out.push_back(line.substr(0, line.find(' ')));
    }
    return out;
  }
  Influx::Fault lose_answer(const std::string& method) {
    return [method](const http::Request& r, Influx::When when) -> std::optional<testing::Reply> {
      if (when != Influx::When::After || r.method != method) return std::nullopt;
      return testing::Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer"));
    };
  }
  using Steps = std::vector<std::string>;

  SecretString next;
  std::string old_id, new_id, first, second;
  int asked = 0;
};

TEST_F(InfluxdbRevoke, RetiresSoftlyLookingAgainBeforeEachStep) {
  ASSERT_TRUE(strategy->retire(context(first), text(original()), next, until(9)).ok());
  EXPECT_EQ(steps(), (Steps{"confirm", "PATCH", "confirm", "DELETE"}));
  EXPECT_EQ(influx.find(old_id), nullptr);
  EXPECT_NE(influx.find(new_id), nullptr);
  // Absent is success.
  EXPECT_TRUE(strategy->retire(context(first), text(original()), next, until(9)).ok());
}

TEST_F(InfluxdbRevoke, AChangeBeforeTheFirstStepChangesNothing) {
  const auto kept = strategy->retire(context(first), text(original()), next, until(1));
  EXPECT_EQ(kept.error().cls, ErrorClass::Conflict);
  EXPECT_EQ(steps(), Steps{"confirm"});
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_F(InfluxdbRevoke, AChangeBetweenTheStepsGivesTheTokenBack) {
  const auto kept = strategy->retire(context(first), text(original()), next, until(2));
  EXPECT_EQ(kept.error().cls, ErrorClass::Conflict);
  EXPECT_EQ(steps(), (Steps{"confirm", "PATCH", "confirm", "PATCH"}));
  EXPECT_TRUE(influx.accepts(kOldToken));
  EXPECT_EQ(influx.find(old_id)->description, "orders service");
}

TEST_F(InfluxdbRevoke, ALostAnswerIsGoneOnFrom) {
  for (const char* method : {"PATCH", "DELETE"}) {
    influx.fault = lose_answer(method);
    const auto lost = strategy->retire(context(first), text(original()), next, yes);
    EXPECT_EQ(lost.error().cls, ErrorClass::Transient) << method;
    influx.fault = nullptr;
  }
  EXPECT_TRUE(strategy->retire(context(first), text(original()), next, yes).ok());
  EXPECT_EQ(influx.find(old_id), nullptr);
}

TEST_F(InfluxdbRevoke, WhatACrashLeftInactiveIsGivenBackWhenSomethingChanged) {
  influx.fault = lose_answer("PATCH");
  ASSERT_FALSE(strategy->retire(context(first), text(original()), next, yes).ok());
  influx.fault = nullptr;
  EXPECT_FALSE(influx.find(old_id)->active);
  const auto kept = strategy->retire(context(first), text(original()), next, until(1));
  EXPECT_EQ(kept.error().cls, ErrorClass::Conflict);
  EXPECT_TRUE(influx.find(old_id)->active);
}

TEST_F(InfluxdbRevoke, WhatAPersonSetInactiveIsNotSetActive) {
  influx.find(old_id)->active = false;
  const auto kept = strategy->retire(context(first), text(original()), next, until(1));
  EXPECT_EQ(kept.error().cls, ErrorClass::Conflict);
  EXPECT_FALSE(influx.find(old_id)->active);
  EXPECT_TRUE(strategy->retire(context(first), text(original()), next, yes).ok());
  EXPECT_EQ(influx.find(old_id), nullptr);
}

TEST_F(InfluxdbRevoke, ATokenThatBecameCurrentAgainAfterACrashWorksAgain) {
  influx.fault = lose_answer("PATCH");
  ASSERT_FALSE(strategy->retire(context(first), text(original()), next, yes).ok());
  influx.fault = nullptr;
  ASSERT_FALSE(influx.accepts(kOldToken));
  const auto left = strategy->leftovers(context(first), text(original()));
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
  for (const Leftover& one : *left) EXPECT_NE(one.backend_id, old_id);
}

TEST_F(InfluxdbRevoke, ARenamedOrganisationIsNotTakenForARevokedToken) {
  influx.hides_values = false;
  influx.org_name = "renamed";
  json unmarked = json_of(next);
  influx.find(new_id)->description = "";  // so that the list must be asked
  const auto kept = strategy->retire(context(first), text(original()), next, yes);
  EXPECT_EQ(kept.error().code, "NoSuchOrg");
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_F(InfluxdbRevoke, OnlyInfluxDbItselfMaySayThatATokenIsGone) {
  influx.fault = [](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
    if (r.url.find("/authorizations/") == std::string::npos) return std::nullopt;
    return testing::Reply::of(404, "<html>no such page</html>");
  };
  EXPECT_FALSE(strategy->retire(context(first), text(original()), next, yes).ok());
}

TEST_F(InfluxdbRevoke, ATokenOfAnotherSecretStays) {
  influx.find(old_id)->description =
      "[keyturn arn:aws:secretsmanager:eu-west-1:123456789012:secret:reports/x-QwErTy#v-9]";
  EXPECT_EQ(strategy->retire(context(first), text(original()), next, yes).error().code,
            "TokenOfAnotherSecret");
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_F(InfluxdbRevoke, AStaleIdIsNotBelievedWhereTheServerShowsValues) {
  json by_hand = original();
  by_hand["authorizationId"] = new_id;  // somebody put the old token beside the new id
  ASSERT_TRUE(strategy->retire(context(first), text(by_hand), next, yes).ok());
  EXPECT_EQ(influx.find(old_id), nullptr);
  EXPECT_NE(influx.find(new_id), nullptr);
}

TEST_F(InfluxdbRevoke, AbandonsOnlyWhatWasMintedForThatVersion) {
  ASSERT_TRUE(strategy->abandon(context("another-version"), next, yes).ok());
  EXPECT_NE(influx.find(new_id), nullptr);
  // A rollback's pending value holds the old token, which was not minted for it.
  const auto back = strategy->carry(text(original()), next);
  ASSERT_TRUE(strategy->abandon(context("v-3"), *back, yes).ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
  EXPECT_EQ(strategy->abandon(context(second), next, until(2)).error().cls, ErrorClass::Conflict);
  EXPECT_TRUE(influx.find(new_id)->active);
  ASSERT_TRUE(strategy->abandon(context(second), next, yes).ok());
  EXPECT_EQ(influx.find(new_id), nullptr);
  EXPECT_TRUE(strategy->abandon(context(second), next, yes).ok());
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_F(InfluxdbRevoke, ASingleUsersAttemptIsAbandonedByTheCurrentToken) {
  influx.auths.clear();
  json value = original("operator");
  value.erase("adminSecretArn");
  store(value);
  influx.add(kOldToken, Influx::kAdmin, Influx::everything());
  const auto made = strategy->create(context(second), text(value));
  ASSERT_TRUE(made.ok()) << made.error().message;
  ASSERT_TRUE(strategy->abandon(context(second), *made, yes).ok());
  EXPECT_EQ(influx.auths.size(), 1u);
  EXPECT_TRUE(influx.accepts(kOldToken));
}

TEST_F(InfluxdbRevoke, DiscardsWhatLostTheRace) {
  ASSERT_TRUE(strategy->discard(context(second), next).ok());
  EXPECT_EQ(influx.find(new_id), nullptr);
  EXPECT_TRUE(strategy->discard(context(second), next).ok());
}

TEST_F(InfluxdbRevoke, LeftoversAreWhatCarriesOurMarkAndIsNotHeld) {
  for (const bool hides : {false, true}) {
    SCOPED_TRACE(hides);
    influx.hides_values = hides;
    use({});
    const std::string orphan = influx.add("orphan" + std::to_string(hides), Influx::kShop, narrow(),
                                          "[keyturn " + arn + "#attempt replaces " + old_id + "]");
    influx.add("stranger", Influx::kShop, narrow(),
               "[keyturn arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf#attempt]");
    influx.add("person", Influx::kShop, narrow(), "not a [keyturn mark]");
    const auto left = strategy->leftovers(context(second), next);
    ASSERT_TRUE(left.ok());
    ASSERT_EQ(left->size(), 1u);
    EXPECT_EQ(left->at(0).backend_id, orphan);
    EXPECT_EQ(left->at(0).version_id, "attempt");
    EXPECT_TRUE(left->at(0).created.has_value());
    EXPECT_FALSE(strategy->is_leftover(left->at(0), next));
    // The value before has no id; but the orphan was made to replace it, as the current one was.
    EXPECT_FALSE(strategy->is_leftover(left->at(0), text(original())));
    EXPECT_TRUE(strategy->revoke_leftover(context("attempt"), left->at(0), next).ok());
    EXPECT_TRUE(strategy->revoke_leftover(context("attempt"), left->at(0), next).ok());
    EXPECT_EQ(influx.find(orphan), nullptr);
  }
}

TEST_F(InfluxdbRevoke, WhatAValueWithoutAnIdMayHoldIsLeftAlone) {
  influx.hides_values = true;
  const std::string older = influx.add("older", Influx::kShop, narrow(),
                                       "[keyturn " + arn + "#attempt replaces 0000000000000001]");
  const auto left = strategy->leftovers(context(second), next);
  ASSERT_TRUE(left.ok());
  ASSERT_EQ(left->size(), 1u);
  EXPECT_TRUE(strategy->is_leftover(left->at(0), text(original())));
}

TEST_F(InfluxdbRevoke, TheCurrentTokenIsNoLeftoverEvenWithoutItsId) {
  json value = json_of(next);
  value.erase("authorizationId");  // a person wrote the secret anew
  for (const bool hides : {false, true}) {
    influx.hides_values = hides;
    use({});
    const auto left = strategy->leftovers(context(second), text(value));
    ASSERT_TRUE(left.ok());
    EXPECT_TRUE(left->empty());
    const Leftover claimed{new_id, second, clock.now()};
    EXPECT_FALSE(strategy->revoke_leftover(context(second), claimed, text(value)).ok());
  }
  EXPECT_NE(influx.find(new_id), nullptr);
}

TEST_F(InfluxdbRevoke, NothingIsTakenAwayAfterTheDeadline) {
  const StepContext late = context(first);
  const auto slow = [&] {
    clock.advance(Duration(31'000));
    return true;
  };
  EXPECT_EQ(strategy->retire(late, text(original()), next, slow).error().code, "ViewTooOld");
  EXPECT_TRUE(influx.accepts(kOldToken));
}

}  // namespace
}  // namespace keyturn::engine
