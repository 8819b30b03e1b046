#include "controller/rotation/owners.h"

#include <utility>

#include "controller/rotation/secret_knowledge.h"

namespace keyturn::rotation {

std::vector<std::string> Owners::others_locked(const std::string& group,
                                               const std::string& key) const {
  std::vector<std::string> keys;
  const auto it = by_secret_.find(group);
  if (it == by_secret_.end()) return keys;
  for (const auto& [other, follower] : it->second) {
    if (other != key && follower.rotates) keys.push_back(other);
  }
  return keys;
}

std::vector<std::string> Owners::set(const std::string& arn, const Follower& follower) {
  const std::string group = arn_without_region(arn);
  const std::lock_guard lock(mutex_);
  std::vector<std::string> affected;
  std::string& at = secret_of_[follower.key];
  if (!at.empty() && at != group) {
    by_secret_[at].erase(follower.key);
    affected = others_locked(at, follower.key);
    if (by_secret_[at].empty()) by_secret_.erase(at);
  }
  at = group;
  auto& members = by_secret_[group];
  const auto before = members.find(follower.key);
  const bool changed = before == members.end() || before->second.rotates != follower.rotates ||
                       before->second.allowed != follower.allowed;
  members[follower.key] = follower;
  if (changed) {
    for (auto& key : others_locked(group, follower.key)) affected.push_back(std::move(key));
  }
  return affected;
}

std::vector<std::string> Owners::deny(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = secret_of_.find(key);
  if (it == secret_of_.end()) return {};
  Follower& follower = by_secret_[it->second][key];
  if (!std::exchange(follower.allowed, false)) return {};
  return others_locked(it->second, key);
}

std::vector<std::string> Owners::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = secret_of_.find(key);
  if (it == secret_of_.end()) return {};
  const std::string group = it->second;
  secret_of_.erase(it);
  by_secret_[group].erase(key);
  auto affected = others_locked(group, key);
  if (by_secret_[group].empty()) by_secret_.erase(group);
  return affected;
}

std::string Owners::owner(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_secret_.find(arn_without_region(arn));
  if (it == by_secret_.end()) return "";
  const Follower* oldest = nullptr;
  for (const auto& [key, follower] : it->second) {
    if (!follower.rotates || !follower.allowed) continue;
    if (!oldest || follower.created < oldest->created) oldest = &follower;  // ordered by key
  }
  return oldest ? oldest->key : "";
}

std::vector<Follower> Owners::followers(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  std::vector<Follower> result;
  const auto it = by_secret_.find(arn_without_region(arn));
  if (it == by_secret_.end()) return result;
  for (const auto& [key, follower] : it->second) result.push_back(follower);
  return result;
}

}  // namespace keyturn::rotation
