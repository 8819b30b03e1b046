// Whose fields are they? What server-side apply's managedFields (KEP-555) say about an object,
// boiled down to what drift detection needs (design 1.9): which keys of `data`, which labels and
// annotations a manager still owns by Apply, and whether others own data that it does not. An edit,
// a removed key or a restore takes ownership away, so equality with the expected keys means "as we
// wrote it".
//
// Key lists are packed into one string, sorted and joined by ',' (which none of these keys may
// contain): cheap to hold ten thousand times, and compared by ==. Names only: no value is seen
// here. Facts: structured-merge-diff fieldpath, seen on 1.36.
//
// Thread rule: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/client.h"

namespace keyturn::kube {

struct FieldOwnership {
  std::string data_keys;    // keys of `data` the manager owns, packed
  std::string labels;       // packed
  std::string annotations;  // packed
  // Another manager (or ours by another operation) owns keys of `data` that ours does not own.
  bool foreign_data = false;

  friend bool operator==(const FieldOwnership&, const FieldOwnership&) = default;
};

// `managed_fields`: metadata.managedFields of an object or of its PartialObjectMetadata; null or
// malformed: nothing is owned. Entries for subresources do not count.
FieldOwnership field_ownership(const nlohmann::json& managed_fields,
                               std::string_view manager = kFieldManager);

// Sorted, without doubles, joined: what the fields above are compared with.
std::string pack_keys(std::vector<std::string> keys);
std::vector<std::string> unpack_keys(std::string_view packed);

}  // namespace keyturn::kube
