// One line of a watch stream: {"type":"ADDED","object":{…}} (metav1.WatchEvent).
// Thread rule: pure functions, plain values.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::kube {

// Who an object is; both come from its metadata.
struct ObjectIdentity {
  std::string key;  // "ns/name"
  std::string resource_version;
};
// Invalid "MalformedObject": no metadata.name.
Result<ObjectIdentity> identify(const nlohmann::json& object);

struct WatchEvent {
  enum class Type { Added, Modified, Deleted, Bookmark, Error, Unknown };
  Type type = Type::Unknown;
  nlohmann::json object;
  ObjectIdentity identity;  // key empty for Bookmark, Error, Unknown
};

// Invalid "MalformedEvent": not JSON, or not an event. A type of a later API version is Unknown.
Result<WatchEvent> decode_watch_event(std::string_view line);

}  // namespace keyturn::kube
