#include <gtest/gtest.h>

#include "tests/unit/engine/views.h"

namespace keyturn::engine {
namespace {

const std::string kY = successor_id(kArn, "elsewhere", "");  // made from another version

Traits traits(Backend backend) {
  return {.name = "fake",
          .backend = backend,
          .can_rollback = true,
          .can_revoke = backend == Backend::TwoCredentials};
}

struct Case {
  std::string name;
  Labels labels;
  Action action;
  int row;
  std::string version;
  bool quiet = false;
  Situation situation{.retire = true};
  Known known{.baton_is_previous = false, .baton_is_current = false};
};

void expect(Backend backend, const Case& c) {
  SCOPED_TRACE(c.name);
  const Decision d = plan(traits(backend), view(c.labels), c.situation, c.known);
  EXPECT_EQ(to_string(d.action), to_string(c.action)) << d.reason << ": " << d.message;
  EXPECT_EQ(d.row, c.row);
  EXPECT_EQ(d.version_id, c.version);
  EXPECT_EQ(d.quiet, c.quiet);
  EXPECT_FALSE(d.reason.empty());
  EXPECT_FALSE(d.message.empty());
}

Situation permitting(const Labels& labels) {
  Situation s{.retire = true};
  s.permit = next_version(view(labels));
  return s;
}

Situation closed_permitting(const Labels& labels) {
  Situation s = permitting(labels);
  s.gate_open = false;
  return s;
}

TEST(Plan, TwoCredentials) {
  const Situation unsynced{.targets_synced = false, .retire = true};
  const Situation rolling{.rolled_out = false, .retire = true};
  const Situation closed{.gate_open = false, .waiting_for = "Pod/batch", .retire = true};
  const Labels undecided{.current = kC, .previous = "v", .pending = kX, .latest = kX, .baton = kX};
  const Labels idle{.current = kC, .latest = kC};
  const Labels retiring{.current = kX, .previous = kC, .latest = kX, .baton = kC};
  const Labels lost{.current = kX, .previous = kC, .latest = kX};
  const std::string next = next_version(view(idle));
  const std::vector<Case> cases{
      {"0 unknown rollback is compared first", undecided, Action::Compare, 2, kX, false, {}, {}},
      {"1 pending taken away", {.current = kC, .latest = kX, .baton = kX}, Action::GiveUp, 1, kX},
      {"1 pending elsewhere",
       {.current = kC, .pending = "p", .latest = kX, .baton = kX},
       Action::GiveUp,
       1,
       kX},
      {"1 current changed",
       {.current = kC, .pending = kY, .latest = kY, .baton = kY},
       Action::GiveUp,
       1,
       kY},
      {"2 undecided", undecided, Action::SetAndTest, 2, kX},
      {"2 before targets", undecided, Action::SetAndTest, 2, kX, false, unsynced},
      {"2 a rollback waits for quiet",
       undecided,
       Action::SetAndTest,
       2,
       kX,
       true,
       {},
       {.baton_is_previous = true}},
      {"3 decided, still pending",
       {.current = kC, .pending = kX, .latest = kX, .baton = kC},
       Action::DropPending,
       3,
       kX},
      {"3 decided", {.current = kC, .latest = kX, .baton = kC}, Action::RetestAndMove, 3, kX},
      {"4 latest was current before",
       {.current = kC, .previous = kX, .latest = kX, .baton = kC},
       Action::DropBaton,
       4,
       kC},
      {"4 latest was made from another",
       {.current = kC, .latest = kY, .baton = kC},
       Action::DropBaton,
       4,
       kC},
      {"4 latest is current", {.current = kC, .latest = kC, .baton = kC}, Action::DropBaton, 4, kC},
      {"5 pending is current",
       {.current = kX, .pending = kX, .latest = kX, .baton = kC},
       Action::DropPending,
       5,
       kX},
      {"6 given up", {.current = kC, .pending = kX, .latest = kX}, Action::Abandon, 6, kX, true},
      {"6 given up while an older one retires",
       {.current = kC, .pending = kX, .latest = kX, .baton = "o"},
       Action::Abandon,
       6,
       kX,
       true},
      {"6 overtaken after the decision",
       {.current = "h", .previous = kC, .pending = kX, .latest = kX, .baton = kC},
       Action::Abandon,
       6,
       kX,
       true},
      {"6 was current by hand",
       {.current = kC, .previous = kX, .pending = kX, .latest = kX},
       Action::DropPending,
       6,
       kX},
      {"7 sync", retiring, Action::Sync, 7, kX, false, unsynced},
      {"7 sync without a rotation", idle, Action::Sync, 7, kC, false, unsynced},
      {"8 roll out", retiring, Action::Rollout, 8, kX, false, rolling},
      {"8 gate", retiring, Action::WaitGate, 8, kC, false, closed},
      {"9 compare", retiring, Action::Compare, 9, kC, false, {.retire = true}, {}},
      {"9 same credential, before the targets and the gate",
       retiring,
       Action::DropBaton,
       9,
       kC,
       false,
       {.targets_synced = false, .gate_open = false, .retire = true},
       {.baton_is_current = true}},
      {"9 same credential",
       retiring,
       Action::DropBaton,
       9,
       kC,
       false,
       {.retire = true},
       {.baton_is_current = true}},
      {"10 retire", retiring, Action::Retire, 10, kC, true},
      {"10 only when asked", retiring, Action::Nothing, 0, kC, false, {}},
      {"10 at the start of a rotation",
       retiring,
       Action::Retire,
       10,
       kC,
       true,
       {.permit = next_version(view(retiring))}},
      {"11 not without a value",
       {.current = kC, .pending = "p", .latest = kC},
       Action::Create,
       12,
       next,
       false,
       permitting(idle)},
      {"8 the record of a retirement was lost", lost, Action::WaitGate, 8, kC, false,
       closed_permitting(lost)},
      {"12 it was done by this process",
       lost,
       Action::Create,
       12,
       next_version(view(lost)),
       false,
       closed_permitting(lost),
       {.previous_is_done = true}},
      {"12 with the gate open the start makes up for it", lost, Action::Create, 12,
       next_version(view(lost)), false, permitting(lost)},
      {"12 what a person made current was not made from the previous one", idle, Action::Create, 12,
       next, false, closed_permitting(idle)},
      {"12 create", idle, Action::Create, 12, next, false, permitting(idle)},
      {"12 no permit for another version", idle, Action::Nothing, 0, "", false, {.permit = kX}},
      {"12 clean up", idle, Action::CleanUp, 12, kC, false, {.clean_up = true}},
      {"12 no clean-up behind a closed gate",
       idle,
       Action::Nothing,
       0,
       "",
       false,
       {.gate_open = false, .clean_up = true}},
      {"nothing", idle, Action::Nothing, 0, ""},
  };
  for (const Case& c : cases) expect(Backend::TwoCredentials, c);
}

TEST(Plan, GivingUpARollbackSendsTheBatonToThePreviousVersion) {
  const Labels labels{.current = kC, .previous = "v", .latest = kX, .baton = kX};
  EXPECT_EQ(plan(traits(Backend::TwoCredentials), view(labels), {}, {.baton_is_previous = true})
                .compare_with,
            "v");
  EXPECT_EQ(plan(traits(Backend::TwoCredentials), view(labels), {}, {.baton_is_previous = false})
                .compare_with,
            "");
}

TEST(Plan, ForeignPendingWithAValueIsRefused) {
  View v = view({.current = kC, .pending = "p", .latest = kC});
  v.foreign_pending = true;
  for (const Backend backend : {Backend::TwoCredentials, Backend::None, Backend::ForwardOnly}) {
    const Decision d = plan(traits(backend), v, {.permit = next_version(v)}, {});
    EXPECT_EQ(d.action, Action::Refuse);
    EXPECT_EQ(d.row, 11);
    EXPECT_EQ(d.reason, "ForeignPending");
  }
}

TEST(Plan, RollBack) {
  const Labels retiring{.current = kX, .previous = kC, .latest = kX, .baton = kC};
  Situation s{.targets_synced = false, .gate_open = false, .retire = true};
  s.permit = next_version(view(retiring));
  s.rollback = true;
  const Decision d = plan(traits(Backend::TwoCredentials), view(retiring), s, {});
  EXPECT_EQ(d.action, Action::CarryBack);
  EXPECT_EQ(d.version_id, s.permit);
  EXPECT_EQ(d.compare_with, kC);

  Traits cannot = traits(Backend::TwoCredentials);
  cannot.can_rollback = false;
  EXPECT_EQ(plan(cannot, view(retiring), s, {}).reason, "CannotRollBack");

  Labels by_hand = retiring;
  by_hand.latest = "l";
  s.permit = next_version(view(by_hand));
  EXPECT_EQ(plan(traits(Backend::TwoCredentials), view(by_hand), s, {}).reason, "CannotRollBack");

  const Labels retired{.current = kX, .previous = kC, .latest = kX};
  s.permit = next_version(view(retired));
  EXPECT_EQ(plan(traits(Backend::TwoCredentials), view(retired), s, {}).reason,
            "NothingToRollBack");
  EXPECT_EQ(plan(traits(Backend::None), view(retired), s, {}).compare_with,
            kC);  // without a backend the old value still works
}

// A credential that was disabled is given back before the label goes that tells of it.
TEST(Plan, WhereACredentialCanBeDisabledNoLabelIsDroppedBeforeQuiet) {
  Traits soft = traits(Backend::TwoCredentials);
  soft.soft_revoke = true;
  const Known same{.baton_is_previous = false, .baton_is_current = true};
  for (const Labels& labels : {Labels{.current = kC, .latest = kC, .baton = kC},
                               Labels{.current = kX, .pending = kX, .latest = kX},
                               Labels{.current = kC, .previous = kX, .pending = kX, .latest = kX},
                               Labels{.current = kX, .latest = kX, .baton = kC}}) {
    const Decision d = plan(soft, view(labels), {.retire = true}, same);
    EXPECT_TRUE(d.action == Action::DropBaton || d.action == Action::DropPending);
    EXPECT_TRUE(d.quiet) << d.row;
    EXPECT_FALSE(plan(traits(Backend::TwoCredentials), view(labels), {.retire = true}, same).quiet);
  }
  const Labels decided{.current = kC, .pending = kX, .latest = kX, .baton = kC};
  EXPECT_FALSE(plan(soft, view(decided), {.retire = true}, same).quiet);
}

TEST(Plan, WithoutBackend) {
  const Labels idle{.current = kC};
  const std::vector<Case> cases{
      {"6 move", {.current = kC, .pending = kX, .latest = kX}, Action::MoveCurrent, 6, kX},
      {"6 current changed",
       {.current = kC, .pending = kY, .latest = kY},
       Action::DropPending,
       6,
       kY},
      {"6 was current by hand",
       {.current = kC, .previous = kX, .pending = kX, .latest = kX},
       Action::DropPending,
       6,
       kX},
      {"5 pending is current",
       {.current = kX, .pending = kX, .latest = kX},
       Action::DropPending,
       5,
       kX},
      {"7 sync", idle, Action::Sync, 7, kC, false, {.targets_synced = false}},
      {"8 roll out", idle, Action::Rollout, 8, kC, false, {.rolled_out = false}},
      {"4 another kind's baton",
       {.current = kC, .pending = kX, .latest = kX, .baton = kX},
       Action::Refuse,
       4,
       kX},
      {"12 create", idle, Action::Create, 12, kX, false, {.permit = kX}},
      {"nothing", idle, Action::Nothing, 0, ""},
  };
  for (const Case& c : cases) expect(Backend::None, c);
}

TEST(Plan, ForwardOnlyAsksTheBackendBeforeItLetsGo) {
  const Labels overtaken{.current = kC, .pending = kY, .latest = kY, .baton = kY};
  const Labels decided{.current = kC, .latest = kX, .baton = kC};
  const Labels by_hand{.current = kC, .previous = kX, .latest = kX, .baton = kC};
  const Labels given_up{.current = kC, .pending = kX, .latest = kX};
  const Labels overtaken_late{.current = "h", .previous = kC, .latest = kX, .baton = kC};
  const auto next = [](const Labels& l) { return next_version(view(l)); };
  const Situation s{};
  const Known works{.current_works = true};
  const std::vector<Case> cases{
      {"1 ask", overtaken, Action::Rebase, 1, next(overtaken), true, s},
      {"1 the current one works", overtaken, Action::GiveUp, 1, kY, false, s, works},
      {"2 set and test",
       {.current = kC, .pending = kX, .latest = kX, .baton = kX},
       Action::SetAndTest,
       2,
       kX},
      {"3 pending stays until the move",
       {.current = kC, .pending = kX, .latest = kX, .baton = kC},
       Action::RetestAndMove,
       3,
       kX},
      {"3 decided", decided, Action::RetestAndMove, 3, kX},
      {"4 ask", by_hand, Action::Rebase, 4, next(by_hand), true, s},
      {"4 the current one works", by_hand, Action::DropBaton, 4, kC, false, s, works},
      {"4 nothing else is known",
       {.current = kC, .latest = kC, .baton = kC},
       Action::DropBaton,
       4,
       kC},
      {"6 ask", given_up, Action::Rebase, 6, next(given_up), true, s},
      {"6 the current one works", given_up, Action::DropPending, 6, kX, false, s, works},
      {"6 ask, overtaken after the decision", overtaken_late, Action::Rebase, 6,
       next(overtaken_late), true, s},
      {"9 overtaken after the decision, the current one works", overtaken_late, Action::DropBaton,
       9, kC, false, s, works},
      {"9 nothing to revoke",
       {.current = kX, .previous = kC, .latest = kX, .baton = kC},
       Action::DropBaton,
       9,
       kC},
  };
  for (const Case& c : cases) expect(Backend::ForwardOnly, c);
}

TEST(Plan, OnlookersSyncAndRollOut) {
  const Labels rotating{.current = kC, .pending = "aws", .latest = kX, .baton = kX};
  for (const Backend backend : {Backend::ReadOnly, Backend::Delegated}) {
    expect(backend, {"7", rotating, Action::Sync, 7, kC, false, {.targets_synced = false}});
    expect(backend, {"8", rotating, Action::Rollout, 8, kC, false, {.rolled_out = false}});
  }
  EXPECT_EQ(plan(traits(Backend::ReadOnly), view({.current = kC}), {.permit = kX}, {}).action,
            Action::Nothing);
}

TEST(Plan, HandsOverToAws) {
  const auto decide = [](const Labels& labels, bool enabled = true) {
    View v = view(labels);
    v.secret.rotation_enabled = enabled;
    return plan(traits(Backend::Delegated), v, {.permit = kX}, {});
  };
  EXPECT_EQ(decide({.current = kC}).action, Action::HandOver);
  EXPECT_FALSE(made_from(kArn, decide({.current = kC}).version_id, kC)) << "it is not ours";
  EXPECT_EQ(decide({.current = kC, .pending = kC}).action, Action::HandOver);
  EXPECT_EQ(decide({.current = kC, .pending = "aws"}).reason, kRotationUnderWay);
  EXPECT_EQ(decide({.current = kC}, false).reason, "RotationNotEnabled");
  EXPECT_EQ(decide({.current = kC, .pending = "aws"}, false).reason, kRotationUnderWay);
}

TEST(Plan, RefusesWhatAwsOwns) {
  const auto reason = [](Backend backend, const std::function<void(View&)>& change,
                         Situation s = {}) {
    View v = view({.current = kC});
    change(v);
    return plan(traits(backend), v, s, {}).reason;
  };
  const auto rotation_enabled = [](View& v) { v.secret.rotation_enabled = true; };
  const auto owned = [](View& v) { v.secret.owning_service = "rds"; };
  const auto partner = [](View& v) { v.secret.type = "Salesforce"; };
  const auto replica = [](View& v) { v.secret.primary_region = "us-east-1"; };
  for (const Backend backend : {Backend::None, Backend::TwoCredentials, Backend::ForwardOnly}) {
    EXPECT_EQ(reason(backend, rotation_enabled), "RotationManagedByAWS");
    EXPECT_EQ(reason(backend, owned), "RotationManagedByAWS");
    EXPECT_EQ(reason(backend, partner), "RotationManagedByAWS");
    EXPECT_EQ(reason(backend, replica), "ReplicaSecret");
    EXPECT_EQ(reason(backend, [](View& v) { v.secret.primary_region = "eu-west-1"; }), "UpToDate");
    EXPECT_EQ(reason(backend, rotation_enabled, {.targets_synced = false}),
              "Syncing");  // targets still follow
  }
  for (const Backend backend : {Backend::ReadOnly, Backend::Delegated}) {
    for (const auto& change :
         {std::function<void(View&)>(rotation_enabled), std::function<void(View&)>(owned),
          std::function<void(View&)>(partner), std::function<void(View&)>(replica)}) {
      EXPECT_EQ(reason(backend, change), "UpToDate");
    }
    EXPECT_EQ(
        reason(backend, [](View& v) { v.secret.deleted = WallTime(); }, {.targets_synced = false}),
        "SecretDeleted");
    EXPECT_EQ(reason(backend, [](View& v) { v.labels.current.clear(); }, {.targets_synced = false}),
              "NoCurrentVersion");
  }
}

TEST(Plan, LambdaForm) {
  const std::string token = "aws-token";
  const auto decide = [&](Step step, const Labels& l, Backend backend = Backend::TwoCredentials,
                          bool retire = true) {
    Situation s{.retire = retire};
    s.lambda = LambdaCall{.step = step, .version_id = token, .rotation_token = ""};
    View v = view(l);
    v.secret.rotation_enabled = true;
    return plan(traits(backend), v, s, {.baton_is_previous = false, .baton_is_current = false});
  };
  const Labels asked{.current = kC, .pending = token};
  const Labels created{.current = kC, .pending = token, .latest = token, .baton = token};
  const Labels decided{.current = kC, .pending = token, .latest = token, .baton = kC};
  const Labels moved{
      .current = token, .previous = kC, .pending = token, .latest = token, .baton = kC};
  EXPECT_EQ(decide(Step::CreateSecret, asked).action, Action::Create);
  EXPECT_EQ(decide(Step::CreateSecret, asked).version_id, token);
  EXPECT_EQ(decide(Step::CreateSecret, created).reason, "AlreadyCreated");
  EXPECT_EQ(decide(Step::CreateSecret, {.current = kC}).reason, "NotPending");
  EXPECT_EQ(decide(Step::CreateSecret,
                   {.current = kC, .previous = "v", .pending = token, .latest = kC, .baton = "v"})
                .action,
            Action::Retire);
  EXPECT_EQ(
      decide(Step::CreateSecret, {.current = kC, .pending = token, .latest = "old", .baton = "old"})
          .action,
      Action::GiveUp);
  EXPECT_EQ(decide(Step::SetSecret, asked).reason, "NotCreated");
  EXPECT_EQ(decide(Step::SetSecret, created).action, Action::SetAndTest);
  EXPECT_EQ(decide(Step::TestSecret, created).step, Step::TestSecret);
  EXPECT_EQ(decide(Step::FinishSecret, created).action, Action::SetAndTest);
  EXPECT_EQ(decide(Step::FinishSecret, decided).action,
            Action::RetestAndMove);  // AWSPENDING stays until AWSCURRENT has moved
  EXPECT_EQ(decide(Step::FinishSecret, moved).action, Action::DropPending);
  EXPECT_EQ(decide(Step::TestSecret, moved).reason, "AlreadyCurrent");
  const auto asked_by_id = [&](const std::string& id) {  // nobody wrote a value: it is not ours
    Situation s{.lambda = LambdaCall{.step = Step::CreateSecret, .version_id = id}};
    View v = view({.current = kC, .pending = id});
    v.secret.rotation_enabled = true;
    return plan(traits(Backend::TwoCredentials), v, s, {});
  };
  EXPECT_EQ(asked_by_id(kX).action, Action::Create);
  const Labels without{.current = kC, .pending = token, .latest = token};
  EXPECT_EQ(decide(Step::SetSecret, without, Backend::None).action, Action::Nothing);
  EXPECT_EQ(decide(Step::FinishSecret, without, Backend::None).action, Action::MoveCurrent);
}

}  // namespace
}  // namespace keyturn::engine
