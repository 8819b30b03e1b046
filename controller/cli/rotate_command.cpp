// `keyturn rotate NAME [--revoke-now] [--wait]`: asks the operator for a rotation by annotation;
// with
// --wait follows it to its end.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "controller/cli/cli.h"
#include "controller/cli/cluster.h"
#include "controller/cli/commands.h"
#include "controller/cli/describe.h"
#include "controller/cli/policy_request.h"
#include "controller/kube/informer.h"
#include "lib/base/rng.h"
#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

using rotation::Policy;

constexpr Duration kPatience{3'000};  // nothing new for so long: say what it waits for
constexpr int kLooks = 3;             // so many times: nor will an old stall go

struct RotateFlags {
  ClusterFlags cluster;
  std::string name;
  bool wait = false;
  bool revoke_now = false;
  std::string timeout = "10m";
};

int fail(const std::string& message) {
  complain("rotate", message);
  return kFailed;
}

// Prints what is new since the last look; tells how the rotation that was asked for ended, if it
// did.
class Follower {
 public:
  // `before`: the policy as it was when it was asked.
  Follower(std::string asked, WallTime since, bool revokes, const Policy& before)
      : asked_(std::move(asked)), since_(since), revokes_(revokes) {
    if (const auto* stalled = stalled_now(before)) old_stall_ = *stalled;
  }

  std::optional<int> look(const Policy& policy) {
    const auto& status = policy.status;
    quiet_ = 0;
    if (rotated_) return until_revoked(policy);
    if (status.rotation)
      say(status.rotation->step +
          (status.rotation->message.empty() ? "" : ": " + status.rotation->message));
    if (const auto* stalled = stalled_anew(policy); stalled && !status.rotation)
      return fail(stalled_text(policy, *stalled));
    for (const auto& entry : status.history) {
      if (entry.started_at < since_ || !entry.finished_at) continue;
      if (entry.outcome != "Succeeded")
        return fail("the rotation of " + policy.key() + " ended as " + entry.outcome +
                    "; see: keyturn status " + policy.name + " -n " + policy.ns);
      if (status.rotation || status.current_version_id != entry.version_id) return std::nullopt;
      return finish(policy, entry);
    }
    if (!status.rotation && status.last_handled_rotate_request == asked_) return overtaken(policy);
    return std::nullopt;
  }

  // Nothing new for kPatience: why, if the status tells.
  std::optional<int> still_waiting(const Policy& policy) {
    const auto& status = policy.status;
    if (const auto* stalled = stalled_now(policy); stalled && (rotated_ || !status.rotation)) {
      if (++quiet_ >= kLooks) return fail(stalled_text(policy, *stalled));
      say("waiting: it was stalled already (" + stalled->reason + "), the operator looks again");
      return std::nullopt;
    }
    if (rotated_ || status.rotation || status.last_handled_rotate_request == asked_)
      return std::nullopt;
    if (policy.spec.suspend)
      say("waiting: spec.suspend is true, no rotation starts until it is false");
    else
      say(status.next_rotation
              ? "waiting: the rotation may start at " + format_rfc3339(*status.next_rotation)
              : "waiting: the operator has not begun (is it running?)");
    return std::nullopt;
  }

 private:
  static const rotation::Condition* stalled_now(const Policy& policy) {
    const auto* stalled = policy.status.condition("Stalled");
    return stalled && stalled->observed_generation == policy.generation ? stalled : nullptr;
  }
  // An annotation does not raise the generation: what stalled the policy when it was asked is shown
  // until the operator has looked again, and is no answer.
  const rotation::Condition* stalled_anew(const Policy& policy) {
    const auto* stalled = stalled_now(policy);
    const bool handled = policy.status.last_handled_rotate_request == asked_;
    if (!handled && stalled && old_stall_ == *stalled) return nullptr;
    old_stall_.reset();
    return stalled;
  }
  std::string stalled_text(const Policy& policy, const rotation::Condition& stalled) const {
    const bool stands = policy.status.last_handled_rotate_request != asked_;
    return policy.key() + " is stalled (" + stalled.reason + "): " + stalled.message +
           (rotated_ ? "; the old credential is not revoked yet"
            : stands ? "; the request stands, and is served once that is mended"
                     : "");
  }
  // The operator has settled the request without a rotation since it was made: somebody was faster.
  std::optional<int> overtaken(const Policy& policy) {
    return fail("the request of " + asked_ + " for " + policy.key() +
                " is not newer than the current version " + policy.status.current_version_id +
                ", so nothing was rotated; see keyturn status " + policy.name + " -n " + policy.ns +
                ", and ask again if it was not meant");
  }
  // Steps that follow each other without a wait are over before a status could show them.
  std::optional<int> finish(const Policy& policy, const rotation::HistoryEntry& entry) {
    say("finishSecret: version " + short_version(entry.version_id) + " is AWSCURRENT");
    const auto* synced = policy.status.condition("Synced");
    if (!synced || synced->status != "True") {
      if (synced && synced->status == "False")
        return fail("the secret is rotated, but " + synced->reason + ": " + synced->message);
      return std::nullopt;
    }
    say("sync: " + synced->message);
    std::printf("rotated %s: version %s is current, after %s\n", policy.key().c_str(),
                entry.version_id.c_str(),
                format_duration(*entry.finished_at - entry.started_at).c_str());
    rotated_ = true;
    return revokes_ ? until_revoked(policy) : static_cast<int>(kDone);
  }

  // The leak drill ends when the old credential is revoked.
  std::optional<int> until_revoked(const Policy& policy) {
    const auto& status = policy.status;
    if (status.last_handled_revoke_request == asked_ && !status.rotation && !status.retiring) {
      std::printf("the old credential of %s is revoked\n", policy.key().c_str());
      return static_cast<int>(kDone);
    }
    if (const auto* stalled = stalled_anew(policy)) return fail(stalled_text(policy, *stalled));
    if (status.rotation)
      say(status.rotation->step +
          (status.rotation->message.empty() ? "" : ": " + status.rotation->message));
    else if (status.retiring)
      say("retire: version " + short_version(status.retiring->version_id) +
          (status.retiring->waiting_for.empty() ? ""
                                                : ", waiting for " + status.retiring->waiting_for));
    return std::nullopt;
  }
  void say(const std::string& line) {
    if (line == last_) return;
    last_ = line;
    std::printf("  %s\n", line.c_str());
    std::fflush(stdout);
  }

  const std::string asked_;
  const WallTime since_;
  const bool revokes_;
  std::optional<rotation::Condition> old_stall_;
  int quiet_ = 0;  // how often nothing was new since the last look
  bool rotated_ = false;
  std::string last_;
};

// Watches the one policy: every step that reaches its status is seen, however short.
int follow(Cluster& cluster, const RotateFlags& flags, const std::string& asked, WallTime since,
           const Policy& before) {
  auto limit = parse_duration(flags.timeout);
  if (!limit) return fail("--timeout: " + limit.error().message);
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<const Policy>> news;
  SystemRng rng;
  kube::ReflectorOptions options;
  options.client = &cluster.client();
  options.type = kube::kRotationPolicies;
  options.ns = cluster.ns();
  options.field_selector = "metadata.name=" + flags.name;
  options.list_latest = true;
  options.clock = &cluster.clock();
  options.rng = &rng;
  kube::Informer<Policy> informer(
      options, rotation::parse_policy,
      [&](const std::string&, const auto&, const std::shared_ptr<const Policy>& after) {
        const std::lock_guard lock(mutex);
        news.push_back(after);
        changed.notify_one();
      });
  if (auto started = informer.start(); !started) return fail(started.error().message);
  const MonoTime deadline = cluster.clock().mono() + *limit;
  Follower follower(asked, since, flags.revoke_now, before);
  std::shared_ptr<const Policy> last;
  std::unique_lock lock(mutex);
  while (cluster.clock().mono() < deadline) {
    if (news.empty())
      cluster.clock().wait_until(lock, changed,
                                 std::min(deadline, cluster.clock().mono() + kPatience));
    if (news.empty()) {
      if (!last) continue;
      if (auto status = follower.still_waiting(*last)) return *status;
      continue;
    }
    last = std::move(news.front());
    news.pop_front();
    if (!last) return fail("RotationPolicy " + cluster.ns() + "/" + flags.name + " was deleted");
    if (auto status = follower.look(*last)) return *status;
  }
  return fail("no end within " + flags.timeout + "; the request stands. See: keyturn status " +
              flags.name + " -n " + cluster.ns() + " (is the operator running?)");
}

int rotate(const RotateFlags& flags) {
  auto cluster = Cluster::connect(flags.cluster);
  if (!cluster) return fail(cluster.error().message);
  auto policy = (*cluster)->policy(flags.name);
  if (!policy) return fail(policy.error().message);
  if (policy->spec.strategy.name == "syncOnly") {
    return fail(policy->key() +
                " has strategy syncOnly and never rotates; to sync at once, annotate it: kubectl "
                "annotate rotpol " +
                policy->name + " -n " + policy->ns +
                " --overwrite keyturn.dev/sync-requested-at=$(date -u +%FT%TZ)");
  }
  if (flags.revoke_now) {
    auto traits = traits_of(*policy);
    if (!traits) return fail(traits.error().message);
    if (!traits->can_revoke) {
      return fail(policy->key() + " has strategy " + traits->name +
                  ", which has no old credential to revoke at a backend; leave --revoke-now out");
    }
  }
  const WallTime now = std::chrono::floor<std::chrono::seconds>((*cluster)->clock().now());
  std::vector<std::string> requests{rotation::kRotateRequested};
  if (flags.revoke_now) requests.emplace_back(rotation::kRevokeRequested);
  auto asked = annotate(**cluster, *policy, requests);
  if (!asked) return fail(asked.error().message);
  std::printf("rotation of %s asked for at %s%s\n", policy->key().c_str(), asked->c_str(),
              flags.revoke_now ? "; the old credential is revoked without a grace period" : "");
  return flags.wait ? follow(**cluster, flags, *asked, now, *policy) : static_cast<int>(kDone);
}

}  // namespace

void add_rotate(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<RotateFlags>();
  CLI::App* command = app.add_subcommand("rotate", "Ask for a rotation now");
  command->add_option("NAME", flags->name, "A RotationPolicy")->required();
  command->add_flag(
      "--revoke-now", flags->revoke_now,
      "The leak drill: rotate, sync, roll out (followers, too), then revoke the old credential at "
      "once, "
      "and one whose retirement still waits before that");
  command->add_flag("--wait", flags->wait,
                    "Show progress until the rotation ended; non-zero exit status when it failed");
  command->add_option("--timeout", flags->timeout, "With --wait: give up watching after this time")
      ->capture_default_str();
  flags->cluster.add_to(*command, false);
  command->callback([flags, &chosen] { chosen.command = [flags] { return rotate(*flags); }; });
}

}  // namespace keyturn::cli
