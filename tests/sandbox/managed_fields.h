// Who owns which field: metadata.managedFields, kept up to date by every write.
//
// An apply declares the whole of what its manager wants: fields it no longer names are removed
// unless somebody else owns them, and a field whose value it changes must not belong to another
// manager unless forced. Any other write gives its manager what it changed and takes that away from
// everybody else. Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sandbox/field_set.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/schema.h"

namespace keyturn::sandbox {

struct WriteContext {
  std::string manager;
  std::string api_version;
  std::string subresource;
  std::string now;  // RFC 3339
  bool force = false;
  const Schema* schema = nullptr;
  Json empty = Json::object();  // an object of the kind in which nobody has set anything
};

// The object that results from applying `config` to `live` (an empty object when there is none),
// with its managedFields. Throws ApiError 409 with one cause per conflicting field.
Json apply_config(const Json& live, const Json& config, const WriteContext& context);

// Sets `after`'s managedFields for an ordinary write that turned `before` into `after`.
void track_update(const Json& before, Json& after, const WriteContext& context);

}  // namespace keyturn::sandbox
