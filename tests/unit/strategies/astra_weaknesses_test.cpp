// The weaknesses of the rotation function that went before, one by one: the real engine with the
// real strategy, where that function's order of steps would fail.
#include "lib/base/text.h"
#include "lib/engine/strategies/mark.h"
#include "tests/unit/strategies/astra_fixture.h"

namespace keyturn::engine {
namespace {

using keyturn::testing::FakeSecretsManager;
using nlohmann::json;

class OriginalsAstraWeakness : public AstraTest {
 protected:
  // The put of the next version dies, as a process would.
  void die_before_the_put() {
    secrets.set_fault([this](const auto& call, auto when) -> std::optional<Error> {
      if (call.operation != "PutSecretValue" || when != FakeSecretsManager::When::Before)
        return std::nullopt;
      secrets.set_fault(nullptr);
      return make_error(ErrorClass::Transient, "Reset", "the process died here");
    });
  }
};

// It deleted the old client, and then moved AWSCURRENT: until then every reader held a dead key.
TEST_F(OriginalsAstraWeakness, DeleteBeforeTheMove) {
  store(original());
  gate_open = false;
  bool worked = true, gone_early = false;
  fault = [&](const http::Request& request, When when) -> std::optional<Reply> {
    if (when == When::Before && request.method == "DELETE") gone_early = !moved();
    return std::nullopt;
  };
  for (int pass = 0; pass < 20; ++pass) {
    one_pass();
    clock.advance(Duration(3'600'000));
    worked = worked && accepts(current().at("astraKey")) && accepts(old.token);
  }
  EXPECT_TRUE(worked);
  ASSERT_TRUE(moved()) << last;
  gate_open = true;
  run();
  EXPECT_FALSE(gone_early);
  expect_only_the_current_one();
}

// The move failed after the DELETE: the retry's DELETE failed, and the secret stuck with a dead
// key.
TEST_F(OriginalsAstraWeakness, AFailedMoveSticks) {
  store(original());
  int failed = 0;
  secrets.set_fault([&](const auto& call, auto when) -> std::optional<Error> {
    const bool move = call.operation == "UpdateSecretVersionStage" && call.stage == "AWSCURRENT";
    if (!move || when != FakeSecretsManager::When::Before || failed == 3) return std::nullopt;
    ++failed;
    EXPECT_TRUE(there(old));
    return make_error(ErrorClass::Transient, "InternalServiceError", "not now");
  });
  run();
  EXPECT_EQ(failed, 3);
  expect_only_the_current_one();
}

// Whatever a POST was answered with went into the secret.
TEST_F(OriginalsAstraWeakness, TheAnswerToThePostIsNotLookedAt) {
  const auto other = add();
  const struct {
    const char* what;
    int status;
    json body;
  } answers[] = {
      {"refused", 403, {{"errors", {{{"ID", 1}, {"message", "no"}}}}}},
      {"bad", 422, {{"errors", {{{"ID", 1}, {"message", "unknown role"}}}}}},
      {"failed", 500, json::object()},
      {"nothing", 200, json::object()},
      {"no token", 200, {{"clientId", other.id}, {"secret", other.secret}}},
      {"no secret", 200, {{"clientId", other.id}, {"token", other.token}}},
      {"another's token",
       200,
       {{"clientId", "other"}, {"secret", other.secret}, {"token", other.token}}},
      {"another's secret", 200, {{"clientId", other.id}, {"secret", "x"}, {"token", other.token}}},
      {"the old client", 200, {{"clientId", old.id}, {"secret", old.secret}, {"token", old.token}}},
  };
  store(original());
  for (const auto& one : answers) {
    SCOPED_TRACE(one.what);
    fault = [&](const http::Request& request, When) -> std::optional<Reply> {
      if (request.method != "POST") return std::nullopt;
      return Reply::of(one.status, one.body.dump());
    };
    for (int pass = 0; pass < 3; ++pass) one_pass();
    EXPECT_EQ(current(), original());
    EXPECT_EQ(secrets.secret(arn).versions.size(), 1u);
    EXPECT_TRUE(accepts(old.token));
    EXPECT_EQ(last.find(old.token), std::string::npos);
  }
  EXPECT_TRUE(there(other));
}

// A client that was not in the list crashed it.
TEST_F(OriginalsAstraWeakness, AMissingClientCrashes) {
  store(original());
  gate_open = false;
  run();
  ASSERT_TRUE(moved()) << last;
  api.remove_client("shop", old.id);  // by a person, before we do
  gate_open = true;
  run();
  expect_only_the_current_one();

  api.remove_client("shop", current().at("clientID"));
  first = secrets.holder(arn, "AWSCURRENT");
  clock.advance(Duration(86'400'000));
  log.clear();
  run();
  EXPECT_EQ(refused, "ClientNotFound");
  EXPECT_FALSE(moved());
  EXPECT_EQ(
      std::count_if(log.begin(), log.end(), [](const auto& l) { return !l.starts_with("GET"); }),
      0);
}

// A crash after the POST left a client for ever.
TEST_F(OriginalsAstraWeakness, ACrashAfterThePostOrphans) {
  store(original());
  die_before_the_put();
  run();
  ASSERT_TRUE(moved()) << last;
  ASSERT_EQ(strays().size(), 1u);
  clock.advance(Duration(4'000'000));  // it is old enough now
  clean_up = true;
  run();
  expect_only_the_current_one();
}

// The same where the server drops descriptions: told, and never guessed at.
TEST_F(OriginalsAstraWeakness, ACrashAfterThePostOrphansUnmarked) {
  api.behave("shop", {.drops_descriptions = true});
  (void)add();                                 // looks just like one of ours
  const auto named = add("Reader", "ci", "");  // cannot be ours
  store(original());
  die_before_the_put();
  run();
  ASSERT_TRUE(moved()) << last;
  EXPECT_FALSE(there(old));
  const auto before = strays();
  ASSERT_EQ(before.size(), 3u);
  clock.advance(Duration(4'000'000));
  clean_up = true;
  run();
  EXPECT_EQ(strays(), before);
  ASSERT_EQ(events.back(), "CleanedUp");
  const std::string told = notes.back();
  for (const auto& id : before)
    EXPECT_EQ(told.find(lower_ascii(id)) != std::string::npos, id != named.id) << told;
  EXPECT_NE(told.find("by hand"), std::string::npos);
}

// The root deleted the key that it authenticated with, and had none to go on with.
TEST_F(OriginalsAstraWeakness, TheRootDeletesItsOwnKey) {
  for (const bool by_arn : {false, true}) {
    SCOPED_TRACE(by_arn);
    root_arn = secrets.add_secret(std::string("shop/self-") + (by_arn ? "arn" : "name"), "{}");
    root = add("Organization Administrator");
    secrets.put_as_person(root_arn,
                          value_of(root, by_arn ? root_arn : std::string("shop/self-name")).dump());
    rotate_root();
    std::string deleter;
    fault = [&](const http::Request& request, When when) -> std::optional<Reply> {
      if (when == When::Before && request.method == "DELETE")
        deleter = *http::find_header(request.headers, "Authorization");
      return std::nullopt;
    };
    run();
    fault = nullptr;
    ASSERT_TRUE(moved()) << last;
    EXPECT_EQ(deleter, "Bearer " + current().at("astraKey").get<std::string>());
    EXPECT_FALSE(there(old));
    EXPECT_TRUE(accepts(current().at("astraKey")));
    // And what it is the root of goes on.
    const std::string root_now = root_arn;
    old = add();
    store(value_of(old, root_now), std::string("shop/orders-") + (by_arn ? "arn" : "name"));
    run();
    ASSERT_TRUE(moved()) << last;
    EXPECT_FALSE(there(old));
  }
}

// It tested whatever version AWSPENDING was on by then.
TEST_F(OriginalsAstraWeakness, AnyPendingVersionIsTested) {
  store(original());
  secrets.forget_calls();
  run();
  expect_only_the_current_one();
  for (const auto& call : secrets.calls()) {
    if (call.operation == "GetSecretValue" && call.secret_id == arn) {
      EXPECT_NE(call.version_id, "") << call.stage;
    }
  }
}

TEST_F(OriginalsAstraWeakness, DescriptionAndExpiryAreLost) {
  replace_old(add("Reader", "orders, team shop", "2031-08-19T14:30:00Z"));
  store(original());
  run();
  expect_only_the_current_one();
  const auto now = client(current().at("clientID"));
  ASSERT_TRUE(now);
  const auto description = Description::read(now->description);
  EXPECT_EQ(description.text, "orders, team shop");
  ASSERT_TRUE(description.mark);
  EXPECT_EQ(description.mark->arn, arn);
  EXPECT_EQ(description.mark->version_id, secrets.holder(arn, "AWSCURRENT"));
  EXPECT_EQ(now->expiry, "2031-08-19T14:30:00Z");
  EXPECT_EQ(now->roles, old.roles);
}

// Whichever request it is that is not sent, or whose answer is lost.
TEST_F(OriginalsAstraWeakness, AnyRequestMayFail) {
  std::size_t hits = 0;
  for (const bool self : {false, true}) {
    for (const When when : {When::Before, When::After}) {
      bool hit = true;
      for (int nth = 0; hit; ++nth) {
        SCOPED_TRACE(std::to_string(self) + " " + std::to_string(when == When::After) + " " +
                     std::to_string(nth));
        const std::string name = "shop/any-" + std::to_string(hits) + (self ? "-self" : "");
        replace_old(add(self ? "Organization Administrator" : "Reader"));
        store(value_of(old, self ? name : root_arn), name);
        forget();
        int seen = 0;
        hit = false;
        bool minted = false;
        fault = [&](const http::Request& request, When at) -> std::optional<Reply> {
          if (at != when || seen++ != nth) return std::nullopt;
          hit = true;
          minted = request.method == "POST" && at == When::After;
          return Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer"));
        };
        run();
        fault = nullptr;
        clock.advance(Duration(4'000'000));
        clean_up = true;
        run();
        ASSERT_TRUE(moved()) << last;
        EXPECT_FALSE(there(old)) << last;
        EXPECT_TRUE(accepts(current().at("astraKey")));
        EXPECT_EQ(strays(), std::vector<std::string>{}) << minted;
        api.remove_client("shop", current().at("clientID"));
        ++hits;
      }
    }
  }
  EXPECT_GT(hits, 20u);
}

TEST_F(OriginalsAstraWeakness, ARollbackBringsTheOldClientBackAndRevokesTheNew) {
  store(original());
  gate_open = false;
  run();
  ASSERT_TRUE(moved());
  const json failed = current();
  const Engine engine({secrets, *strategy, *memory, clock, rng, Timing{}});
  for (int pass_no = 0; pass_no < 40; ++pass_no) {
    Pass pass;
    auto view = engine.look(arn);
    ASSERT_TRUE(view.ok());
    bool more = true;
    for (int turn = 0; turn < 30 && more; ++turn) {
      Situation situation{.retire = true};
      if (current() == failed) {
        situation.permit = next_version(*view);
        situation.rollback = true;
      }
      const auto result = engine.perform(*view, engine.decide(*view, situation), situation, pass);
      more = result.kind == StepResult::Kind::Progress;
      if (result.kind == StepResult::Kind::After) clock.advance(result.delay);
    }
  }
  EXPECT_EQ(current(), original());
  EXPECT_TRUE(accepts(old.token));
  EXPECT_FALSE(accepts(failed.at("astraKey")));
}

}  // namespace
}  // namespace keyturn::engine
