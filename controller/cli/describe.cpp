#include "controller/cli/describe.h"

#include <algorithm>
#include <utility>

#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

using rotation::Condition;
using rotation::Policy;

std::string row(const char* name, const std::string& text) {
  std::string line = "  ";
  line += name;
  line.append(line.size() < 12 ? 12 - line.size() : 1, ' ');
  return line + text + "\n";
}

std::string schedule_text(const Policy& policy, WallTime now) {
  if (!policy.spec.schedule)
    return "none: rotates only on request (keyturn rotate " + policy.name + " -n " + policy.ns +
           ")";
  std::string text = policy.spec.schedule->expression;
  if (!policy.spec.schedule->time_zone.empty()) text += " " + policy.spec.schedule->time_zone;
  if (policy.spec.suspend)
    return text + ", suspended: no new rotation starts until spec.suspend is false";
  if (policy.status.last_rotation)
    text += ", last rotation " + format_age(now - *policy.status.last_rotation) + " ago";
  if (policy.status.next_rotation) {
    text += ", next " + format_rfc3339(*policy.status.next_rotation) + " (" +
            until(policy.status.next_rotation, now) + ")";
  }
  return text;
}

std::string labels_text(const SecretSight& secret) {
  if (!secret.trouble.empty()) return "not shown: " + secret.trouble;
  const auto& l = secret.labels;
  std::string text = "AWSCURRENT " + short_version(l.current);
  if (!l.previous.empty()) text += ", AWSPREVIOUS " + short_version(l.previous);
  if (!l.pending.empty()) text += ", AWSPENDING " + short_version(l.pending);
  if (!l.latest.empty()) text += ", KEYTURN_LATEST " + short_version(l.latest);
  if (!l.baton.empty()) text += ", KEYTURN_BATON " + short_version(l.baton);
  return text;
}

const rotation::TargetStatus* written(const Policy& policy, const std::string& name) {
  for (const auto& target : policy.status.targets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

std::string secrets_of(const Policy& policy) {
  std::string text;
  for (const auto& target : policy.spec.targets)
    text += (text.empty() ? "Secret " : ", ") + target.name;
  return text;
}

// Those that do not hold the current version; "" for none.
std::string secrets_behind(const Policy& policy) {
  std::string text;
  for (const auto& target : policy.spec.targets) {
    const auto* there = written(policy, target.name);
    if (there != nullptr && there->version_id == policy.status.current_version_id) continue;
    text += (text.empty() ? "not yet: Secret " : ", ") + target.name;
    if (there != nullptr && !there->version_id.empty())
      text += " holds " + short_version(there->version_id);
  }
  return text;
}

std::string now_text(const Policy& policy, WallTime now) {
  const auto& status = policy.status;
  if (const Condition* stalled = status.condition("Stalled"))
    return "stalled (" + stalled->reason + "): " + stalled->message;
  // Until the old credential is revoked, its retirement is the rotation's last step.
  if (status.retiring && (!status.rotation || status.rotation->step == "retire"))
    return describe_retiring(policy, now);
  if (status.rotation) {
    return "rotating: version " + short_version(status.rotation->version_id) + " at " +
           status.rotation->step + ", for " + format_age(now - status.rotation->started_at) +
           (status.rotation->message.empty() ? "" : "; " + status.rotation->message);
  }
  if (const Condition* busy = status.condition("Reconciling"))
    return "waiting (" + busy->reason + "): " + busy->message;
  return "nothing under way";
}

std::string targets_text(const Policy& policy, WallTime now) {
  std::string text;
  for (const auto& target : policy.spec.targets) {
    std::string line = "Secret " + target.name + ": ";
    const rotation::TargetStatus* there = written(policy, target.name);
    if (there == nullptr || there->version_id.empty()) {
      line += "not written yet";
    } else {
      line += there->version_id == policy.status.current_version_id
                  ? "holds the current version"
                  : "holds " + short_version(there->version_id) + ", not the current version";
      if (there->synced_at) line += ", written " + format_age(now - *there->synced_at) + " ago";
    }
    text += row(text.empty() ? "targets" : "", line);
  }
  const Condition* synced = policy.status.condition("Synced");
  if (synced && synced->status == "False")
    text += row("", "! " + synced->reason + ": " + synced->message);
  return text.empty() ? row("targets", "none") : text;
}

std::string followers_text(const Policy& owner, const std::vector<Policy>& followers,
                           const std::string& trouble) {
  std::string text;
  for (const Policy& policy : followers) {
    const auto& status = policy.status;
    std::string line = "RotationPolicy " + policy.key() + ": ";
    if (const Condition* stalled = status.condition("Stalled")) {
      line += "stalled (" + stalled->reason + ")";
    } else {
      const bool current = status.current_version_id == owner.status.current_version_id;
      const Condition* synced = status.condition("Synced");
      line += current && synced && synced->status == "True" ? "synced" : "not synced";
      const Condition* out = status.condition("RolledOut");
      if (out && out->status != "True") line += ", not rolled out: " + out->message;
    }
    text += row(text.empty() ? "followers" : "", line);
  }
  if (!trouble.empty())
    text += row(text.empty() ? "followers" : "", "others not shown: " + trouble);
  return text;
}

std::string history_text(const Policy& policy, WallTime now) {
  std::string text;
  for (const auto& entry : policy.status.history) {
    std::string line =
        short_version(entry.version_id) + "  " + format_age(now - entry.started_at) + " ago";
    if (entry.finished_at)
      line += "  took " + format_duration(*entry.finished_at - entry.started_at);
    line += "  " + (entry.trigger.empty() ? "unknown" : entry.trigger) + "  " + entry.outcome;
    text += row(text.empty() ? "history" : "", line);
  }
  return text.empty() ? row("history", "no rotation yet") : text;
}

}  // namespace

std::string short_version(const std::string& version_id) {
  return version_id.size() > 8 ? version_id.substr(0, 8) + "…"
         : version_id.empty()  ? "-"
                               : version_id;
}

std::string describe_retiring(const Policy& policy, WallTime now) {
  const rotation::RetiringStatus& retiring = *policy.status.retiring;
  bool here = false;  // the first line that is not done bears the mark
  const auto line = [&](bool done, const char* name, const std::string& text) {
    const bool mark = !done && !std::exchange(here, here || !done);
    std::string out = mark ? "            > " : "              ";
    out += name;
    out.append(27 - std::min<std::size_t>(27, out.size()), ' ');
    return "\n" + out + text;
  };
  std::string text = "retiring the old credential (version " + short_version(retiring.version_id) +
                     "), for " + format_age(now - retiring.since);
  const std::string missing = secrets_behind(policy);
  if (!policy.spec.targets.empty())
    text += line(missing.empty(), "synced", missing.empty() ? secrets_of(policy) : missing);
  if (const Condition* out = policy.status.condition("RolledOut"))
    text += line(out->status == "True", out->status == "True" ? "rolled out" : "rolling out",
                 out->message);
  if (!retiring.waiting_for.empty())
    text += line(false, "still held",
                 retiring.waiting_for + "; to wait no longer: keyturn revoke " + policy.name +
                     " -n " + policy.ns + " --yes");
  const std::string earliest =
      retiring.earliest ? "revoked at the earliest " + format_rfc3339(*retiring.earliest) + " (" +
                              until(retiring.earliest, now) + ")"
                        : "grace period " + format_duration(policy.spec.retirement.grace_period) +
                              ", then revoked";
  return text + line(false, "then", earliest);
}

std::string ago(std::optional<WallTime> t, WallTime now) { return t ? format_age(now - *t) : "-"; }

std::string until(std::optional<WallTime> t, WallTime now) {
  if (!t) return "-";
  return *t > now ? "in " + format_age(*t - now) : "now";
}

std::string state_of(const Policy& policy) {
  if (const Condition* stalled = policy.status.condition("Stalled"))
    return "Stalled: " + stalled->reason;
  if (policy.status.rotation) return "Rotating: " + policy.status.rotation->step;
  if (policy.status.retiring) return "Retiring";
  const Condition* ready = policy.status.condition("Ready");
  if (!ready) return "Pending";
  return ready->status == "True" ? "Ready" : "NotReady: " + ready->reason;
}

std::string describe_policy(const Policy& policy, const SecretSight& secret, WallTime now,
                            const std::vector<Policy>& followers,
                            const std::string& followers_trouble) {
  const auto& status = policy.status;
  std::string text = "RotationPolicy " + policy.key() + "   " + policy.spec.strategy.name + "   " +
                     state_of(policy) + "\n";
  std::string of =
      policy.spec.secret_id + (policy.spec.region.empty() ? "" : " (" + policy.spec.region + ")");
  if (!status.current_version_id.empty())
    of += "   current version " + short_version(status.current_version_id);
  if (status.current_version_created)
    of += ", " + format_age(now - *status.current_version_created) + " old";
  text += row("secret", of);
  if (!status.secret_arn.empty()) text += row("", status.secret_arn);
  text += row("labels", labels_text(secret));
  text += row("schedule", schedule_text(policy, now));
  text += row("now", now_text(policy, now));
  text += targets_text(policy, now);
  text += followers_text(policy, followers, followers_trouble);
  return text + history_text(policy, now);
}

}  // namespace keyturn::cli
