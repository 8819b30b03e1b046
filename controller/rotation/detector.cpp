#include "controller/rotation/detector.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "lib/base/digest.h"
#include "lib/base/log.h"

namespace keyturn::rotation {
namespace {

constexpr Duration kFullEvery{86'400'000};
constexpr Duration kOverlap{600'000};  // twice ListSecrets' lag
constexpr Duration kGather{100};       // policies that start together share the first sweep
constexpr Duration kGatherAtMost{5'000};
constexpr Duration kRetryFirst{1'000};
constexpr Duration kRetryMost{60'000};
constexpr Duration kDeniedAgain{3'600'000};
constexpr Duration kTurn{30'000};  // the loop turns at least so often, for the health check

// 0.9 to 1.0 of the interval, the same at every start: fleets do not sweep at one instant.
Duration spread(Duration interval, const Scope& scope) {
  const Sha256 digest = sha256(scope);
  const auto share = static_cast<Duration::rep>(digest[0]);
  return interval - interval / 10 * share / 256;
}

}  // namespace

struct ChangeDetector::Impl {
  struct Interest {
    Scope scope;
    std::string secret_id;
    Duration interval{0};
  };
  // How far the sweeps of a scope have come.
  struct Progress {
    bool order_honoured = true;
    std::optional<WallTime> newest;  // last-changed-date of the newest entry seen
  };
  struct ScopeState {
    std::shared_ptr<AwsAccess> access;
    std::map<std::string, std::vector<std::string>> policies_of;  // secret id as written → policies
    Duration interval{0};
    State state = State::Starting;
    std::optional<Error> trouble;
    MonoTime next{}, next_full{}, first_seen{};
    int failures = 0;
    Progress progress;
    std::map<std::string, MonoTime> next_describe;  // Denied: by secret id
  };

  explicit Impl(Deps d) : deps(std::move(d)) {}

  void run();
  MonoTime turn(std::unique_lock<std::mutex>& lock);
  void sweep(const Scope& scope, std::unique_lock<std::mutex>& lock);
  Status list(const Scope& scope, const std::shared_ptr<AwsAccess>& access, bool full, bool first,
              Progress& progress);
  Result<bool> learn(const Scope& scope, const AwsAccess& access, const aws::SecretMetadata& listed,
                     MonoTime at);
  void describe_due(const Scope& scope, std::unique_lock<std::mutex>& lock);
  Duration interval_of_locked(const std::vector<std::string>& policies) const;
  std::vector<std::string> interested_locked(const Scope& scope,
                                             const aws::SecretMetadata& secret) const;
  std::vector<std::string> all_of_locked(const Scope& scope) const;
  std::vector<std::string> unknown_of_locked(const Scope& scope) const;
  void drop_locked(const std::string& policy_key, const Interest& interest);
  void renew_locked(ScopeState& scope, const std::shared_ptr<AwsAccess>& access);
  void recompute_interval_locked(const Scope& scope);

  Deps deps;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::unordered_map<std::string, Interest> interests;
  std::unordered_map<Scope, ScopeState> scopes;
  MonoTime last_turn{};
  bool stopping = false;
  std::thread thread;
};

ChangeDetector::ChangeDetector(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
ChangeDetector::~ChangeDetector() { stop(); }

void ChangeDetector::watch(const std::string& policy_key, const std::shared_ptr<AwsAccess>& access,
                           const std::string& secret_id, Duration interval) {
  const std::lock_guard lock(impl_->mutex);
  auto& interest = impl_->interests[policy_key];
  auto known = impl_->scopes.find(access->scope);
  const bool same_secret = interest.scope == access->scope && interest.secret_id == secret_id &&
                           known != impl_->scopes.end();
  if (same_secret && interest.interval == interval) {
    impl_->renew_locked(known->second, access);
    return;
  }
  const Scope old = interest.scope;
  if (!same_secret) impl_->drop_locked(policy_key, interest);
  interest = {access->scope, secret_id, interval};
  auto& scope = impl_->scopes[access->scope];
  const MonoTime now = impl_->deps.clock.mono();
  if (scope.access) {
    impl_->renew_locked(scope, access);
  } else {
    scope.first_seen = now;
    scope.access = access;
  }
  if (!same_secret) scope.policies_of[secret_id].push_back(policy_key);
  scope.interval = scope.interval.count() == 0 ? interval : std::min(scope.interval, interval);
  if (scope.state == State::Starting && !scope.trouble)
    scope.next = std::min(now + kGather, scope.first_seen + kGatherAtMost);
  if (scope.state == State::Ready) scope.next = std::min(scope.next, now + interval);
  // A secret that has been looked at is not looked at again because its interval is another.
  const auto look = scope.next_describe.find(secret_id);
  if (look != scope.next_describe.end()) look->second = std::min(look->second, now + interval);
  if (!old.empty() && !(same_secret && interval == scope.interval))
    impl_->recompute_interval_locked(old);
  impl_->wake.notify_all();
}

void ChangeDetector::forget(const std::string& policy_key) {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->interests.find(policy_key);
  if (it == impl_->interests.end()) return;
  const Scope scope = it->second.scope;
  impl_->drop_locked(policy_key, it->second);
  impl_->interests.erase(it);
  impl_->recompute_interval_locked(scope);
}

// A secret in which nobody is interested any more is not waited for either.
void ChangeDetector::Impl::drop_locked(const std::string& policy_key, const Interest& interest) {
  const auto scope = scopes.find(interest.scope);
  if (scope == scopes.end()) return;
  const auto keys = scope->second.policies_of.find(interest.secret_id);
  if (keys == scope->second.policies_of.end()) return;
  std::erase(keys->second, policy_key);
  if (!keys->second.empty()) return;
  scope->second.policies_of.erase(keys);
  scope->second.next_describe.erase(interest.secret_id);
}

// The identity was made anew, because it had been refused: what could not be listed may be by now.
void ChangeDetector::Impl::renew_locked(ScopeState& scope,
                                        const std::shared_ptr<AwsAccess>& access) {
  if (scope.access->secrets == access->secrets) return;
  scope.access = access;
  if (scope.state == State::Ready && scope.failures == 0) return;
  scope.next = deps.clock.mono();
  wake.notify_all();
}

void ChangeDetector::Impl::recompute_interval_locked(const Scope& scope) {
  const auto it = scopes.find(scope);
  if (it == scopes.end()) return;
  Duration shortest{0};
  for (const auto& [key, interest] : interests) {
    if (interest.scope == scope && (shortest.count() == 0 || interest.interval < shortest))
      shortest = interest.interval;
  }
  if (shortest.count() == 0) {
    scopes.erase(it);  // nobody is left
  } else {
    it->second.interval = shortest;
  }
}

ChangeDetector::State ChangeDetector::state(const Scope& scope) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->scopes.find(scope);
  return it == impl_->scopes.end() ? State::Starting : it->second.state;
}

std::optional<Error> ChangeDetector::trouble(const Scope& scope) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->scopes.find(scope);
  return it == impl_->scopes.end() ? std::nullopt : it->second.trouble;
}

MonoTime ChangeDetector::last_turn() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->last_turn;
}

void ChangeDetector::start() {
  impl_->last_turn = impl_->deps.clock.mono();
  impl_->thread = std::thread([this] { impl_->run(); });
}

void ChangeDetector::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void ChangeDetector::Impl::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    last_turn = deps.clock.mono();
    const MonoTime next = std::min(turn(lock), last_turn + kTurn);
    if (stopping) return;
    // A registration wakes us early; computing the next turn again is cheap.
    deps.clock.wait_until(lock, wake, next);
  }
}

// Sweeps what is due; the earliest thing that is not.
MonoTime ChangeDetector::Impl::turn(std::unique_lock<std::mutex>& lock) {
  std::vector<Scope> names;
  for (const auto& [scope, unused] : scopes) names.push_back(scope);
  MonoTime earliest = MonoTime::max();
  for (const auto& scope : names) {
    auto it = scopes.find(scope);
    if (stopping || it == scopes.end()) continue;
    if (it->second.state == State::Denied) describe_due(scope, lock);
    it = scopes.find(scope);
    if (it != scopes.end() && it->second.next <= deps.clock.mono()) sweep(scope, lock);
    it = scopes.find(scope);
    if (it == scopes.end()) continue;
    earliest = std::min(earliest, it->second.next);
    for (const auto& [id, at] : it->second.next_describe) earliest = std::min(earliest, at);
  }
  return earliest;
}

// Requests run without the lock; what they learn of the order counts when they are through.
void ChangeDetector::Impl::sweep(const Scope& scope, std::unique_lock<std::mutex>& lock) {
  const MonoTime now = deps.clock.mono();
  const ScopeState& before = scopes[scope];
  const auto access = before.access;
  Progress progress = before.progress;
  const bool first = before.state != State::Ready;
  const bool full = first || !progress.order_honoured || now >= before.next_full;
  lock.unlock();
  auto swept = list(scope, access, full, first, progress);
  lock.lock();
  const auto it = scopes.find(scope);
  if (it == scopes.end()) return;
  ScopeState& live = it->second;
  live.progress.order_honoured = progress.order_honoured;
  std::vector<std::string> ready;
  if (swept) {
    // Not of a sweep that broke off: the next one would stop before what this one did not reach.
    live.progress.newest = progress.newest;
    live.failures = 0;
    live.trouble.reset();
    live.next = now + spread(live.interval, scope);
    if (full) live.next_full = now + kFullEvery;
    if (live.state != State::Ready) ready = unknown_of_locked(scope);
    live.state = State::Ready;
    live.next_describe.clear();
  } else if (swept.error().cls == ErrorClass::Denied &&
             swept.error().code.find("AccessDenied") != std::string::npos) {
    if (live.state != State::Denied) {
      log::error(
          "ListSecrets is denied: changes made by others are found by describing each secret at "
          "its refreshInterval, one call a secret; "
          "allow secretsmanager:ListSecrets to this identity",
          {{"identity", scope}, {"error", swept.error().message}});
      ready = all_of_locked(scope);
    }
    live.state = State::Denied;
    live.trouble.reset();
    live.next = now + kDeniedAgain;
  } else {
    const Duration wait = std::min(kRetryMost, kRetryFirst * (1 << std::min(live.failures++, 6)));
    live.next = now + std::max(wait, swept.error().retry_after.value_or(Duration(0)));
    if (live.state == State::Starting) {
      live.trouble = swept.error().with_context("ListSecrets");
      if (live.failures == 1) ready = all_of_locked(scope);
    }
    log::warn(
        "a sweep over Secrets Manager failed; it is tried again",
        {{"identity", scope}, {"reason", swept.error().code}, {"error", swept.error().message}});
  }
  if (ready.empty()) return;
  lock.unlock();
  deps.on_ready(ready);
  lock.lock();
}

Status ChangeDetector::Impl::list(const Scope& scope, const std::shared_ptr<AwsAccess>& access,
                                  bool full, bool first, Progress& progress) {
  const MonoTime started = deps.clock.mono();
  const std::optional<WallTime> seen_until =
      progress.newest ? std::optional(*progress.newest - kOverlap) : std::nullopt;
  std::optional<WallTime> before;
  aws::ListSecretsRequest request;
  bool reached_known = false, missed = false;
  const auto newest_before = progress.newest;
  const auto complete = [&] {
    if (missed) progress.newest = newest_before;
  };
  do {
    auto page = access->secrets->list(request);
    if (!page) return std::move(page).error();
    std::vector<std::string> ready;  // of the first sweep: they need not wait for the other pages
    for (const auto& secret : page->secrets) {
      if (secret.last_changed) {
        if (before && *secret.last_changed > *before && progress.order_honoured) {
          progress.order_honoured = false;
          log::error("ListSecrets does not honour the order asked for: every sweep is a full one",
                     {{"identity", scope}});
        }
        before = secret.last_changed;
        if (!progress.newest || *secret.last_changed > *progress.newest)
          progress.newest = secret.last_changed;
        reached_known = seen_until && *secret.last_changed < *seen_until;
      }
      if (reached_known && !full && progress.order_honoured) {
        complete();
        return {};
      }
      std::vector<std::string> policies;
      {
        const std::lock_guard lock(mutex);
        if (stopping) return make_error(ErrorClass::Unavailable, "Stopping", "the operator ends");
        policies = interested_locked(scope, secret);
      }
      if (policies.empty()) continue;
      const auto changed = learn(scope, *access, secret, started);
      missed = missed || !changed;
      if (!changed || !*changed) continue;
      if (first) {
        ready.insert(ready.end(), policies.begin(), policies.end());
      } else {
        deps.on_changed(secret, policies);
      }
    }
    if (!ready.empty()) deps.on_ready(ready);
    request.next_token = page->next_token;
  } while (!request.next_token.empty());
  complete();
  if (!full && progress.order_honoured) return {};
  for (const auto& arn : deps.knowledge.keep_only_seen_since(scope, started)) {
    std::vector<std::string> policies;
    {
      const std::lock_guard lock(mutex);
      aws::SecretMetadata gone;
      gone.arn = arn;
      gone.name = name_of_arn(arn);
      policies = interested_locked(scope, gone);
    }
    if (!policies.empty()) deps.on_gone(arn, policies);
  }
  return {};
}

// Whether the entry of a list tells of a change. Where the list may be behind our own look, a look
// decides; an error: it failed, and the next sweep must come as far as this entry again.
Result<bool> ChangeDetector::Impl::learn(const Scope& scope, const AwsAccess& access,
                                         const aws::SecretMetadata& listed, MonoTime at) {
  if (!deps.knowledge.in_doubt(scope, listed, at))
    return deps.knowledge.saw(scope, listed, at, /*from_list=*/true);
  const MonoTime now = deps.clock.mono();
  auto secret = access.secrets->describe(listed.arn);
  if (secret) return deps.knowledge.saw(scope, *secret, now, /*from_list=*/false);
  if (secret.error().cls == ErrorClass::NotFound) return false;  // a full sweep tells
  return std::move(secret).error();
}

void ChangeDetector::Impl::describe_due(const Scope& scope, std::unique_lock<std::mutex>& lock) {
  const auto access = scopes[scope].access;
  std::vector<std::string> due;
  for (const auto& [id, keys] : scopes[scope].policies_of) {
    auto [at, fresh] = scopes[scope].next_describe.try_emplace(id, deps.clock.mono());
    if (at->second <= deps.clock.mono()) due.push_back(id);
  }
  for (const auto& id : due) {
    const MonoTime now = deps.clock.mono();
    lock.unlock();
    auto secret = access->secrets->describe(id);
    lock.lock();
    last_turn = deps.clock.mono();
    const auto it = scopes.find(scope);
    if (stopping || it == scopes.end()) return;
    const auto policies_of = it->second.policies_of.find(id);
    if (policies_of == it->second.policies_of.end()) continue;  // forgotten meanwhile
    it->second.next_describe[id] = now + spread(interval_of_locked(policies_of->second), id);
    if (!secret) {
      if (secret.error().cls == ErrorClass::NotFound) deps.knowledge.gone(scope, id);
      continue;  // the policy's own pass tells what is wrong
    }
    if (!deps.knowledge.saw(scope, *secret, now, false)) continue;
    const auto policies = interested_locked(scope, *secret);
    lock.unlock();
    deps.on_changed(*secret, policies);
    lock.lock();
  }
}

// The shortest one: of a secret, not of the identity, where each costs a call of its own.
Duration ChangeDetector::Impl::interval_of_locked(const std::vector<std::string>& policies) const {
  Duration shortest = Duration::max();
  for (const auto& policy : policies) shortest = std::min(shortest, interests.at(policy).interval);
  return shortest;
}

std::vector<std::string> ChangeDetector::Impl::interested_locked(
    const Scope& scope, const aws::SecretMetadata& secret) const {
  std::vector<std::string> keys;
  const auto it = scopes.find(scope);
  if (it == scopes.end()) return keys;
  constexpr std::size_t kSuffix = 7;  // "-" and six random characters: a partial ARN lacks them
  const std::string partial =
      secret.arn.size() > kSuffix ? secret.arn.substr(0, secret.arn.size() - kSuffix) : "";
  for (const std::string* id : {&secret.name, &secret.arn, &partial}) {
    const auto found = it->second.policies_of.find(*id);
    if (found != it->second.policies_of.end())
      keys.insert(keys.end(), found->second.begin(), found->second.end());
  }
  return keys;
}

std::vector<std::string> ChangeDetector::Impl::all_of_locked(const Scope& scope) const {
  std::vector<std::string> keys;
  const auto it = scopes.find(scope);
  if (it == scopes.end()) return keys;
  for (const auto& [id, policies] : it->second.policies_of)
    keys.insert(keys.end(), policies.begin(), policies.end());
  return keys;
}

// Those whose secrets no page has shown.
std::vector<std::string> ChangeDetector::Impl::unknown_of_locked(const Scope& scope) const {
  std::vector<std::string> keys;
  for (const auto& [id, policies] : scopes.at(scope).policies_of) {
    if (!deps.knowledge.find(scope, id)) keys.insert(keys.end(), policies.begin(), policies.end());
  }
  return keys;
}

}  // namespace keyturn::rotation
