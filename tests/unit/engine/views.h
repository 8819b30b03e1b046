// What the tests of the plan look at: versions by the letters of docs/protocol.md, and their
// labels.
#pragma once

#include <string>

#include "lib/engine/plan.h"

namespace keyturn::engine {

inline const std::string kArn =
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/orders-AbCdEf";
inline const std::string kC = "c0";                        // the current version
inline const std::string kX = successor_id(kArn, kC, "");  // its successor

// Labels by what the rows speak of; the view is what DescribeSecret would show.
inline View view(const Labels& l) {
  View v;
  v.secret.arn = kArn;
  v.secret.name = "shop/orders";
  const auto put = [&](const std::string& id, std::string_view label) {
    if (!id.empty()) v.secret.stages[id].insert(std::string(label));
  };
  put(l.current, kCurrent);
  put(l.previous, kPrevious);
  put(l.pending, kPending);
  put(l.latest, kLatest);
  put(l.baton, kBaton);
  v.labels = read_labels(kArn, v.secret.stages);
  return v;
}

}  // namespace keyturn::engine
