#include "controller/kube/watch_event.h"

#include <utility>

#include "controller/kube/json_access.h"
#include "controller/kube/resource.h"
#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

WatchEvent::Type type_of(std::string_view text) {
  using Type = WatchEvent::Type;
  if (text == "ADDED") return Type::Added;
  if (text == "MODIFIED") return Type::Modified;
  if (text == "DELETED") return Type::Deleted;
  if (text == "BOOKMARK") return Type::Bookmark;
  if (text == "ERROR") return Type::Error;
  return Type::Unknown;
}

}  // namespace

Result<ObjectIdentity> identify(const json& object) {
  const json* metadata = member(object, "metadata");
  const std::string_view name =
      metadata == nullptr ? std::string_view() : string_at(*metadata, "name");
  if (name.empty()) return invalid("MalformedObject", "an object without metadata.name");
  return ObjectIdentity{object_key(string_at(*metadata, "namespace"), name),
                        std::string(string_at(*metadata, "resourceVersion"))};
}

Result<WatchEvent> decode_watch_event(std::string_view line) {
  json text = json::parse(line, nullptr, /*allow_exceptions=*/false);
  const std::string_view type = string_at(text, "type");
  if (type.empty() || member(text, "object") == nullptr || !text["object"].is_object()) {
    return invalid("MalformedEvent",
                   "a line of the watch is not an event");  // never quoted: may hold values
  }
  WatchEvent event;
  event.type = type_of(type);
  event.object = std::move(text["object"]);
  switch (event.type) {
    case WatchEvent::Type::Added:
    case WatchEvent::Type::Modified:
    case WatchEvent::Type::Deleted: {
      auto identity = identify(event.object);
      if (!identity) return invalid("MalformedEvent", "an event for " + identity.error().message);
      event.identity = *std::move(identity);
      break;
    }
    case WatchEvent::Type::Bookmark:
      if (const json* metadata = member(event.object, "metadata")) {
        event.identity.resource_version = string_at(*metadata, "resourceVersion");
      }
      break;
    case WatchEvent::Type::Error:
    case WatchEvent::Type::Unknown:
      break;
  }
  return event;
}

}  // namespace keyturn::kube
