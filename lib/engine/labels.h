// The staging labels of one secret, read as the label protocol reads them (docs/protocol.md).
//
// C, V, P: holders of AWSCURRENT, AWSPREVIOUS, AWSPENDING. L: holder of KEYTURN_LATEST, the newest
// version that Keyturn wrote. K: holder of KEYTURN_BATON, the version whose fate is undecided or
// whose credential is to be revoked. Thread rule: plain values, pure functions.
#pragma once

#include <string>
#include <string_view>

#include "lib/aws/secrets_manager.h"

namespace keyturn::engine {

inline constexpr std::string_view kCurrent = "AWSCURRENT";
inline constexpr std::string_view kPrevious = "AWSPREVIOUS";
inline constexpr std::string_view kPending = "AWSPENDING";
inline constexpr std::string_view kLatest = "KEYTURN_LATEST";
inline constexpr std::string_view kBaton = "KEYTURN_BATON";

struct Labels {
  std::string current{}, previous{}, pending{}, latest{},
      baton{};  // version ids; empty: nobody holds it
  friend bool operator==(const Labels&, const Labels&) = default;
};

// Who holds a label; empty: nobody.
std::string holder(const aws::StagesByVersion& stages, std::string_view label);

// What one request did to the labels, applied to what was seen before it, as AWS does it: a label
// has one holder, and AWSPREVIOUS goes to the version that AWSCURRENT leaves. `to` empty: the label
// is dropped.
void move_label(aws::StagesByVersion& stages, std::string_view label, const std::string& to);

// `arn` is needed to know our own versions by their id: a baton on a pending version made from the
// current one, or, while nobody holds KEYTURN_LATEST, a pending version made from the current or
// the previous one, counts as L should somebody have taken our label away.
Labels read_labels(const std::string& arn, const aws::StagesByVersion& stages);

// The id of the successor of `current`, given the latest version that Keyturn wrote ("" when none):
// a UUIDv8 whose first 48 bits are SHA-256(ARN, C) and whose other 74 free bits are SHA-256(ARN, C,
// L or "-"). Every actor that sees the same labels computes the same id, and an id is never used
// twice.
std::string successor_id(const std::string& arn, const std::string& current,
                         const std::string& latest);

// Whether version `id` was made from `base`: their first 48 bits agree. base(X) = C in the
// protocol's words.
bool made_from(const std::string& arn, const std::string& id, const std::string& base);

}  // namespace keyturn::engine
