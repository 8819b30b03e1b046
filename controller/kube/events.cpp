#include "controller/kube/events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "controller/kube/sleep.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kQueue = 1000;
constexpr std::size_t kMaxNote = 1000;  // the API's limit is 1024 bytes
constexpr std::size_t kMaxName = 230;   // leaves room for ".<hex>" in 253
constexpr Duration kRefresh = std::chrono::minutes(30);
constexpr Duration kFinish = std::chrono::minutes(6);
constexpr Duration kDrain{2'000};
constexpr Duration kRequest{10'000};
constexpr int kTries = 4;
constexpr Duration kFirstRetry{1'000};

std::string series_key(const Event& event) {
  const ObjectReference& r = event.regarding;
  const char* type = event.type == Event::Type::Normal ? "Normal" : "Warning";
  // None of the parts may hold a line feed.
  return join({type, event.action, event.reason, r.api_version, r.kind, r.ns, r.name, r.uid}, "\n");
}

// Unique per object in this process; the time keeps it apart from those of others.
std::string event_name(const std::string& regarding, WallTime now, std::uint64_t serial) {
  std::string name = regarding.substr(0, kMaxName);
  while (name.ends_with('.') || name.ends_with('-')) name.pop_back();
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  std::array<char, 17> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                 ms * 1'000'000 + serial % 1'000'000, 16)
                       .ptr;
  name += name.empty() ? "event." : ".";
  return name.append(digits.data(), end);
}

json reference(const ObjectReference& r) {
  json result = json::object();
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) result[name] = value;
  };
  add("apiVersion", r.api_version);
  add("kind", r.kind);
  add("namespace", r.ns);
  add("name", r.name);
  add("uid", r.uid);
  add("resourceVersion", r.resource_version);
  return result;
}

}  // namespace

struct ApiEventRecorder::Impl {
  // One event object at the server and what happened since.
  struct Series {
    std::string ns, name;
    json object;  // to create it again when the server has dropped it (events live for an hour)
    int count = 1;
    int written = 1;
    MonoTime last{};
    WallTime last_wall{};
  };

  Impl(Client& c, Clock& k, std::string ctl, std::string inst)
      : client(c), clock(k), controller(std::move(ctl)), instance(std::move(inst)) {}

  void run(const std::stop_token& stop);
  std::optional<Event> take(const std::stop_token& stop);
  void record(const Event& event, const std::stop_token& stop);
  void write_series(Series& series, const std::stop_token& stop);
  void tick(const std::stop_token& stop);
  void drain();
  template <class F>
  Status with_retries(const std::stop_token& stop, const F& request);
  json to_object(const Event& event, const std::string& ns, WallTime now);

  Client& client;
  Clock& clock;
  const std::string controller, instance;

  std::mutex mutex;
  std::condition_variable news;
  std::deque<Event> queue;
  std::uint64_t dropped = 0;

  // The recorder's thread only.
  std::map<std::string, Series> series;
  std::uint64_t serial = 0;
  MonoTime next_tick{}, next_refresh{};
  std::optional<MonoTime> drain_until;

  std::jthread thread;
};

json ApiEventRecorder::Impl::to_object(const Event& event, const std::string& ns, WallTime now) {
  return {
      {"apiVersion", kEvents.api_version()},
      {"kind", kEvents.kind},
      {"metadata", {{"namespace", ns}, {"name", event_name(event.regarding.name, now, serial++)}}},
      {"eventTime", format_rfc3339_micro(now)},
      {"reportingController", controller},
      {"reportingInstance", instance},
      {"type", event.type == Event::Type::Normal ? "Normal" : "Warning"},
      {"action", event.action},
      {"reason", event.reason},
      {"note", printable(event.note, kMaxNote)},
      {"regarding", reference(event.regarding)}};
}

// What is transient is tried again for a few seconds; anything else is not worth it for an event. A
// stop aborts the request under way and leaves it one more try within the drain.
template <class F>
Status ApiEventRecorder::Impl::with_retries(const std::stop_token& stop, const F& request) {
  Duration pause = kFirstRetry;
  for (int i = 1;; ++i) {
    if (stop.stop_requested() && !drain_until) drain_until = clock.mono() + kDrain;
    const bool draining = drain_until.has_value();
    const Duration left = draining ? *drain_until - clock.mono() : kRequest;
    if (left <= Duration(0)) return make_error(ErrorClass::Unavailable, "Stopping", "no time left");
    Client bounded = client.with_timeout(left, draining ? std::stop_token() : stop);
    Status done = request(bounded);
    if (done || draining) return done;
    if (stop.stop_requested()) continue;
    const Error& error = done.error();
    const bool again = error.cls == ErrorClass::Transient || error.cls == ErrorClass::Throttled;
    if (!again || i >= kTries) return done;
    sleep_for(clock, std::max(pause, error.retry_after.value_or(Duration(0))), stop);
    pause *= 2;
  }
}

void ApiEventRecorder::Impl::write_series(Series& s, const std::stop_token& stop) {
  if (s.written == s.count) return;
  json body = {{"count", s.count}, {"lastObservedTime", format_rfc3339_micro(s.last_wall)}};
  const Status done = with_retries(stop, [&](Client& c) -> Status {
    auto reply = c.merge_patch(kEvents, s.ns, s.name, {{"series", body}});
    if (!reply && reply.error().cls == ErrorClass::NotFound) {
      s.object["series"] = body;
      reply = c.create(kEvents, s.ns, s.object);
    }
    return reply ? Status() : Status(std::move(reply).error());
  });
  s.written = s.count;  // also when it failed: the next count says as much
  if (!done)
    log::warn("event series not written", {{"event", s.name}, {"error", done.error().describe()}});
}

void ApiEventRecorder::Impl::record(const Event& event, const std::stop_token& stop) {
  const MonoTime now = clock.mono();
  const WallTime wall = clock.now();
  const std::string key = series_key(event);
  const auto known = series.find(key);
  if (known != series.end() && now - known->second.last < kFinish) {
    Series& s = known->second;
    ++s.count;
    s.last = now;
    s.last_wall = wall;
    if (s.count == 2) write_series(s, stop);
    return;
  }
  if (known != series.end()) {
    write_series(known->second, stop);
    series.erase(known);
  }
  const std::string ns = event.regarding.ns.empty() ? "default" : event.regarding.ns;
  Series s;
  s.ns = ns;
  s.object = to_object(event, ns, wall);
  s.name = s.object["metadata"]["name"].get<std::string>();
  s.last = now;
  s.last_wall = wall;
  const Status done = with_retries(stop, [&](Client& c) -> Status {
    auto reply = c.create(kEvents, ns, s.object);
    // A repeated request whose first reply was lost.
    if (!reply && reply.error().code == "AlreadyExists") return {};
    return reply ? Status() : Status(std::move(reply).error());
  });
  if (!done) {
    log::warn("event not written",
              {{"namespace", ns}, {"reason", event.reason}, {"error", done.error().describe()}});
    return;
  }
  series.emplace(key, std::move(s));
}

void ApiEventRecorder::Impl::tick(const std::stop_token& stop) {
  const MonoTime now = clock.mono();
  if (now < next_tick) return;
  next_tick = now + kFinish;
  const bool refresh = now >= next_refresh;
  if (refresh) next_refresh = now + kRefresh;
  for (auto it = series.begin(); it != series.end();) {
    const bool over = now - it->second.last >= kFinish;
    if (over || refresh) write_series(it->second, stop);
    it = over ? series.erase(it) : std::next(it);
  }
}

std::optional<Event> ApiEventRecorder::Impl::take(const std::stop_token& stop) {
  std::uint64_t lost = 0;
  std::optional<Event> event;
  {
    std::unique_lock<std::mutex> lock(mutex);
    while (queue.empty() && !stop.stop_requested()) {
      if (!clock.wait_until(lock, news, next_tick)) break;
    }
    if (!queue.empty()) {
      event = std::move(queue.front());
      queue.pop_front();
    }
    lost = std::exchange(dropped, 0);
  }
  if (lost > 0)
    log::warn("events dropped: the queue was full", {{"count", static_cast<std::int64_t>(lost)}});
  return event;
}

void ApiEventRecorder::Impl::drain() {
  if (!drain_until) drain_until = clock.mono() + kDrain;
  const std::stop_token never;
  for (;;) {
    std::optional<Event> event;
    {
      const std::lock_guard<std::mutex> guard(mutex);
      if (queue.empty()) break;
      event = std::move(queue.front());
      queue.pop_front();
    }
    record(*event, never);
  }
  for (auto& [key, s] : series) write_series(s, never);
}

void ApiEventRecorder::Impl::run(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] {
    const std::lock_guard<std::mutex> guard(mutex);
    news.notify_all();
  });
  next_tick = clock.mono() + kFinish;
  next_refresh = clock.mono() + kRefresh;
  while (!stop.stop_requested()) {
    if (auto event = take(stop)) record(*event, stop);
    tick(stop);
  }
  drain();
}

ApiEventRecorder::ApiEventRecorder(Client& client, Clock& clock, std::string controller,
                                   std::string instance)
    : impl_(std::make_unique<Impl>(client, clock, std::move(controller), std::move(instance))) {}

ApiEventRecorder::~ApiEventRecorder() { stop(); }

void ApiEventRecorder::emit(Event event) {
  const std::lock_guard<std::mutex> guard(impl_->mutex);
  if (impl_->queue.size() >= kQueue) {
    impl_->queue.pop_front();
    ++impl_->dropped;
  }
  impl_->queue.push_back(std::move(event));
  impl_->news.notify_one();
}

void ApiEventRecorder::start() {
  impl_->thread =
      std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
}

void ApiEventRecorder::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->thread.request_stop();
  impl_->thread.join();
}

}  // namespace keyturn::kube
