#include "tests/sandbox/faults.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::sandbox {
namespace {

constexpr std::array<std::pair<const char*, FaultKind>, 10> kKinds = {{
    {"delay", FaultKind::Delay},
    {"error", FaultKind::Error},
    {"reset-before", FaultKind::ResetBefore},
    {"reset-after", FaultKind::ResetAfter},
    {"black-hole", FaultKind::BlackHole},
    {"hold-reply", FaultKind::HoldReply},
    {"duplicate", FaultKind::Duplicate},
    {"half-line", FaultKind::HalfLine},
    {"cut-watch", FaultKind::CutWatch},
    {"watch-gone", FaultKind::WatchGone},
}};

bool fits(const std::string& pattern, const std::string& text) {
  return pattern.empty() || glob_match(pattern, text);
}

bool matches(const Fault& fault, const Call& call) {
  return fits(fault.service, call.service) && fits(fault.operation, call.operation) &&
         fits(fault.resource, call.resource) && fits(fault.ns, call.ns) &&
         fits(fault.name, call.name);
}

template <class T>
void take(const Json& json, const char* key, T& out) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  try {
    out = found->get<T>();
  } catch (const Json::exception&) {
    throw std::invalid_argument(std::string("fault: bad ") + key);
  }
}

}  // namespace

Fault fault_from_json(const Json& json) {
  if (!json.is_object()) throw std::invalid_argument("fault: an object is wanted");
  static constexpr std::array kKnown = {
      "id",      "service",    "operation",   "resource", "namespace", "name",   "skip",
      "every",   "times",      "probability", "kind",     "delayMs",   "status", "code",
      "message", "retryAfter", "events",      "torn",     "seen",      "hits"};
  for (const auto& [key, value] : json.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      throw std::invalid_argument("fault: unknown field " + key);
    }
  }
  Fault out;
  take(json, "id", out.id);
  take(json, "service", out.service);
  take(json, "operation", out.operation);
  take(json, "resource", out.resource);
  take(json, "namespace", out.ns);
  take(json, "name", out.name);
  take(json, "skip", out.skip);
  take(json, "every", out.every);
  take(json, "times", out.times);
  take(json, "probability", out.probability);
  take(json, "delayMs", out.delay_ms);
  take(json, "status", out.status);
  take(json, "code", out.code);
  take(json, "message", out.message);
  take(json, "retryAfter", out.retry_after);
  take(json, "events", out.events);
  take(json, "torn", out.torn);
  std::string kind = "error";
  take(json, "kind", kind);
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return kind == k.first; });
  if (found == kKinds.end()) throw std::invalid_argument("fault: unknown kind " + kind);
  out.kind = found->second;
  if (out.every == 0) out.every = 1;
  return out;
}

Json to_json(const Fault& fault) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const auto& k) { return fault.kind == k.second; });
  return {{"id", fault.id},
          {"service", fault.service},
          {"operation", fault.operation},
          {"resource", fault.resource},
          {"namespace", fault.ns},
          {"name", fault.name},
          {"skip", fault.skip},
          {"every", fault.every},
          {"times", fault.times},
          {"probability", fault.probability},
          {"kind", kind->first},
          {"delayMs", fault.delay_ms},
          {"status", fault.status},
          {"code", fault.code},
          {"message", fault.message},
          {"retryAfter", fault.retry_after},
          {"events", fault.events},
          {"torn", fault.torn},
          {"seen", fault.seen},
          {"hits", fault.hits}};
}

std::string FaultPlan::add(Fault fault) {
  const std::lock_guard lock(mutex_);
  if (fault.id.empty()) fault.id = "fault-" + std::to_string(next_id_++);
  std::erase_if(faults_, [&](const Fault& f) { return f.id == fault.id; });
  faults_.push_back(fault);
  return fault.id;
}

bool FaultPlan::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(faults_, [&](const Fault& f) { return f.id == id; }) > 0;
}

void FaultPlan::clear() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
}

std::vector<Fault> FaultPlan::list() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::optional<Fault> FaultPlan::decide(const Call& call) {
  const std::lock_guard lock(mutex_);
  std::optional<Fault> hit;
  for (Fault& fault : faults_) {
    if (!matches(fault, call)) continue;
    const std::uint64_t number = fault.seen++;
    if (hit || number < fault.skip || (number - fault.skip) % fault.every != 0) continue;
    if (fault.times != 0 && fault.hits >= fault.times) continue;
    if (fault.probability < 1.0 && rng_.unit() >= fault.probability) continue;
    ++fault.hits;
    hit = fault;
  }
  return hit;
}

}  // namespace keyturn::sandbox
