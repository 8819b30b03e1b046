#include "tests/sandbox/kube_watch.h"

#include <algorithm>
#include <charconv>

#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/event_rules.h"
#include "tests/sandbox/kube_list.h"
#include "tests/sandbox/table.h"

namespace keyturn::sandbox {
namespace {

constexpr std::size_t kBatch = 512;

std::uint64_t revision_of(const std::string& text) {
  std::uint64_t out = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    throw bad_request("Invalid value: \"" + printable(text) +
                      "\": resourceVersion must be a number");
  }
  return out;
}

}  // namespace

KubeWatch::KubeWatch(ObjectStore& store, const KubeRequest& kube, const HttpRequest& request,
                     const Clock& clock, Duration bookmark_interval)
    : store_(store),
      kube_(kube),
      clock_(clock),
      bookmark_interval_(bookmark_interval),
      request_(request),
      form_(negotiate(request, *kube.resource)),
      labels_(LabelSelector::parse(request.param("labelSelector").value_or(""))) {
  std::string selector = request.param("fieldSelector").value_or("");
  if (!kube.name.empty())
    selector += (selector.empty() ? "" : ",") + ("metadata.name=" + kube.name);
  fields_ = FieldSelector::parse(selector);
  check_field_paths(*kube.resource, fields_.paths());
  bookmarks_ = request.flag("allowWatchBookmarks");
  initial_events_ = request.flag("sendInitialEvents");
  const std::string match = request.param("resourceVersionMatch").value_or("");
  const std::string version = request.param("resourceVersion").value_or("");
  const auto refuse = [](const char* field, const char* why) {
    return invalid_object("ListOptions.meta.k8s.io", "",
                          {{"FieldValueForbidden", std::string("Forbidden: ") + why, field}});
  };
  if (request.param("sendInitialEvents") && match != "NotOlderThan") {
    throw refuse("resourceVersionMatch",
                 "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (!match.empty() && !request.param("sendInitialEvents")) {
    throw refuse(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  if (request.param("limit").value_or("0") == "-1") throw bad_request("limit must not be negative");
  cursor_ = version.empty() ? 0 : revision_of(version);
  if (initial_events_ && cursor_ > store.revision()) {
    throw too_large_version(version, std::to_string(store.revision()));
  }
  start_with_state_ = initial_events_ || cursor_ == 0;
  if (request.param("sendInitialEvents") && !initial_events_) {
    start_with_state_ = false;
    if (cursor_ == 0) cursor_ = store.revision();
  }
  const std::string seconds = request.param("timeoutSeconds").value_or("");
  length_ = std::chrono::seconds(seconds.empty() ? 0 : revision_of(seconds));
  if (length_.count() == 0) {
    static SystemRng rng;
    length_ = Duration(1'800'000 + static_cast<std::int64_t>(
                                       rng.below(1'800'000)));  // 30 to 60 min, as the server
  }
}

bool KubeWatch::matches(const Object& object) const {
  if (!kube_.ns.empty() && object.ns != kube_.ns) return false;
  return labels_.matches(object.doc()) && fields_.matches(object.doc());
}

std::string KubeWatch::shown(const Object& object) const {
  if (form_ == AnswerForm::Metadata) return object.metadata_text();
  if (form_ == AnswerForm::Table) {
    const auto copy = std::make_shared<Object>(object.ns, object.name, object.doc());
    std::string table = make_table(*kube_.resource, {copy}, request_, clock_.now(),
                                   text_at(object.doc(), "metadata", "resourceVersion"), Json());
    table.erase(table.find_last_not_of('\n') + 1);
    return table;
  }
  return kube_.resource->group == "events.k8s.io" ? to_events_v1(object.doc()).dump()
                                                  : object.text();
}

bool KubeWatch::send(HttpExchange& exchange, std::string_view type, const std::string& object) {
  std::string line = "{\"type\":\"" + std::string(type) + "\",\"object\":" + object + "}\n";
  if (fault_ && sent_ >= fault_->events) {
    switch (fault_->kind) {
      case FaultKind::HalfLine:
        exchange.write(line.substr(0, line.size() / 2));
        exchange.black_hole();
        ended_ = true;
        return false;
      case FaultKind::CutWatch:
        if (fault_->torn) {
          exchange.write(line.substr(0, line.size() / 2));
          exchange.reset();
        } else {
          exchange.end_stream();
        }
        ended_ = true;
        return false;
      case FaultKind::WatchGone:
        send_error(exchange, "too old resource version: ordered by the sandbox");
        return false;
      default:
        break;
    }
  }
  ++sent_;
  return exchange.write(line);
}

bool KubeWatch::send_error(HttpExchange& exchange, const std::string& message) {
  exchange.write("{\"type\":\"ERROR\",\"object\":" + expired(message).status().dump() + "}\n");
  return false;
}

std::string KubeWatch::bookmark(bool initial_end) const {
  Json metadata = {{"resourceVersion", std::to_string(cursor_)}, {"creationTimestamp", nullptr}};
  if (initial_end) metadata["annotations"]["k8s.io/initial-events-end"] = "true";
  Json object = {{"kind", kube_.resource->kind},
                 {"apiVersion", kube_.resource->api_version()},
                 {"metadata", metadata}};
  if (form_ == AnswerForm::Metadata) {
    object["kind"] = "PartialObjectMetadata";
    object["apiVersion"] = "meta.k8s.io/v1";
  }
  if (form_ == AnswerForm::Table) {
    object = {{"kind", "Table"},
              {"apiVersion", "meta.k8s.io/v1"},
              {"metadata", {{"resourceVersion", std::to_string(cursor_)}}},
              {"columnDefinitions", nullptr},
              {"rows", Json::array()}};
  }
  return object.dump();
}

bool KubeWatch::send_initial(HttpExchange& exchange) {
  const auto page = store_.list(kube_.resource->storage(), kube_.ns, "", 0, std::nullopt);
  cursor_ = page->revision;
  for (const ObjectPtr& object : page->objects) {
    if (matches(*object) && !send(exchange, "ADDED", shown(*object))) return false;
  }
  if (initial_events_ && bookmarks_) return send(exchange, "BOOKMARK", bookmark(true));
  return true;
}

// An object that starts or stops matching comes and goes for this watcher.
bool KubeWatch::send_events(HttpExchange& exchange) {
  for (;;) {
    const auto events = store_.events_after(kube_.resource->storage(), cursor_, kBatch);
    if (!events)
      return send_error(exchange, "too old resource version: " + std::to_string(cursor_));
    if (events->empty()) return true;
    for (const StoreEvent& event : *events) {
      cursor_ = event.revision;
      const bool before = event.previous && matches(*event.previous);
      const bool after = event.type != EventType::Deleted && matches(*event.object);
      if (after) {
        if (!send(exchange, before ? "MODIFIED" : "ADDED", shown(*event.object))) return false;
      } else if (before) {
        if (event.type == EventType::Deleted) {
          if (!send(exchange, "DELETED", shown(*event.object))) return false;
          continue;
        }
        // The watcher sees the last state that matched, at the version that made it leave.
        Json last = event.previous->doc();
        last["metadata"]["resourceVersion"] = std::to_string(event.revision);
        if (!send(exchange, "DELETED",
                  shown(Object(event.object->ns, event.object->name, std::move(last)))))
          return false;
      }
    }
  }
}

int KubeWatch::run(HttpExchange& exchange, const std::optional<Fault>& fault) {
  fault_ = fault;
  const auto signal = std::make_shared<WatchSignal>();
  store_.watch(kube_.resource->storage(), signal);
  struct Unwatch {
    ObjectStore& store;
    std::string resource;
    std::shared_ptr<WatchSignal> signal;
    ~Unwatch() { store.unwatch(resource, signal); }
  } const unwatch{store_, kube_.resource->storage(), signal};

  const MonoTime start = clock_.mono();
  MonoTime next_bookmark = start + bookmark_interval_;
  exchange.begin_stream(200, "application/json");
  bool go_on = !start_with_state_ || send_initial(exchange);
  while (go_on) {
    signal->clear();
    if (!(go_on = send_events(exchange))) break;
    const MonoTime now = clock_.mono();
    if (now >= start + length_) {
      if (bookmarks_) send(exchange, "BOOKMARK", bookmark(false));
      break;
    }
    if (bookmarks_ && now >= next_bookmark) {
      // Everything of this resource up to the store's revision has been seen.
      const std::uint64_t revision = store_.revision();
      if (!(go_on = send_events(exchange))) break;
      cursor_ = std::max(cursor_, revision);
      if (!(go_on = send(exchange, "BOOKMARK", bookmark(false)))) break;
      next_bookmark = now + bookmark_interval_;
      continue;
    }
    const MonoTime until = bookmarks_ ? std::min(next_bookmark, start + length_) : start + length_;
    const auto left = std::min<std::int64_t>((until - now).count(), 3'600'000);
    if (!exchange.wait(signal->fd(), static_cast<int>(left))) return 200;
  }
  if (!ended_) exchange.end_stream();
  return 200;
}

}  // namespace keyturn::sandbox
