#include "controller/rotation/owners.h"

#include <algorithm>
#include <utility>

#include "controller/rotation/secret_knowledge.h"

namespace keyturn::rotation {

namespace {

auto position(std::vector<Follower>& members, const std::string& key) {
  return std::ranges::lower_bound(members, key, {}, &Follower::key);
}

}  // namespace

std::vector<std::string> Owners::others_locked(const Members& members,
                                               const std::string& key) const {
  std::vector<std::string> keys;
  for (const Follower& follower : members) {
    if (follower.key != key && follower.rotates) keys.push_back(follower.key);
  }
  return keys;
}

// The policy follows this secret no more; whom that concerns.
std::vector<std::string> Owners::leave_locked(BySecret::value_type& secret,
                                              const std::string& key) {
  Members& members = secret.second;
  members.erase(position(members, key));
  auto affected = others_locked(members, key);
  if (members.empty()) by_secret_.erase(by_secret_.find(secret.first));
  return affected;
}

std::vector<std::string> Owners::set(const std::string& arn, const Follower& follower) {
  const std::string group = arn_without_region(arn);
  const std::lock_guard lock(mutex_);
  std::vector<std::string> affected;
  BySecret::pointer& at = secret_of_[follower.key];
  if (at != nullptr && at->first != group) affected = leave_locked(*at, follower.key);
  at = &*by_secret_.try_emplace(group).first;
  Members& members = at->second;
  const auto before = position(members, follower.key);
  const bool known = before != members.end() && before->key == follower.key;
  const bool changed =
      !known || before->rotates != follower.rotates || before->allowed != follower.allowed;
  if (known) {
    *before = follower;
  } else {
    members.insert(before, follower);
  }
  if (changed) {
    for (auto& key : others_locked(members, follower.key)) affected.push_back(std::move(key));
  }
  return affected;
}

std::vector<std::string> Owners::deny(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = secret_of_.find(key);
  if (it == secret_of_.end()) return {};
  Members& members = it->second->second;
  if (!std::exchange(position(members, key)->allowed, false)) return {};
  return others_locked(members, key);
}

std::vector<std::string> Owners::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = secret_of_.find(key);
  if (it == secret_of_.end()) return {};
  auto affected = leave_locked(*it->second, key);
  secret_of_.erase(it);
  return affected;
}

std::string Owners::owner(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_secret_.find(arn_without_region(arn));
  if (it == by_secret_.end()) return "";
  const Follower* oldest = nullptr;
  for (const Follower& follower : it->second) {
    if (!follower.rotates || !follower.allowed) continue;
    if (!oldest || follower.created < oldest->created) oldest = &follower;  // ordered by key
  }
  return oldest ? oldest->key : "";
}

std::vector<Follower> Owners::followers(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_secret_.find(arn_without_region(arn));
  return it == by_secret_.end() ? std::vector<Follower>() : it->second;
}

}  // namespace keyturn::rotation
