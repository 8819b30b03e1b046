// Operations on JSON values that know their schema: which fields a value has, what changed between
// two, merging an applied configuration, removing fields that nobody applies any more. The rules
// are those of structured-merge-diff: objects are granular unless declared atomic; lists are atomic
// unless declared a set or a map; what has no schema is granular maps and atomic lists. Thread
// rule: pure functions.
#pragma once

#include "tests/sandbox/field_set.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/schema.h"

namespace keyturn::sandbox {

// The fields that a configuration sets (server-side apply).
FieldSet fields_of(const Json& value, const Schema* schema);

struct Comparison {
  FieldSet added, modified, removed;
  bool same() const { return added.empty() && modified.empty() && removed.empty(); }
};
Comparison compare(const Json& before, const Json& after, const Schema* schema);

// `config` on top of `live`.
Json merge_applied(const Json& live, const Json& config, const Schema* schema);

// Removes from `value` what `owned_before` names and `owned_now` (all managers) does not.
void remove_released(Json& value, const FieldSet& owned_before, const FieldSet& owned_now,
                     const Schema* schema);

// "k:{…}" of a list-map item (missing keys take the schema's default, or null).
std::string item_element(const Json& item, const Schema* list);

}  // namespace keyturn::sandbox
