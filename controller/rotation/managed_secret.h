// A managed Kubernetes Secret as the operator remembers it: metadata only, a few hundred bytes, no
// value and no hash of one.
//
// Drift is seen from server-side apply's field ownership (KEP-555): our apply names the keys it
// wrote in an annotation, and managedFields says which keys our manager still owns. An edit, a
// removed key or a restore from backup takes ownership away. Thread rule: plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::rotation {

// The names of the keys we wrote, comma-joined: key names are public, values are not. Lets a
// restarted operator see that a key of the default mapping was removed while it was away, without
// reading the value.
inline constexpr const char* kKeysAnnotation = "keyturn.dev/keys";

struct ManagedSecret {
  std::string ns, name, uid, resource_version;
  bool labelled = false;                             // keyturn.dev/managed: "true"
  std::string policy, secret_arn, version_id, keys;  // our annotations; "" when absent
  bool intact =
      false;  // we own exactly the data keys that `keys` names, and our label and annotations
  bool made_by_us = false;  // nobody else owns the type: we created it
  bool being_deleted = false;
  std::vector<std::string> owned_metadata;     // labels and annotations of ours beyond the standard
                                               // ones, sorted: "l:team", "a:x/y"
  std::vector<std::string> policy_owner_uids;  // ownerReferences of kind RotationPolicy
};

// From PartialObjectMetadata (managedFields included).
Result<ManagedSecret> decode_managed_secret(const nlohmann::json& object);

// Whether a pass would see no difference: a change to foreign labels or annotations costs nothing.
bool same_for_us(const ManagedSecret& a, const ManagedSecret& b);

}  // namespace keyturn::rotation
