// astraToken: what is revoked, what is not, and what is only told.
#include "lib/engine/strategies/mark.h"
#include "tests/unit/strategies/astra_fixture.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

TEST_F(AstraTokenTest, ARetirementAsksDirectlyBeforeItRevokes) {
  const SecretString next = made();
  bool asked = false;
  const auto kept = strategy->retire(context(first), text(original()), next, [&] {
    asked = true;
    return false;
  });
  EXPECT_TRUE(asked);
  EXPECT_EQ(kept.error().cls, ErrorClass::Conflict);
  EXPECT_TRUE(there(old));
  EXPECT_TRUE(strategy->retire(context(first), text(original()), next, yes).ok());
  EXPECT_FALSE(there(old));
  EXPECT_TRUE(strategy->retire(context(first), text(original()), next, yes).ok());  // absent
}

TEST_F(AstraTokenTest, NotFoundCountsOnlyWhereTheListAgrees) {
  const SecretString next = made();
  answer_with("DELETE", "/v2/", 404, "nothing here");
  const auto revoked = strategy->retire(context(first), text(original()), next, yes);
  EXPECT_EQ(revoked.error().code, "StillListed");
  EXPECT_EQ(revoked.error().cls, ErrorClass::Transient);
  // A list that lacks the asker is nobody's.
  answer_with("GET", "/v2/clientIdSecrets", 200, R"({"clients":[]})");
  EXPECT_EQ(strategy->retire(context(first), text(original()), next, yes).error().code,
            "NothingVisible");
  answer_with("GET", "/v2/clientIdSecrets", 404, "page not found");
  EXPECT_EQ(strategy->retire(context(first), text(original()), next, yes).error().cls,
            ErrorClass::Invalid);
  EXPECT_TRUE(there(old));
}

TEST_F(AstraTokenTest, EitherStatusOfADeletionIsSuccess) {
  const SecretString next = made();
  api.behave("shop", {.delete_status = 204});
  EXPECT_TRUE(strategy->retire(context(first), text(original()), next, yes).ok());
  EXPECT_FALSE(there(old));
}

TEST_F(AstraTokenTest, WhatIsAnothersIsNotRevoked) {
  const SecretString next = made();
  const auto others = api.add_client(
      "shop", {"Reader"}, "[keyturn arn:aws:secretsmanager:eu-west-1:1:secret:b-AbCdEf#v]", "");
  EXPECT_EQ(
      strategy->retire(context(first), text(value_of(others, root_arn)), next, yes).error().code,
      "TokenOfAnotherSecret");
  EXPECT_EQ(
      strategy->retire(context(first), text(value_of(root, root_arn)), next, yes).error().code,
      "RootRevokesItself");
  EXPECT_EQ(writes(), 1u);  // that of made()
}

TEST_F(AstraTokenTest, AnAttemptsClientIsRevokedByItsMarkAlone) {
  const SecretString next = made("v1");
  const auto minted = client(json_of(next).at("clientID"));
  ASSERT_TRUE(minted);
  EXPECT_TRUE(strategy->abandon(context("v2"), next, yes).ok());
  EXPECT_TRUE(there(*minted));  // made for another version
  EXPECT_FALSE(strategy->abandon(context("v1"), next, [] { return false; }).ok());
  EXPECT_TRUE(there(*minted));
  EXPECT_TRUE(strategy->abandon(context("v1"), next, yes).ok());
  EXPECT_FALSE(there(*minted));
  EXPECT_TRUE(strategy->abandon(context("v1"), next, yes).ok());
  EXPECT_TRUE(strategy->abandon(context("v1"), SecretString("a person's"), yes).ok());
  const auto named = add("Reader", "a person's", "");
  EXPECT_TRUE(strategy->abandon(context("v1"), text(value_of(named, root_arn)), yes).ok());
  EXPECT_TRUE(there(named));
}

TEST_F(AstraTokenTest, WithoutAMarkThatIsToldAndNothingIsRevoked) {
  for (const char* description : {"", "orders [keyturn arn:aws:secretsm"}) {
    const auto bare = add("Reader", description, "");
    const auto told = strategy->abandon(context("v1"), text(value_of(bare, root_arn)), yes);
    EXPECT_EQ(told.error().code, kNoMark);
    EXPECT_NE(told.error().message.find("by hand"), std::string::npos);
    EXPECT_TRUE(there(bare));
  }
}

TEST_F(AstraTokenTest, ARejectedAttemptWithoutAMarkEndsAndIsTold) {
  api.behave("shop", {.drops_descriptions = true});
  fault = [this](const http::Request& request, When when) -> std::optional<Reply> {
    const auto* token = http::find_header(request.headers, "Authorization");
    const bool mine = when == When::Before && request.url.ends_with("/currentOrg") &&
                      token->find(root.id) == std::string::npos;
    return mine ? std::optional(Reply::of(401, "no")) : std::nullopt;
  };
  auto end = events.end();
  for (int pass = 0; pass < 12 && end == events.end(); ++pass) {
    one_pass();
    end = std::find(events.begin(), events.end(), "Abandoned");
  }
  ASSERT_NE(end, events.end());
  const std::string& said = notes.at(static_cast<std::size_t>(end - events.begin()));
  EXPECT_NE(said.find("carries no mark"), std::string::npos) << said;
  EXPECT_FALSE(moved());
  EXPECT_TRUE(there(old));
}

TEST_F(AstraTokenTest, LeftoversAreThoseOfThisSecretAndOfItsFormerOne) {
  const SecretString next = made("v1");
  const std::string former = arn.substr(0, arn.size() - 6) + "ZyXwVu";
  (void)add("Reader", Description{"", Mark{former, "v0", ""}}.write(), "");
  (void)add();
  const auto left = strategy->leftovers(context(first), text(original()));
  ASSERT_TRUE(left.ok());
  ASSERT_EQ(left->size(), 2u);
  for (const Leftover& one : *left) {
    EXPECT_FALSE(one.doubtful);
    EXPECT_TRUE(one.created);
    EXPECT_EQ(one.former, one.version_id == "v0");
    const bool may = strategy->revoke_leftover(context(one.version_id), one, text(original())).ok();
    EXPECT_EQ(may, !one.former);
    EXPECT_EQ(strategy->is_leftover(one, next), !one.former);
  }
  EXPECT_FALSE(client(json_of(next).at("clientID")));
}

}  // namespace
}  // namespace keyturn::engine
