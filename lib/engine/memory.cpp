#include <algorithm>

#include "lib/engine/engine.h"

namespace keyturn::engine {

namespace {

// Pairs of versions whose equality is remembered for one secret; older answers are found again by
// reading.
constexpr std::size_t kMaxPairs = 8;

std::pair<std::string, std::string> unordered(const std::string& a, const std::string& b) {
  return {std::min(a, b), std::max(a, b)};
}

}  // namespace

const SecretString* Pass::find(const std::string& version_id) const {
  const auto found = values_.find(version_id);
  return found == values_.end() ? nullptr : &found->second.value;
}

void Pass::keep(const std::string& version_id, SecretString value,
                std::optional<WallTime> created) {
  values_.insert_or_assign(version_id, Entry{std::move(value), created});
}

std::optional<WallTime> Pass::created(const std::string& version_id) const {
  const auto found = values_.find(version_id);
  return found == values_.end() ? std::nullopt : found->second.created;
}

void Memory::observe(const std::string& arn, const std::string& fingerprint, MonoTime now) {
  const std::lock_guard lock(mutex_);
  Entry& entry = secrets_[arn];
  if (entry.fingerprint == fingerprint) return;
  entry.fingerprint = fingerprint;
  entry.since = now;
}

MonoTime Memory::unchanged_since(const std::string& arn, const std::string& fingerprint,
                                 MonoTime now) {
  observe(arn, fingerprint, now);
  const std::lock_guard lock(mutex_);
  return secrets_[arn].since;
}

std::optional<bool> Memory::equal(const std::string& arn, const std::string& a,
                                  const std::string& b) const {
  if (a == b) return true;
  const std::lock_guard lock(mutex_);
  const auto secret = secrets_.find(arn);
  if (secret == secrets_.end()) return std::nullopt;
  const auto known = secret->second.equal.find(unordered(a, b));
  return known == secret->second.equal.end() ? std::nullopt : std::optional<bool>(known->second);
}

void Memory::remember_equal(const std::string& arn, const std::string& a, const std::string& b,
                            bool is_equal) {
  const std::lock_guard lock(mutex_);
  auto& equal = secrets_[arn].equal;
  if (equal.size() >= kMaxPairs) equal.clear();
  equal[unordered(a, b)] = is_equal;
}

bool Memory::works(const std::string& arn, const std::string& current,
                   const std::string& latest) const {
  const std::lock_guard lock(mutex_);
  const auto secret = secrets_.find(arn);
  return secret != secrets_.end() && secret->second.works == std::pair(current, latest);
}

void Memory::remember_works(const std::string& arn, const std::string& current,
                            const std::string& latest) {
  const std::lock_guard lock(mutex_);
  secrets_[arn].works = {current, latest};
}

bool Memory::retired(const std::string& arn, const std::string& version_id) const {
  const std::lock_guard lock(mutex_);
  const auto secret = secrets_.find(arn);
  return secret != secrets_.end() && secret->second.retired == version_id;
}

void Memory::remember_retired(const std::string& arn, const std::string& version_id) {
  const std::lock_guard lock(mutex_);
  secrets_[arn].retired = version_id;
}

bool Memory::sent(const std::string& arn, const std::string& version_id) const {
  const std::lock_guard lock(mutex_);
  const auto secret = secrets_.find(arn);
  return secret != secrets_.end() && secret->second.sent == version_id;
}

void Memory::remember_sent(const std::string& arn, const std::string& version_id) {
  const std::lock_guard lock(mutex_);
  secrets_[arn].sent = version_id;
}

bool Memory::may_be_disabled(const std::string& arn, const std::string& version_id,
                             MonoTime now) const {
  const std::lock_guard lock(mutex_);
  const auto secret = secrets_.find(arn);
  if (secret == secrets_.end() || secret->second.active != version_id) return true;
  return secret->second.again && now >= *secret->second.again;
}

void Memory::remember_given_back(const std::string& arn, const std::string& version_id,
                                 MonoTime again) {
  const std::lock_guard lock(mutex_);
  Entry& entry = secrets_[arn];
  const bool second = entry.active == version_id && entry.again;
  entry.active = version_id;
  entry.again = second ? std::nullopt : std::optional(again);
}

void Memory::remember_untouched(const std::string& arn, const std::string& version_id) {
  const std::lock_guard lock(mutex_);
  secrets_[arn].active = version_id;
  secrets_[arn].again.reset();
}

}  // namespace keyturn::engine
