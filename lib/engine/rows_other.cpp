// The other kinds: no backend, onlookers, delegated ones, refused secrets, and the Lambda form.
#include <array>

#include "lib/engine/plan_rows.h"

namespace keyturn::engine::rows {

namespace {

// A strategy without a backend never puts a baton: one that is there marks a credential of another
// kind.
std::optional<Decision> foreign_baton(const Input& in) {
  const Labels& l = in.labels();
  if (l.baton.empty()) return std::nullopt;
  return Decision{.action = Action::Refuse,
                  .row = 4,
                  .version_id = l.baton,
                  .reason = "OtherStrategyUnderWay",
                  .message = "Version " + l.baton + " holds KEYTURN_BATON, which strategy " +
                             in.traits.name +
                             " does not use: a rotation "
                             "of another kind is not finished. Finish it with that kind "
                             "(`keyturn secret rotate`, `retire`), or run `keyturn secret abandon "
                             "--keep-credential`."};
}

std::optional<Decision> move_current(const Input& in) {  // instead of row 6
  const Labels& l = in.labels();
  if (l.pending.empty() || l.pending != l.latest || l.pending == l.current || !l.baton.empty())
    return std::nullopt;
  if (in.made_from_current(l.latest) && l.latest != l.previous) {
    return Decision{.action = Action::MoveCurrent,
                    .row = 6,
                    .step = Step::FinishSecret,
                    .version_id = l.latest,
                    .reason = "Finishing",
                    .message = "AWSCURRENT moves to the new version."};
  }
  return Decision{
      .action = Action::DropPending,
      .row = 6,
      .step = Step::FinishSecret,
      .version_id = l.latest,
      .reason = "Overtaken",
      .message = "AWSCURRENT was changed during the rotation; the attempt is given up."};
}

// AWS drives the labels; while it works on a version there is nothing to ask for.
std::optional<Decision> aws_at_work(const Input& in) {
  const Labels& l = in.labels();
  if (l.pending.empty() || l.pending == l.current) return std::nullopt;
  return Decision{
      .step = Step::SetSecret,
      .version_id = l.pending,
      .reason = std::string(kRotationUnderWay),
      .message = "AWS rotates the secret; its function works on version " + l.pending + "."};
}

// Switched off by a person, or never on: asking AWS all the same would switch it on.
std::optional<Decision> not_enabled(const Input& in) {
  const aws::SecretMetadata& secret = in.view.secret;
  if (!in.permitted() || secret.rotation_enabled) return std::nullopt;
  return Decision{
      .action = Action::Refuse,
      .row = 12,
      .reason = "RotationNotEnabled",
      .message = "The secret " + secret.name +
                 " has RotationEnabled=false, so AWS has no function to rotate it with; "
                 "name one with `aws secretsmanager rotate-secret --rotation-lambda-arn "
                 "…`, or use a strategy that rotates by itself."};
}

// AWS keeps no LATEST for us, so the ids that we ask for are chained over the previous version:
// moved back by hand, the same current version gets another successor. They are not ids of ours:
// what AWS's function makes must not look like a version that Keyturn made from the current one.
std::optional<Decision> hand_over(const Input& in) {
  if (!in.permitted()) return std::nullopt;
  return Decision{
      .action = Action::HandOver,
      .row = 12,
      .step = Step::CreateSecret,
      .version_id = successor_id(in.view.secret.arn, "RotateSecret " + in.labels().current,
                                 in.labels().previous),
      .reason = "Rotating",
      .message = "AWS is asked to rotate the secret."};
}

// The Lambda form: AWS chose the version and calls one step at a time, each again until it
// succeeds. The base is not checked (ids are AWS's), and AWSCURRENT moves before AWSPENDING is
// dropped, since AWS asks for AWSPENDING at every retry.

const LambdaCall& call(const Input& in) { return *in.situation.lambda; }
bool made_by_us(const Input& in) {  // by the label alone: of an id nothing can be told
  return holder(in.view.secret.stages, kLatest) == call(in).version_id;
}

std::optional<Decision> lambda_not_its_turn(const Input& in) {
  const Labels& l = in.labels();
  const auto& [step, version, token] = call(in);
  if (version == l.current) {
    if (step == Step::FinishSecret) {
      if (auto dropped = pending_is_current(in)) return dropped;
      if (!in.traits.can_revoke && !l.baton.empty()) return nothing_to_revoke(in);
    }
    return Decision{.step = step,
                    .version_id = version,
                    .reason = "AlreadyCurrent",
                    .message = "Version " + version + " is already current."};
  }
  if (version != l.pending) {
    return Decision{
        .action = Action::Refuse,
        .step = step,
        .version_id = version,
        .reason = "NotPending",
        .message = "Version " + version +
                   " is not labelled AWSPENDING; AWS starts each rotation by labelling it."};
  }
  // RotateImmediately=false: AWS calls testSecret alone, on a version with a value of its own.
  const bool only_a_test = step == Step::TestSecret && in.view.foreign_pending;
  if (step != Step::CreateSecret && !made_by_us(in) && !only_a_test) {
    return Decision{
        .action = Action::Refuse,
        .step = step,
        .version_id = version,
        .reason = "NotCreated",
        .message = "createSecret has not put a value into version " + version + " yet."};
  }
  return std::nullopt;
}

std::optional<Decision> lambda_create(const Input& in) {
  if (call(in).step != Step::CreateSecret) return std::nullopt;
  const Labels& l = in.labels();
  if (made_by_us(in)) {
    return Decision{.step = Step::CreateSecret,
                    .version_id = l.pending,
                    .reason = "AlreadyCreated",
                    .message = "The version has its value."};
  }
  if (in.traits.backend == Backend::None) {
    if (auto others = foreign_baton(in)) return others;
  }
  if (!l.baton.empty() &&
      (l.baton == l.current || l.baton == l.latest)) {  // an earlier call that AWS has cancelled
    return Decision{
        .action = Action::GiveUp,
        .row = 1,
        .step = Step::CreateSecret,
        .version_id = l.baton,
        .quiet = in.traits.soft_revoke && l.baton == l.current,
        .reason = "Overtaken",
        .message = "AWS has started another rotation; the earlier attempt is given up."};
  }
  if (auto same = nothing_to_revoke(in)) return same;
  if (auto old = retire(in); old && old->action != Action::Nothing) return old;
  return Decision{.action = Action::Create,
                  .row = 12,
                  .step = Step::CreateSecret,
                  .version_id = call(in).version_id,
                  .reason = "Rotating",
                  .message = "The version that AWS chose gets its value."};
}

std::optional<Decision> lambda_set_or_test(const Input& in) {
  const Labels& l = in.labels();
  const Step step = call(in).step;
  const bool has_backend = in.traits.backend != Backend::None;
  if (step == Step::FinishSecret && (!has_backend || l.baton != l.latest)) return std::nullopt;
  if (!has_backend) {
    return Decision{.step = step,
                    .version_id = call(in).version_id,
                    .reason = "NothingToDo",
                    .message = "This strategy has no backend."};
  }
  return Decision{.action = Action::SetAndTest,
                  .row = 2,
                  .step = step,
                  .version_id = call(in).version_id,
                  .quiet = in.traits.set_replaces && step == Step::SetSecret,
                  .reason = "Testing",
                  .message = "The new credential is set at the backend and tested."};
}

std::optional<Decision> lambda_finish(const Input& in) {
  const Action move =
      in.traits.backend == Backend::None ? Action::MoveCurrent : Action::RetestAndMove;
  return Decision{.action = move,
                  .row = 3,
                  .step = Step::FinishSecret,
                  .version_id = in.labels().latest,
                  .reason = "Finishing",
                  .message = "AWSCURRENT moves to the new version."};
}

constexpr std::array<Row, 8> kWithoutBackend{
    pending_is_current, move_current,  roll_back,       sync,
    roll_out,           foreign_baton, foreign_pending, start};
constexpr std::array<Row, 2> kOnlooker{sync, roll_out};
constexpr std::array<Row, 5> kDelegated{sync, roll_out, aws_at_work, not_enabled, hand_over};
constexpr std::array<Row, 4> kLambda{lambda_not_its_turn, lambda_create, lambda_set_or_test,
                                     lambda_finish};

}  // namespace

std::span<const Row> without_backend() { return kWithoutBackend; }
std::span<const Row> onlooker() { return kOnlooker; }
std::span<const Row> refused() { return kOnlooker; }
std::span<const Row> delegated() { return kDelegated; }
std::span<const Row> lambda_form() { return kLambda; }

}  // namespace keyturn::engine::rows
