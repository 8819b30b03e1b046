// Rows 1 to 6: an attempt under way, for backends that hold two credentials and for those that only
// go forward.
#include <array>

#include "lib/engine/plan_rows.h"

namespace keyturn::engine::rows {

bool given_up(const Labels& l) {
  return !l.pending.empty() && l.pending == l.latest && l.pending != l.current;
}

namespace {

// K = L ≠ C: nobody has decided yet.
bool undecided(const Labels& l) {
  return !l.baton.empty() && l.baton == l.latest && l.baton != l.current;
}

// Somebody changed AWSCURRENT, or took AWSPENDING away, under an undecided attempt.
bool overtaken(const Input& in) {
  const Labels& l = in.labels();
  return l.pending != l.baton || !in.made_from_current(l.baton);
}

// K = C, L ≠ C, L ≠ V, base(L) = C: finishing was decided, AWSCURRENT has not moved.
bool decided(const Input& in) {
  const Labels& l = in.labels();
  return !l.baton.empty() && l.baton == l.current && !l.latest.empty() && l.latest != l.current &&
         l.latest != l.previous && in.made_from_current(l.latest);
}

// A rollback's attempt holds the credential that AWSPREVIOUS has: given up, its baton goes back
// there.
std::optional<Decision> know_rollback(const Input& in) {
  const Labels& l = in.labels();
  if (!undecided(l) || in.traits.backend != Backend::TwoCredentials || in.known.baton_is_previous)
    return std::nullopt;
  return Decision{.action = Action::Compare,
                  .row = overtaken(in) ? 1 : 2,
                  .step = Step::TestSecret,
                  .version_id = l.baton,
                  .compare_with = l.previous,
                  .reason = "Comparing",
                  .message =
                      "Whether the pending version holds the previous credential decides what "
                      "giving up means."};
}

std::string baton_goes_to(const Input& in) {
  return in.known.baton_is_previous.value_or(false) ? in.labels().previous : std::string();
}

Decision ask_backend(const Input& in, int row) {
  return Decision{
      .action = Action::Rebase,
      .row = row,
      .step = Step::TestSecret,
      .version_id = next_version(in.view),
      .quiet = true,
      .reason = "AskingBackend",
      .message =
          "Before anything is given up the backend is asked which of the known values works."};
}

std::optional<Decision> give_up(const Input& in) {  // row 1
  if (!undecided(in.labels()) || !overtaken(in)) return std::nullopt;
  return Decision{
      .action = Action::GiveUp,
      .row = 1,
      .step = Step::TestSecret,
      .version_id = in.labels().baton,
      .compare_with = baton_goes_to(in),
      .reason = "Overtaken",
      .message =
          "AWSCURRENT or AWSPENDING was changed during the rotation; the attempt is given up."};
}

// Setting takes away whatever is neither the pending nor the current credential: nobody may read
// that.
std::optional<Decision> readers_first(const Input& in) {
  if (auto first = sync(in)) return first;
  if (auto first = roll_out(in)) return first;
  return gate(in);
}

std::optional<Decision> set_and_test(const Input& in) {  // row 2
  if (!undecided(in.labels())) return std::nullopt;
  const bool rollback = in.known.baton_is_previous.value_or(false);  // there is nothing to set
  const Step only = in.situation.only;
  const bool replaces =
      in.traits.set_replaces && !rollback && (only == Step::None || only == Step::SetSecret);
  if (replaces) {
    if (auto first = readers_first(in)) return first;
  }
  return Decision{.action = Action::SetAndTest,
                  .row = 2,
                  .step = Step::SetSecret,
                  .version_id = in.labels().baton,
                  .compare_with = baton_goes_to(in),
                  .quiet = rollback || replaces,
                  .reason = "Testing",
                  .message = "The new credential is set at the backend and tested."};
}

std::optional<Decision> finish(const Input& in) {  // row 3
  if (!decided(in)) return std::nullopt;
  const Labels& l = in.labels();
  // A forward-only backend holds nothing but the new value by now: AWSPENDING stays on it until
  // AWSCURRENT is there, so that it has a label even if somebody takes ours away. Giving up asks
  // the backend there, so a version that is in use is not lost. Where setting replaces, what the
  // backend holds has no mark: the label tells of it until then, and giving up waits for readers.
  if (l.pending == l.latest && in.traits.backend != Backend::ForwardOnly &&
      !in.traits.set_replaces) {
    return Decision{
        .action = Action::DropPending,
        .row = 3,
        .step = Step::FinishSecret,
        .version_id = l.latest,
        .reason = "Finishing",
        .message = "The new credential works; AWSPENDING is dropped before AWSCURRENT moves."};
  }
  return Decision{.action = Action::RetestAndMove,
                  .row = 3,
                  .step = Step::FinishSecret,
                  .version_id = l.latest,
                  .reason = "Finishing",
                  .message = "AWSCURRENT moves to the new version."};
}

std::optional<Decision> interfered(const Input& in) {  // row 4
  const Labels& l = in.labels();
  if (l.baton.empty() || l.baton != l.current) return std::nullopt;
  return Decision{
      .action = Action::DropBaton,
      .row = 4,
      .step = Step::FinishSecret,
      .version_id = l.baton,
      .quiet = in.traits.soft_revoke,
      .reason = "Interfered",
      .message =
          "Somebody moved the labels during the rotation; it is released and nothing is revoked."};
}

Decision drop_given_up(const Input& in) {
  const Labels& l = in.labels();
  return Decision{.action = Action::DropPending,
                  .row = 6,
                  .step = Step::TestSecret,
                  .version_id = l.pending,
                  .quiet = in.traits.soft_revoke,
                  .reason = "GivenUp",
                  .message = "The attempt was given up; AWSPENDING is dropped."};
}

std::optional<Decision> abandon(const Input& in) {  // row 6
  const Labels& l = in.labels();
  if (!given_up(l)) return std::nullopt;
  // It was current for a while, by somebody's hand: readers may hold it, so it is left to the
  // clean-up of leftovers.
  if (l.latest == l.previous) return drop_given_up(in);
  const Situation& now = in.situation;
  if (in.traits.set_replaces && !(now.targets_synced && now.rolled_out && now.gate_open))
    return std::nullopt;
  return Decision{.action = Action::Abandon,
                  .row = 6,
                  .step = Step::TestSecret,
                  .version_id = l.pending,
                  .quiet = true,
                  .reason = "GivenUp",
                  .message = "The attempt was given up; what was minted for it is revoked."};
}

// Forward only. Each of rows 1, 3, 4 and 6 would let go of a version that the backend may hold, so
// each first asks the backend, in a state in which no further set() is planned and after those in
// flight have landed (quiet).

bool must_ask(const Input& in) {
  const Labels& l = in.labels();
  return !in.known.current_works && !l.latest.empty() && l.latest != l.current;
}

std::optional<Decision> ask_before_giving_up(const Input& in) {
  if (!undecided(in.labels()) || !overtaken(in) || !must_ask(in)) return std::nullopt;
  return ask_backend(in, 1);
}

std::optional<Decision> ask_before_release(const Input& in) {
  const Labels& l = in.labels();
  if (l.baton.empty() || l.baton != l.current || !must_ask(in)) return std::nullopt;
  return ask_backend(in, 4);
}

// AWSPENDING still on a version that was given up, or a baton from a rotation whose new version is
// not the current one.
std::optional<Decision> ask_after_giving_up(const Input& in) {
  if (!must_ask(in) || (!given_up(in.labels()) && in.labels().baton.empty())) return std::nullopt;
  return ask_backend(in, 6);
}

std::optional<Decision> release_pending(const Input& in) {
  if (!given_up(in.labels())) return std::nullopt;
  return drop_given_up(in);
}

constexpr std::array<Row, 17> kTwoCredentials{
    know_rollback, give_up,         set_and_test,      finish,   interfered, pending_is_current,
    abandon,       roll_back,       nothing_to_revoke, sync,     roll_out,   gate,
    retire,        foreign_pending, previous_may_live, clean_up, start};
constexpr std::array<Row, 17> kForwardOnly{ask_before_giving_up,
                                           give_up,
                                           set_and_test,
                                           finish,
                                           ask_before_release,
                                           interfered,
                                           pending_is_current,
                                           ask_after_giving_up,
                                           release_pending,
                                           roll_back,
                                           sync,
                                           roll_out,
                                           gate,
                                           nothing_to_revoke,
                                           foreign_pending,
                                           clean_up,
                                           start};

}  // namespace

std::span<const Row> two_credentials() { return kTwoCredentials; }
std::span<const Row> forward_only() { return kForwardOnly; }

}  // namespace keyturn::engine::rows
