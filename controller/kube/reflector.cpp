// States: Listing (one page a step) → Watching (one stream a step) → Watching or Listing again. A
// step does one exchange and returns the next state and how long to pause before it; nothing else
// sleeps.
//
//   Listing   page ok, more          Listing with the continue token (resourceVersion cleared)
//             last page              Watching at the list's resourceVersion
//             410 on page ≥ 2        the whole list in one page, once
//             410, or RV too large   Listing at "" (the newest there is), at once
//             429, 5xx, socket       the same page after a pause
//             anything else          Listing from its start after a pause
//   Watching  EOF, client deadline   Watching at the last resourceVersion, no list
//             410, HTTP or ERROR     Listing at the last resourceVersion
//             429, unreachable       Watching at the same resourceVersion after a pause
//             5xx, reset, bad line, EOF < 1 s without an event
//                                    the same, three times in a row; then Listing
//             anything else          Listing after a pause
//
// Every way from Watching back goes through the back-off unless the stream lasted a second, so no
// server can make us spin. After: client-go tools/cache/reflector.go (the rules), kube-rs
// watcher.rs (the shape).
#include "controller/kube/reflector.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "controller/kube/backoff.h"
#include "controller/kube/sleep.h"
#include "controller/kube/status.h"
#include "controller/kube/watch_event.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

constexpr Duration kShortWatch{1'000};
constexpr int kRetriesBeforeList = 3;
constexpr int kMinWatchSeconds = 300;
constexpr int kMaxWatchSeconds = 600;

struct Listing {
  std::string resource_version;
  std::string continue_token;
  bool unpaged = false;
  std::vector<std::string> keys;  // of the pages so far
};

struct Watching {
  std::string resource_version;
  int failures = 0;  // in a row
};

using State = std::variant<Listing, Watching>;

struct Next {
  State state;
  Duration pause{0};
};

// How one stream went.
struct Stream {
  std::size_t events = 0;
  // A watch from "" or "0" begins with made-up ADDED events in no order: their versions are no
  // place to go on from.
  bool synthetic = false;
  std::optional<Error> error;
};

bool is_start(std::string_view resource_version) {
  return resource_version.empty() || resource_version == "0";
}

// No connection came about (lib/http's codes).
bool is_unreachable(const Error& error) {
  return error.code == "Connect" || error.code == "Resolve" || error.code == "Tls" ||
         error.code == "Timeout";
}

}  // namespace

class Reflector::Machine {
 public:
  Machine(const ReflectorOptions& options, ObjectSink& sink, std::atomic<bool>& synced)
      : options_(options), sink_(sink), synced_(synced), backoff_(*options.clock, *options.rng) {}

  void run(const std::stop_token& stop) {
    State state = Listing{options_.list_latest ? "" : "0", {}, false, {}};
    while (!stop.stop_requested()) {
      Next next = step(std::move(state), stop);
      state = std::move(next.state);
      if (next.pause > Duration(0)) sleep_for(*options_.clock, next.pause, stop);
    }
  }

 private:
  Next step(State state, const std::stop_token& stop) {
    if (auto* listing = std::get_if<Listing>(&state)) return list(std::move(*listing), stop);
    return watch(std::get<Watching>(std::move(state)), stop);
  }

  Next list(Listing at, const std::stop_token& stop);
  Next after_list_error(Listing at, const Error& error);
  Next watch(Watching at, const std::stop_token& stop);
  Next after_watch(Watching at, const Stream& stream, Duration took, int timeout_seconds);
  bool on_line(std::string_view line, Watching& at, Stream& stream);
  void take_version(const std::string& version, Watching& at, const Stream& stream);
  std::string watch_query(const Watching& at, int timeout_seconds) const;
  // A Listing that has seen nothing yet; `resource_version` empty: the newest.
  static Listing list_from(std::string resource_version) {
    return Listing{std::move(resource_version), {}, false, {}};
  }
  Duration pause_for(const Error& error) {
    return std::max(backoff_.next(), error.retry_after.value_or(Duration(0)));
  }
  Next ended(std::string_view reason, const Error* error, Next next);

  const ReflectorOptions& options_;
  ObjectSink& sink_;
  std::atomic<bool>& synced_;
  Backoff backoff_;
  std::string last_;  // resourceVersion we are up to date with
};

Next Reflector::Machine::list(Listing at, const std::stop_token& stop) {
  ListOptions query;
  query.label_selector = options_.label_selector;
  query.field_selector = options_.field_selector;
  query.metadata_only = options_.metadata_only;
  query.limit = at.unpaged ? 0 : options_.page_size;
  query.continue_token = at.continue_token;
  if (at.continue_token.empty()) {
    query.resource_version = at.resource_version;
    // With `limit` a plain resourceVersion would mean exactly that one; what is wanted is "not
    // older".
    if (!is_start(at.resource_version)) query.resource_version_match = "NotOlderThan";
  }
  const auto on_item = [&](const json& object) -> Status {
    auto identity = identify(object);
    if (!identity) return std::move(identity).error();
    sink_.put(identity->key, identity->resource_version, object);
    at.keys.push_back(std::move(identity->key));
    return {};
  };
  auto page = options_.client->list_each(options_.type, options_.ns, query, stop, on_item);
  if (stop.stop_requested()) return {std::move(at)};
  if (!page) return after_list_error(std::move(at), page.error());
  if (!page->continue_token.empty()) {
    at.continue_token = std::move(page->continue_token);
    return {std::move(at)};
  }
  std::sort(at.keys.begin(), at.keys.end());
  at.keys.erase(std::unique(at.keys.begin(), at.keys.end()), at.keys.end());
  sink_.keep_only(at.keys);
  last_ = page->resource_version;
  synced_.store(true, std::memory_order_release);
  return {Watching{last_}};
}

Next Reflector::Machine::after_list_error(Listing at, const Error& error) {
  log::warn("list failed", {{"resource", options_.type.plural},
                            {"namespace", options_.ns},
                            {"error", error.describe()}});
  if (is_expired(error) && !at.continue_token.empty() && !at.unpaged) {
    return {Listing{std::move(at.resource_version), {}, true, {}}};
  }
  if (is_expired(error) || is_resource_version_too_large(error)) {
    const Duration pause = at.resource_version.empty() ? pause_for(error) : Duration(0);
    return {list_from(""), pause};
  }
  if (error.cls == ErrorClass::Transient || error.cls == ErrorClass::Throttled) {
    return {std::move(at), pause_for(error)};
  }
  return {list_from(std::move(at.resource_version)), pause_for(error)};
}

std::string Reflector::Machine::watch_query(const Watching& at, int timeout_seconds) const {
  std::string query =
      "watch=true&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(timeout_seconds);
  if (!at.resource_version.empty()) query += "&resourceVersion=" + url_encode(at.resource_version);
  if (!options_.label_selector.empty()) {
    query += "&labelSelector=" + url_encode(options_.label_selector);
  }
  if (!options_.field_selector.empty()) {
    query += "&fieldSelector=" + url_encode(options_.field_selector);
  }
  return query;
}

Next Reflector::Machine::watch(Watching at, const std::stop_token& stop) {
  const int timeout_seconds =
      kMinWatchSeconds +
      static_cast<int>(options_.rng->below(kMaxWatchSeconds - kMinWatchSeconds + 1));
  Stream stream;
  stream.synthetic = is_start(at.resource_version);
  const MonoTime started = options_.clock->mono();
  Status ended = options_.client->watch(
      options_.type, options_.ns, watch_query(at, timeout_seconds), options_.metadata_only,
      timeout_seconds, stop, [&](std::string_view line) { return on_line(line, at, stream); });
  if (!ended && !stream.error) stream.error = std::move(ended).error();
  if (stop.stop_requested()) return {std::move(at)};
  return after_watch(std::move(at), stream, options_.clock->mono() - started, timeout_seconds);
}

void Reflector::Machine::take_version(const std::string& version, Watching& at,
                                      const Stream& stream) {
  if (version.empty() || stream.synthetic) return;
  at.resource_version = version;
  last_ = version;
}

bool Reflector::Machine::on_line(std::string_view line, Watching& at, Stream& stream) {
  auto event = decode_watch_event(line);
  if (!event) {
    stream.error = std::move(event).error();
    return false;
  }
  if (event->type == WatchEvent::Type::Error) {
    stream.error = error_from_status(event->object);
    return false;
  }
  ++stream.events;
  if (event->type != WatchEvent::Type::Added) stream.synthetic = false;
  const ObjectIdentity& identity = event->identity;
  switch (event->type) {
    case WatchEvent::Type::Added:
    case WatchEvent::Type::Modified:
      sink_.put(identity.key, identity.resource_version, event->object);
      break;
    case WatchEvent::Type::Deleted:
      sink_.remove(identity.key);
      break;
    case WatchEvent::Type::Unknown:
      log::warn("watch event of an unknown type ignored", {{"resource", options_.type.plural}});
      return true;
    case WatchEvent::Type::Bookmark:
    case WatchEvent::Type::Error:
      break;
  }
  take_version(identity.resource_version, at, stream);
  return true;
}

Next Reflector::Machine::ended(std::string_view reason, const Error* error, Next next) {
  if (options_.observer != nullptr) options_.observer->on_restart(options_.type.plural, reason);
  const bool again = std::holds_alternative<Watching>(next.state);
  const auto level = error != nullptr ? log::Level::Warn : log::Level::Debug;
  if (log::enabled(level)) {
    log::write(level, "watch ended",
               {{"resource", options_.type.plural},
                {"namespace", options_.ns},
                {"reason", reason},
                {"next", again ? "watch" : "list"},
                {"error", error != nullptr ? error->describe() : std::string()}});
  }
  return next;
}

Next Reflector::Machine::after_watch(Watching at, const Stream& stream, Duration took,
                                     int timeout_seconds) {
  if (stream.events > 0) at.failures = 0;
  const bool short_lived = took < kShortWatch;
  const Error* error = stream.error ? &*stream.error : nullptr;
  if (error == nullptr && !(short_lived && stream.events == 0)) {
    at.failures = 0;
    const Duration pause = short_lived ? backoff_.next_unless_quiet() : Duration(0);
    return ended("eof", nullptr, {std::move(at), pause});
  }
  if (error != nullptr) {
    if (error->code == "Timeout" && took >= std::chrono::seconds(timeout_seconds)) {
      return ended("deadline", error, {std::move(at)});
    }
    if (is_expired(*error)) {
      return ended("expired", error, {list_from(last_), backoff_.next_unless_quiet()});
    }
    if (is_resource_version_too_large(*error)) {
      return ended("expired", error, {list_from(""), pause_for(*error)});
    }
    if (error->cls == ErrorClass::Throttled) {
      return ended("throttled", error, {std::move(at), pause_for(*error)});
    }
    if (is_unreachable(*error)) {
      return ended("unreachable", error, {std::move(at), pause_for(*error)});
    }
    const bool malformed = error->code == "MalformedEvent" || error->code == "LineTooLong";
    if (error->cls != ErrorClass::Transient && !malformed) {
      return ended("refused", error, {list_from(last_), pause_for(*error)});
    }
  }
  const Error closed = make_error(ErrorClass::Transient, "ShortWatch",
                                  "the server closed the watch at once, without an event");
  if (error == nullptr) error = &closed;
  const std::string_view reason = error == &closed                    ? "short"
                                  : error->cls == ErrorClass::Invalid ? "malformed"
                                                                      : "server_error";
  const Duration pause = pause_for(*error);
  if (++at.failures > kRetriesBeforeList) return ended(reason, error, {list_from(last_), pause});
  return ended(reason, error, {std::move(at), pause});
}

Reflector::Reflector(ReflectorOptions options, ObjectSink& sink)
    : options_(std::move(options)), sink_(sink) {}

Reflector::~Reflector() { stop(); }

Status Reflector::start() {
  if (options_.client == nullptr || options_.clock == nullptr || options_.rng == nullptr) {
    return invalid("MissingOption", "a reflector needs a client, a clock and an rng");
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  return {};
}

void Reflector::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Reflector::run(const std::stop_token& stop) {
  Machine machine(options_, sink_, synced_);
  machine.run(stop);
}

}  // namespace keyturn::kube
