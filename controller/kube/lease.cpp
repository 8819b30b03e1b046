// After client-go tools/leaderelection. Two deliberate differences, both on the safe side: the
// renew deadline runs from the moment the last successful renewal was sent, and a lease seen in
// other hands ends leadership at once.
#include "controller/kube/lease.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "controller/kube/json_access.h"
#include "controller/kube/sleep.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

constexpr double kJitter = 1.2;
constexpr Duration kReleaseTimeout{2'000};
constexpr int kReleaseTries = 3;

enum class Attempt {
  Held,    // ours until the lease runs out
  Other,   // somebody else holds it
  Failed,  // not known: the request failed
};

std::int64_t whole_seconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::seconds>(d).count();
}

}  // namespace

// Everything here belongs to the lease's thread.
struct LeaderElection::Impl {
  Impl(const LeaseOptions& o, std::atomic<bool>& l) : options(o), leading(l) {}

  void run(const std::stop_token& stop);
  bool acquire(const std::stop_token& stop);
  void lead(const std::stop_token& stop);
  bool renew(const std::stop_token& stop);
  void release();
  Attempt attempt(Duration timeout, const std::stop_token& stop);
  Attempt write(Client& client, json lease, MonoTime sent);
  void observe(json lease);
  bool held_by_other() const;
  json our_record(const json& lease) const;

  const LeaseOptions& options;
  std::atomic<bool>& leading;
  std::optional<json> lease;  // as last seen; unset when its resourceVersion may be old
  std::string record;         // its spec as text: "since the record last changed"
  MonoTime changed_at{};
  std::string holder;
  Duration duration{0};
  MonoTime renewed_at{};
  std::jthread thread;
};

void LeaderElection::Impl::observe(json seen) {
  static const json kEmpty = json::object();
  const json* spec = member(seen, "spec");
  if (spec == nullptr) spec = &kEmpty;
  std::string text = spec->dump(-1, ' ', false, json::error_handler_t::replace);
  if (text != record) {
    record = std::move(text);
    changed_at = options.clock->mono();
  }
  holder = string_at(*spec, "holderIdentity");
  const auto seconds = std::clamp<std::int64_t>(
      integer_at(*spec, "leaseDurationSeconds").value_or(whole_seconds(options.lease)), 0,
      24 * 3600);
  duration = std::chrono::seconds(seconds);
  lease = std::move(seen);
}

bool LeaderElection::Impl::held_by_other() const {
  return !holder.empty() && holder != options.identity &&
         options.clock->mono() < changed_at + duration;
}

json LeaderElection::Impl::our_record(const json& seen) const {
  const std::string now = format_rfc3339_micro(options.clock->now());
  json spec = {{"holderIdentity", options.identity},
               {"leaseDurationSeconds", whole_seconds(options.lease)},
               {"acquireTime", now},
               {"renewTime", now},
               {"leaseTransitions", 0}};
  const json* old = member(seen, "spec");
  if (old == nullptr) return spec;
  const auto transitions = integer_at(*old, "leaseTransitions").value_or(0);
  if (string_at(*old, "holderIdentity") == options.identity) {
    if (const auto since = string_at(*old, "acquireTime"); !since.empty())
      spec["acquireTime"] = since;
    spec["leaseTransitions"] = transitions;
  } else {
    spec["leaseTransitions"] = transitions + 1;
  }
  return spec;
}

Attempt LeaderElection::Impl::write(Client& client, json wanted, MonoTime sent) {
  const bool exists = lease.has_value();
  wanted["spec"] = our_record(exists ? *lease : wanted);
  lease.reset();  // whatever happens now, the old resourceVersion is no longer to be trusted
  auto written = exists ? client.update(kLeases, options.ns, options.name, wanted)
                        : client.create(kLeases, options.ns, wanted);
  if (!written) {
    if (written.error().cls != ErrorClass::Conflict) {
      log::warn("lease not written",
                {{"lease", options.name}, {"error", written.error().describe()}});
    }
    return Attempt::Failed;
  }
  observe(*std::move(written));
  renewed_at = sent;
  return Attempt::Held;
}

Attempt LeaderElection::Impl::attempt(Duration timeout, const std::stop_token& stop) {
  Client client = options.client->with_timeout(timeout, stop);
  // The holder writes without looking first: nobody else may write while its lease lasts.
  if (leading && lease && holder == options.identity) {
    json wanted = *lease;
    return write(client, std::move(wanted), options.clock->mono());
  }
  auto seen = client.get(kLeases, options.ns, options.name);
  if (!seen && seen.error().cls == ErrorClass::NotFound) {
    lease.reset();
    json fresh = {{"apiVersion", kLeases.api_version()},
                  {"kind", kLeases.kind},
                  {"metadata", {{"namespace", options.ns}, {"name", options.name}}}};
    return write(client, std::move(fresh), options.clock->mono());
  }
  if (!seen) {
    log::warn("lease not read", {{"lease", options.name}, {"error", seen.error().describe()}});
    return Attempt::Failed;
  }
  observe(*std::move(seen));
  if (held_by_other()) return Attempt::Other;
  json wanted = *lease;
  if (json* metadata = wanted.contains("metadata") ? &wanted["metadata"] : nullptr) {
    if (metadata->is_object()) metadata->erase("managedFields");
  }
  return write(client, std::move(wanted), options.clock->mono());
}

bool LeaderElection::Impl::acquire(const std::stop_token& stop) {
  std::string told;
  while (!stop.stop_requested()) {
    const Attempt result = attempt(options.renew_deadline / 2, stop);
    if (result == Attempt::Held) return true;
    if (result == Attempt::Other && holder != told) {
      told = holder;
      log::info("waiting for the lease", {{"lease", options.name}, {"holder", holder}});
    }
    const double stretch = 1.0 + kJitter * options.rng->unit();
    const auto pause =
        static_cast<Duration::rep>(static_cast<double>(options.retry.count()) * stretch);
    sleep_for(*options.clock, Duration(pause), stop);
  }
  return false;
}

// False: the deadline passed or somebody else holds the lease. Ends early, true, when stopped.
bool LeaderElection::Impl::renew(const std::stop_token& stop) {
  const MonoTime deadline = renewed_at + options.renew_deadline;
  while (!stop.stop_requested()) {
    const Duration left = deadline - options.clock->mono();
    if (left <= Duration(0)) return false;
    // No answer may come later than the deadline: by then others may have taken over.
    const Attempt result = attempt(std::min(options.renew_deadline / 2, left), stop);
    if (result == Attempt::Held) return true;
    if (result == Attempt::Other) return false;
    const Duration rest = deadline - options.clock->mono();
    sleep_for(*options.clock, std::clamp(rest, Duration(0), options.retry), stop);
  }
  return true;
}

void LeaderElection::Impl::lead(const std::stop_token& stop) {
  leading.store(true, std::memory_order_release);
  log::info("leading", {{"lease", options.name}, {"identity", options.identity}});
  if (options.on_started) options.on_started();
  while (sleep_for(*options.clock, options.retry, stop)) {
    if (renew(stop)) continue;
    leading.store(false, std::memory_order_release);
    log::error("leadership lost", {{"lease", options.name}, {"holder", holder}});
    if (options.on_lost) options.on_lost();
    return;
  }
  leading.store(false, std::memory_order_release);
  release();
}

// An empty holder and a duration of a second let the next one in at once.
void LeaderElection::Impl::release() {
  Client client = options.client->with_timeout(kReleaseTimeout);
  for (int i = 0; i < kReleaseTries; ++i) {
    if (!lease) {
      auto seen = client.get(kLeases, options.ns, options.name);
      if (!seen) continue;
      observe(*std::move(seen));
    }
    if (holder != options.identity) return;
    json wanted = *std::move(lease);
    lease.reset();
    const std::string now = format_rfc3339_micro(options.clock->now());
    json& spec = wanted["spec"];
    spec["holderIdentity"] = "";
    spec["leaseDurationSeconds"] = 1;
    spec["renewTime"] = now;
    spec["acquireTime"] = now;
    if (client.update(kLeases, options.ns, options.name, wanted)) return;
  }
  log::warn("lease not released: it runs out by itself", {{"lease", options.name}});
}

void LeaderElection::Impl::run(const std::stop_token& stop) {
  if (acquire(stop)) lead(stop);
}

LeaderElection::LeaderElection(LeaseOptions options)
    : options_(std::move(options)), impl_(std::make_unique<Impl>(options_, leading_)) {}

LeaderElection::~LeaderElection() { stop(); }

Status LeaderElection::start() {
  const LeaseOptions& o = options_;
  if (o.client == nullptr || o.clock == nullptr || o.rng == nullptr || o.identity.empty() ||
      o.ns.empty() || o.name.empty()) {
    return invalid("MissingOption",
                   "leader election needs a client, clock, rng, namespace, name and identity");
  }
  if (o.lease <= o.renew_deadline || o.lease < Duration(1'000)) {
    return invalid("BadLease", "the lease must be longer than the renew deadline and at least 1s");
  }
  const double shortest = kJitter * static_cast<double>(o.retry.count());
  if (o.retry <= Duration(0) || static_cast<double>(o.renew_deadline.count()) <= shortest) {
    return invalid("BadLease", "the renew deadline must be longer than 1.2 times the retry period");
  }
  impl_->thread =
      std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
  return {};
}

void LeaderElection::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->thread.request_stop();
  impl_->thread.join();
}

}  // namespace keyturn::kube
