#include "controller/rotation/sync_pass.h"

#include <algorithm>

#include "controller/rotation/rollout_status.h"
#include "controller/rotation/rotation_record.h"
#include "lib/base/log.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::rotation {
namespace {

using engine::Labels;
using engine::Pass;
using runtime::Outcome;

constexpr std::size_t kFollowersPerPass = 64;
constexpr Duration kLagMemory{600'000};

bool may_pass_with_time(const Error& error) {
  return error.cls == ErrorClass::Transient || error.cls == ErrorClass::Throttled ||
         error.cls == ErrorClass::Unavailable ||
         (error.cls == ErrorClass::Conflict && error.code != "TargetInUse");
}

bool wants_previous(const Policy& policy) {
  return std::any_of(policy.spec.targets.begin(), policy.spec.targets.end(), needs_previous);
}

}  // namespace

kube::ObjectReference reference(const Policy& policy) {
  return {"keyturn.dev/v1alpha1", "RotationPolicy", policy.ns, policy.name, policy.uid, ""};
}

bool SyncReport::wrote() const {
  return std::any_of(targets.begin(), targets.end(), [](const Target& t) { return t.wrote; });
}

const Error* SyncReport::first_error() const {
  for (const auto& t : targets) {
    if (t.error) return &*t.error;
  }
  return nullptr;
}
const Error* SyncReport::retryable_error() const {
  for (const auto& t : targets) {
    if (t.error && may_pass_with_time(*t.error)) return &*t.error;
  }
  return nullptr;
}

Outcome SyncPass::run(const runtime::Key& key) {
  const PolicyPtr policy = deps_.policies.get(key);
  if (!policy) {
    deps_.gatherer.forget(key);
    deps_.status.forget(key);
    const std::lock_guard lock(mutex_);
    told_.erase(key);
    return Outcome::done();
  }
  if (policy->deleted) return Outcome::done();  // the rotation lane ends it
  using Sighting = Gatherer::Sighting;
  auto gathered =
      deps_.gatherer.gather(policy, sync_asked(*policy) ? Sighting::Fresh : Sighting::Known);
  if (std::holds_alternative<Parked>(gathered)) return Outcome::done();
  if (const auto* problem = std::get_if<Problem>(&gathered))
    return finish_problem(*policy, *problem);
  return sync_gathered(std::get<Gathered>(gathered));
}

bool SyncPass::sync_asked(const Policy& policy) const {
  return !policy.sync_requested_at.empty() &&
         policy.sync_requested_at != deps_.status.latest(policy).last_handled_sync_request;
}

Outcome SyncPass::finish_problem(const Policy& policy, const Problem& problem) {
  log::warn("policy cannot be synced", {{"namespace", policy.ns},
                                        {"policy", policy.name},
                                        {"reason", problem.error.code},
                                        {"error", problem.error.message}});
  auto written = deps_.status.update(policy, [&](PolicyStatus& status, WallTime now) {
    const Condition* told = told_problem(status, problem.error.code);
    if (!told || told->observed_generation != policy.generation) {
      deps_.events.emit({kube::Event::Type::Warning, problem.error.code, "Sync",
                         problem.error.message, reference(policy)});
    }
    set_problem(status, problem.error, problem.stalled, now, policy.generation);
    // A request is handled when somebody looked and this is the answer; what may pass is tried
    // again first.
    if (problem.look_again) status.last_handled_sync_request = policy.sync_requested_at;
  });
  if (!written) return Outcome::retry(std::move(written).error());
  if (!problem.look_again) return Outcome::retry(problem.error);
  return problem.look_again->count() > 0 ? Outcome::after(*problem.look_again) : Outcome::done();
}

bool SyncPass::spec_written(const Policy& policy) const {
  const PolicyStatus status = deps_.status.latest(policy);
  const Condition* synced = status.condition(kSynced);
  return synced && synced->status == "True" && synced->observed_generation == policy.generation;
}

bool SyncPass::in_sync(const Policy& policy, const TargetSpec& target, const std::string& arn,
                       const std::string& version_id) const {
  return deps_.targets.judge(policy, target, arn, version_id, /*spec_written=*/true) ==
         TargetState::InSync;
}

bool SyncPass::in_sync(const Policy& policy, const std::string& arn,
                       const std::string& version_id) const {
  return std::all_of(
      policy.spec.targets.begin(), policy.spec.targets.end(),
      [&](const TargetSpec& target) { return in_sync(policy, target, arn, version_id); });
}

Outcome SyncPass::sync_gathered(const Gathered& gathered) {
  const Policy& policy = *gathered.policy;
  auto sight = gathered.sight;
  const bool asked = sync_asked(policy);
  const Also also = take_force(policy.key()) || asked ? Also::All : Also::ChangedSpecs;
  Pass values;
  SyncReport report;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Labels labels = engine::read_labels(sight->secret.arn, sight->secret.stages);
    if (labels.current.empty()) {
      return finish_problem(
          policy,
          problem_of(invalid("NoCurrentVersion", "secret " + sight->secret.name +
                                                     " has no AWSCURRENT version; put a value"),
                     policy.spec.refresh_interval));
    }
    report = sync_targets(policy, *gathered.access, sight->secret, labels, values, also);
    const Error* error = report.first_error();
    if (error && error->code == "NotCurrentAnyMore" && attempt == 0) {
      auto fresh = deps_.gatherer.look(*gathered.access, sight->secret.arn);
      if (!fresh)
        return finish_problem(policy,
                              problem_of(std::move(fresh).error(), policy.spec.refresh_interval));
      sight = std::move(fresh).value();
      continue;
    }
    sync_followers(gathered, sight->secret, labels, values);
    break;
  }
  auto written = deps_.status.update(policy, [&](PolicyStatus& status, WallTime now) {
    const bool was_recreated = !status.secret_arn.empty() && status.secret_arn != sight->secret.arn;
    if (was_recreated) {
      deps_.events.emit({kube::Event::Type::Warning, "SecretRecreated", "Sync",
                         "the secret was recreated: " + sight->secret.arn + " replaces " +
                             status.secret_arn + "; nothing of the old one is carried over",
                         reference(policy)});
      status = PolicyStatus{};
    }
    tell_change(status, policy, sight->secret.arn,
                engine::read_labels(sight->secret.arn, sight->secret.stages));
    // Refusals of the rotation lane stay: only it can tell that they are over.
    if (!rotates(policy, status)) clear_problem(status);
    if (const auto* stalled = status.condition(kStalled);
        stalled && stalled->observed_generation != policy.generation && !told_inactive(status))
      clear_problem(status);
    status.secret_arn = sight->secret.arn;
    report_to(status, policy, report, now);
    if (const auto created = values.created(report.version_id))
      status.current_version_created = std::chrono::floor<std::chrono::seconds>(*created);
    if (asked) status.last_handled_sync_request = policy.sync_requested_at;
  });
  if (!written) return Outcome::retry(std::move(written).error());
  if (rotation_must_hear(policy, sight->secret.stages, report)) deps_.wake_rotation(policy.key());
  if (const Error* error = report.retryable_error()) return Outcome::retry(*error);
  return report.first_error() ? Outcome::after(policy.spec.refresh_interval) : Outcome::done();
}

// Not of each try of a target that cannot be written for now: the rotation lane would try it, too,
// and the two would take turns without any back-off.
bool SyncPass::rotation_must_hear(const Policy& policy, const aws::StagesByVersion& stages,
                                  const SyncReport& report) {
  bool news = true;
  {
    const std::lock_guard lock(mutex_);
    if (report.retryable_error()) {
      Told now{
          policy.uid,
          policy.generation,
          {policy.rotate_requested_at, policy.rollback_requested_at, policy.revoke_requested_at},
          stages};
      Told& before = told_[policy.key()];
      news = before != now;
      before = std::move(now);
    } else {
      told_.erase(policy.key());
    }
  }
  if (!news && !report.wrote()) return false;
  const PolicyStatus status = deps_.status.latest(policy);
  return rotates(policy, status) || policy.has_finalizer || status.retiring || rolls_out(policy);
}

// Whether the rotation lane has workloads of this policy to restart.
bool SyncPass::rolls_out(const Policy& policy) const {
  return !pending_targets(policy, deps_.status.latest(policy)).empty();
}

void SyncPass::report_to(PolicyStatus& status, const Policy& policy, const SyncReport& report,
                         WallTime now) {
  if (status.current_version_id != report.version_id) status.current_version_created.reset();
  status.current_version_id = report.version_id;
  std::vector<TargetStatus> targets;
  bool changed = false;
  for (const auto& target : report.targets) {
    const auto before = std::find_if(status.targets.begin(), status.targets.end(),
                                     [&](const TargetStatus& t) { return t.name == target.name; });
    TargetStatus entry = before != status.targets.end() ? *before
                                                        : TargetStatus{.name = target.name,
                                                                       .version_id = "",
                                                                       .rolled_out_version_id = "",
                                                                       .synced_at = {}};
    const bool new_version = entry.version_id != report.version_id;
    if (target.in_sync && (target.wrote || new_version)) {
      note_written(policy, entry, report.version_id, target.replaced);
      entry.version_id = report.version_id;
      // Readers that started before this may hold an older version. A Secret found written (the
      // process that did it died before it could say so) counts from now, and so does one that had
      // been put back to an older version. What a person wrote over it is no older version of
      // ours: who read the version before that has the current credential.
      if (new_version || !target.replaced.empty() || !entry.synced_at)
        entry.synced_at = std::chrono::floor<std::chrono::seconds>(now);
      changed = changed || new_version;
    }
    targets.push_back(std::move(entry));
  }
  status.targets = std::move(targets);
  note_targets(status, policy, changed, now);
  if (const Error* error = report.first_error()) {
    set_condition(status, kSynced, "False", error->code.empty() ? "SyncFailed" : error->code,
                  error->message, now, policy.generation);
  } else {
    const std::string count = std::to_string(report.targets.size());
    set_condition(
        status, kSynced, "True", report.targets.empty() ? "NoTargets" : "InSync",
        report.targets.empty()
            ? "no targets to write"
            : count + (count == "1" ? " target holds" : " targets hold") + " the current version",
        now, policy.generation);
  }
}

SyncReport SyncPass::sync_targets(const Policy& policy, const AwsAccess& access,
                                  const aws::SecretMetadata& secret, const Labels& labels,
                                  Pass& values, Also also) {
  const std::lock_guard serial(stripes_[std::hash<std::string>{}(policy.key()) % kStripes]);
  SyncReport report;
  report.version_id = labels.current;
  // One target that cannot be written never stops the others.
  for (const auto& target : policy.spec.targets) {
    report.targets.push_back(sync_target(policy, target, access, secret.arn, labels, values, also));
  }
  return report;
}

SyncReport::Target SyncPass::sync_target(const Policy& policy, const TargetSpec& target,
                                         const AwsAccess& access, const std::string& arn,
                                         const Labels& labels, Pass& values, Also also) {
  SyncReport::Target result{.name = target.name};
  const bool spec_counts = also == Also::ChangedSpecs && !spec_written(policy);
  const TargetState state = deps_.targets.judge(policy, target, arn, labels.current, !spec_counts);
  if (state == TargetState::InSync && also != Also::All) {
    result.in_sync = true;
    return result;
  }
  const auto fail = [&](Error error) {
    deps_.metrics.sync(error.cls == ErrorClass::Conflict ? "conflict" : "error");
    log::warn("target could not be written", {{"namespace", policy.ns},
                                              {"policy", policy.name},
                                              {"secretArn", arn},
                                              {"versionId", labels.current},
                                              {"step", "sync"},
                                              {"target", target.name},
                                              {"reason", error.code},
                                              {"error", error.message}});
    deps_.events.emit({kube::Event::Type::Warning, error.code.empty() ? "SyncFailed" : error.code,
                       "Sync", error.message, reference(policy)});
    result.error = std::move(error);
    return result;
  };
  if (auto fetched = fetch(access, arn, labels.current, values, true); !fetched)
    return fail(std::move(fetched).error());
  const SecretString* previous = nullptr;
  if (needs_previous(target) && !labels.previous.empty()) {
    if (auto fetched = fetch(access, arn, labels.previous, values, false); !fetched)
      return fail(std::move(fetched).error());
    previous = values.find(labels.previous);
  }
  auto data = render_target(target, *values.find(labels.current), previous);
  if (!data) return fail(std::move(data).error());
  auto written = deps_.targets.write(policy, target, arn, labels.current, *data);
  if (!written) return fail(std::move(written).error());
  deps_.metrics.sync("ok");
  if (state == TargetState::OldVersion) observe_lag(arn, policy.key() + "/" + target.name);
  if (state == TargetState::Drifted) {
    deps_.events.emit({kube::Event::Type::Normal, "DriftRepaired", "Sync",
                       "Secret " + target.name + " was changed by somebody else and written again",
                       reference(policy)});
  }
  log::info("target written", {{"namespace", policy.ns},
                               {"policy", policy.name},
                               {"secretArn", arn},
                               {"versionId", labels.current},
                               {"target", target.name},
                               {"was", std::string(to_string(state))},
                               {"step", "sync"}});
  result.in_sync = result.wrote = true;
  result.replaced = written->replaced;
  return result;
}

Status SyncPass::fetch(const AwsAccess& access, const std::string& arn,
                       const std::string& version_id, Pass& values, bool must_be_current) {
  if (values.find(version_id)) return {};
  auto value = access.secrets->get_value(arn, version_id);
  if (!value) {
    if (value.error().cls == ErrorClass::NotFound && must_be_current) {
      return make_error(ErrorClass::Conflict, "NotCurrentAnyMore",
                        "version " + version_id + " is gone");
    }
    return std::move(value).error().with_context("GetSecretValue " + arn);
  }
  if (value->binary) {
    return invalid(
        "BinarySecret",
        "secret " + value->name +
            " holds SecretBinary, which Keyturn does not handle; store text (SecretString)");
  }
  if (must_be_current && !value->stages.contains(std::string(engine::kCurrent))) {
    return make_error(ErrorClass::Conflict, "NotCurrentAnyMore",
                      "version " + version_id + " is not AWSCURRENT any more");
  }
  values.keep(version_id, std::move(value->value), value->created);
  return {};
}

void SyncPass::sync_followers(const Gathered& gathered, const aws::SecretMetadata& secret,
                              const Labels& labels, Pass& values) {
  if (!values.find(labels.current)) return;  // nothing was read, nothing to share
  std::size_t synced = 0;
  for (const auto& follower : deps_.owners.followers(secret.arn)) {
    if (follower.key == gathered.policy->key() || synced >= kFollowersPerPass) continue;
    const PolicyPtr policy = deps_.policies.get(follower.key);
    if (!policy || policy->deleted || policy->invalid ||
        in_sync(*policy, secret.arn, labels.current))
      continue;
    auto outcome = deps_.gatherer.gather(policy);
    const auto* other = std::get_if<Gathered>(&outcome);
    // The very same session: what one may read, another of its own might not.
    if (!other || other->access->secrets != gathered.access->secrets ||
        other->sight->secret.arn != secret.arn)
      continue;
    const SyncReport report =
        sync_targets(*policy, *other->access, secret, labels, values, Also::Nothing);
    ++synced;
    // A failed write of the status is made up for by the follower's own pass, which its label
    // change wakes.
    static_cast<void>(deps_.status.update(*policy, [&](PolicyStatus& status, WallTime now) {
      status.secret_arn = secret.arn;
      report_to(status, *policy, report, now);
      if (const auto created = values.created(report.version_id))
        status.current_version_created = std::chrono::floor<std::chrono::seconds>(*created);
      if (!rotates(*policy, status)) clear_problem(status);
    }));
    if (rolls_out(*policy)) deps_.wake_rotation(policy->key());
  }
}

void SyncPass::tell_change(const PolicyStatus& status, const Policy& policy, const std::string& arn,
                           const Labels& labels) const {
  if (!rotates(policy, status) || !changed_outside(status, arn, labels)) return;
  const StrategySpec spec = strategy_at_work(policy, status);
  auto strategy = engine::make_strategy(spec.name, spec.options);
  if (!strategy) return;  // as the policy's condition tells
  if ((*strategy)->traits().backend == engine::Backend::Delegated) return;  // AWS does just that
  deps_.events.emit({kube::Event::Type::Warning, "ChangedOutside", "Sync",
                     outside_change((*strategy)->traits(), policy, labels), reference(policy)});
}

void SyncPass::noticed(const std::string& arn) {
  const MonoTime now = deps_.clock.mono();
  const std::lock_guard lock(mutex_);
  std::erase_if(noticed_, [&](const auto& entry) { return entry.second.at + kLagMemory < now; });
  noticed_[arn] = Noticed{now, {}};
}

// Once for each target: who puts an old one back later, from a backup, makes no lag of ours.
void SyncPass::observe_lag(const std::string& arn, const std::string& target) {
  const std::lock_guard lock(mutex_);
  const auto it = noticed_.find(arn);
  if (it != noticed_.end() && it->second.observed.insert(target).second)
    deps_.metrics.sync_lag(deps_.clock.mono() - it->second.at);
}

void SyncPass::force_next(const std::string& key) {
  const PolicyPtr policy = deps_.policies.get(key);
  if (!policy || !wants_previous(*policy)) return;
  const std::lock_guard lock(mutex_);
  forced_[key] = true;
}

bool SyncPass::take_force(const std::string& key) {
  const std::lock_guard lock(mutex_);
  return forced_.erase(key) > 0;
}

}  // namespace keyturn::rotation
