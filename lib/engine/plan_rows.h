// The rows of the protocol's table as small pure functions, and the chains in which the kinds of
// backend ask them (docs/protocol.md). Internal to lib/engine. Thread rule: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "lib/engine/plan.h"

namespace keyturn::engine::rows {

struct Input {
  const Traits& traits;
  const View& view;
  const Situation& situation;
  const Known& known;

  const Labels& labels() const { return view.labels; }
  bool made_from_current(const std::string& id) const {
    return made_from(view.secret.arn, id, view.labels.current);
  }
  bool made_from_previous() const {
    return made_from(view.secret.arn, view.labels.current, view.labels.previous);
  }
  // Exactly this attempt was permitted by the driver.
  bool permitted() const {
    return !situation.permit.empty() && situation.permit == next_version(view);
  }
};

// P = L ≠ C: giving up was decided.
bool given_up(const Labels& labels);

// A row answers when it applies; the first answer is the decision.
using Row = std::optional<Decision> (*)(const Input&);

std::span<const Row> two_credentials();
std::span<const Row> forward_only();
std::span<const Row> without_backend();
std::span<const Row> onlooker();  // ReadOnly
std::span<const Row> delegated();
std::span<const Row> lambda_form();
std::span<const Row> refused();  // a secret that may not be rotated: its targets still follow

// Shared by several chains.
std::optional<Decision> pending_is_current(const Input& in);  // row 5
std::optional<Decision> sync(const Input& in);                // row 7
std::optional<Decision> roll_out(const Input& in);            // row 8
std::optional<Decision> gate(const Input& in);                // row 8
std::optional<Decision> nothing_to_revoke(const Input& in);   // row 9
std::optional<Decision> retire(const Input& in);              // row 10
std::optional<Decision> foreign_pending(const Input& in);     // row 11
std::optional<Decision> roll_back(
    const Input& in);  // row 12, asked for before the old version is retired
std::optional<Decision> previous_may_live(const Input& in);  // row 8
std::optional<Decision> clean_up(const Input& in);           // row 12
std::optional<Decision> start(const Input& in);              // row 12

}  // namespace keyturn::engine::rows
