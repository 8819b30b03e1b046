#include "controller/rotation/gate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/policy_reading.h"
#include "controller/rotation/workload_refs.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr std::size_t kNamed = 5;
constexpr Duration kRounding{1'000};         // times of a status are whole seconds, rounded down
constexpr Duration kVolumeRefresh{120'000};  // sync period (a minute) and cache of the kubelet

const char* statuses_of(ContainerKind kind) {
  switch (kind) {
    case ContainerKind::Init:
      return "initContainerStatuses";
    case ContainerKind::Regular:
      return "containerStatuses";
    case ContainerKind::Ephemeral:
      return "ephemeralContainerStatuses";
  }
  return "";
}

// The container's entry in the pod's status; null when there is none.
const json& status_of(const json& pod, ContainerKind kind, const std::string& name) {
  static const json kNothing;
  const json& list = member_of(member_of(pod, "status"), statuses_of(kind));
  if (!list.is_array()) return kNothing;
  for (const json& entry : list) {
    if (text_of(entry, "name") == name) return entry;
  }
  return kNothing;
}

bool runs_anything(const json& pod) {
  for (const auto kind : {ContainerKind::Init, ContainerKind::Regular, ContainerKind::Ephemeral}) {
    const json& list = member_of(member_of(pod, "status"), statuses_of(kind));
    if (!list.is_array()) continue;
    for (const json& entry : list) {
      if (member_of(member_of(entry, "state"), "running").is_object()) return true;
    }
  }
  return false;
}

// When the pod was given to its node, in whole seconds rounded down; nullopt: it has none, so that
// nothing of it can have started. The epoch stands for "unknown".
std::optional<WallTime> bound(const json& pod) {
  if (text_of(member_of(pod, "spec"), "nodeName").empty()) return std::nullopt;
  const json& conditions = member_of(member_of(pod, "status"), "conditions");
  if (conditions.is_array()) {
    for (const json& one : conditions) {
      if (text_of(one, "type") != "PodScheduled" || text_of(one, "status") != "True") continue;
      if (const auto at = time_of(one, "lastTransitionTime")) return at;
    }
  }
  return time_of(member_of(pod, "metadata"), "creationTimestamp").value_or(WallTime{});
}

// Whether the container may run on the value of before `fresh` though its node has not said so: it
// could start before that, and what is known of it (nothing, or that it was about to start) may be
// older. A run that ended later shows that the next one began later.
bool may_run_unreported(const json& pod, const SecretUse& use, WallTime fresh) {
  const auto since = bound(pod);
  if (!since || *since >= fresh) return false;
  const json& entry = status_of(pod, use.kind, use.container);
  const json& state = member_of(entry, "state");
  if (member_of(state, "running").is_object() || member_of(state, "terminated").is_object())
    return false;
  const auto ended = time_of(member_of(member_of(entry, "lastState"), "terminated"), "finishedAt");
  return !ended || *ended < fresh;
}

// When a container of this use started to live on; nullopt: it holds nothing now. The epoch stands
// for "unknown": older than anything.
std::optional<WallTime> started(const json& pod, const SecretUse& use) {
  const json& entry = status_of(pod, use.kind, use.container);
  const json& state = member_of(entry, "state");
  const json& running = member_of(state, "running");
  if (running.is_object()) return time_of(running, "startedAt").value_or(WallTime{});
  if (use.kind == ContainerKind::Init) {
    const json& ended = member_of(state, "terminated");
    if (!ended.is_object() || !runs_anything(pod)) return std::nullopt;
    return time_of(ended, "startedAt").value_or(WallTime{});
  }
  if (entry.is_null() && text_of(member_of(pod, "status"), "phase") == "Unknown") return WallTime{};
  return std::nullopt;
}

enum class Holding { No, Yes, Unreported };

Holding holds(const json& pod, const SecretUse& use, const WrittenSecret& secret,
              Duration propagation, WallTime now) {
  const auto when = [](bool held) { return held ? Holding::Yes : Holding::No; };
  const WallTime fresh = secret.written + kRounding + propagation;
  const WallTime refreshed = std::max(fresh, secret.written + kRounding + kVolumeRefresh);
  const WallTime pod_started = time_of(member_of(pod, "status"), "startTime").value_or(WallTime{});
  if (use.way == SecretWay::ImagePull) return Holding::No;
  if (use.way == SecretWay::Driver) return when(pod_started < fresh && runs_anything(pod));
  const auto since = started(pod, use);
  if (use.way == SecretWay::Env) {
    if (since) return when(*since < fresh);
    return may_run_unreported(pod, use, fresh) ? Holding::Unreported : Holding::No;
  }
  if (pod_started >= fresh) return Holding::No;  // its volumes were made with the new value
  // A container that is about to restart reads what the old pod's volume holds then.
  if (!since && now < refreshed && runs_anything(pod)) return Holding::Yes;
  const bool reloads = use.way == SecretWay::Volume && secret.reloads_volumes;
  if (since) return when(reloads ? now < refreshed : *since < refreshed);
  if (reloads && now >= refreshed) return Holding::No;
  const auto given = bound(pod);
  if (!given || *given >= fresh || !may_run_unreported(pod, use, refreshed)) return Holding::No;
  return Holding::Unreported;
}

std::string named(const std::vector<std::string>& all) {
  const std::size_t shown = std::min(all.size(), kNamed);
  std::string text = join({all.begin(), all.begin() + static_cast<long>(shown)}, ", ");
  if (all.size() > shown) text += " and " + std::to_string(all.size() - shown) + " more";
  return text;
}

}  // namespace

std::string GateVerdict::text() const { return named(waiting_for); }

std::string GateVerdict::left_out() const {
  return ignored.empty() ? "" : "; not waited for: " + named(ignored);
}

GateVerdict judge_followers(const std::vector<FollowerView>& followers, RetireAfter after) {
  GateVerdict verdict;
  for (const FollowerView& follower : followers) {
    if (!follower.allowed) {
      verdict.ignored.push_back(follower.text() + " (no access rule)");
      continue;
    }
    for (const FollowedTarget& target : follower.targets) {
      const std::string which = follower.text() + " (Secret " + target.secret;
      if (!target.ever_synced) {
        verdict.ignored.push_back(which + " was never synced)");
      } else if (!target.in_sync || (after == RetireAfter::Rollout && !target.rolled_out)) {
        const std::string behind =
            which + (target.in_sync ? " is not rolled out" : " is not synced");
        if (target.given_up.empty()) {
          verdict.waiting_for.push_back(behind + ")");
        } else {
          verdict.ignored.push_back(behind + ": " + target.given_up + ")");
        }
      }
    }
  }
  if (after == RetireAfter::Immediately) verdict.waiting_for.clear();
  verdict.open = verdict.waiting_for.empty();
  return verdict;
}

std::optional<WallTime> all_spread(const std::vector<FollowerView>& followers,
                                   Duration propagation) {
  std::optional<WallTime> last;
  for (const FollowerView& follower : followers) {
    for (const FollowedTarget& target : follower.targets) {
      if (!follower.allowed || !target.in_sync) continue;
      const WallTime spread = target.written + kRounding + propagation;
      last = last ? std::max(*last, spread) : spread;
    }
  }
  return last;
}

std::string may_hold(const json& pod, const WrittenSecrets& secrets, Duration propagation,
                     WallTime now) {
  const std::string phase = text_of(member_of(pod, "status"), "phase");
  if (phase == "Succeeded" || phase == "Failed") return "";
  for (const SecretUse& use : secret_uses(member_of(pod, "spec"))) {
    const auto secret = secrets.find(use.secret);
    if (secret == secrets.end()) continue;
    const Holding holding = holds(pod, use, secret->second, propagation, now);
    if (holding == Holding::No) continue;
    std::string way(to_string(use.way));
    if (holding == Holding::Unreported) way += ", not reported by its node";
    return use.container.empty() ? way : use.container + ": " + way;
  }
  return "";
}

void note_retiring(PolicyStatus& status, const std::string& version_id, const GateVerdict& verdict,
                   Duration grace, WallTime now) {
  if (!status.retiring || status.retiring->version_id != version_id) {
    status.retiring = RetiringStatus{.version_id = version_id,
                                     .waiting_for = "",
                                     .since = std::chrono::floor<std::chrono::seconds>(now),
                                     .earliest = {}};
  }
  RetiringStatus& retiring = *status.retiring;
  retiring.waiting_for = verdict.open ? "" : verdict.text() + verdict.left_out();
  if (!verdict.open) {
    if (retiring.earliest) retiring.since = std::chrono::floor<std::chrono::seconds>(now);
    retiring.earliest.reset();
    return;
  }
  // Never too early: rounded up.
  if (!retiring.earliest) retiring.since = std::chrono::ceil<std::chrono::seconds>(now);
  retiring.earliest = retiring.since + grace;
}

bool grace_over(const PolicyStatus& status, const std::string& version_id, WallTime now) {
  const auto& retiring = status.retiring;
  if (!retiring || retiring->version_id != version_id || !retiring->earliest) return false;
  // Without a grace period the second that rounding adds is not waited for either.
  return now >= *retiring->earliest || *retiring->earliest == retiring->since;
}

}  // namespace keyturn::rotation
