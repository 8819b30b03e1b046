#include "controller/rotation/secret_knowledge.h"

#include <algorithm>

#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

bool tells_change(const Sight& before, const aws::SecretMetadata& now) {
  const auto& old = before.secret;
  return old.arn != now.arn || old.stages != now.stages || old.deleted != now.deleted ||
         old.rotation_enabled != now.rotation_enabled || old.owning_service != now.owning_service;
}

}  // namespace

bool SecretKnowledge::saw(const Scope& scope, const aws::SecretMetadata& secret, MonoTime at,
                          bool from_list) {
  const std::lock_guard lock(mutex_);
  PerScope& known = scopes_[scope];
  const auto it = known.by_arn.find(secret.arn);
  bool changed = true;
  if (it != known.by_arn.end()) {
    // A list may show the past: what we saw ourselves a moment ago is newer.
    const bool older =
        it->second->seen_at > at || (from_list && it->second->seen_at + kListLag > at &&
                                     it->second->secret.stages != secret.stages);
    if (older) {
      if (from_list)
        it->second =
            std::make_shared<const Sight>(Sight{it->second->secret, it->second->seen_at, at});
      return false;
    }
    changed = tells_change(*it->second, secret);
  }
  known.by_arn[secret.arn] = std::make_shared<const Sight>(Sight{secret, at, at});
  std::string& arn = known.arn_by_name[secret.name];
  if (!arn.empty() && arn != secret.arn) {
    known.by_arn.erase(
        arn);  // recreated under the same name: nothing of the old ARN is carried over
    changed = true;
  }
  arn = secret.arn;
  return changed;
}

bool SecretKnowledge::in_doubt(const Scope& scope, const aws::SecretMetadata& listed,
                               MonoTime at) const {
  const auto sight = find(scope, listed.arn);
  if (!sight || sight->secret.stages == listed.stages || sight->seen_at > at ||
      sight->seen_at + kListLag <= at)
    return false;
  const auto& ours = sight->secret.last_changed;
  return !(ours && listed.last_changed && *listed.last_changed < *ours);  // provably the past
}

std::shared_ptr<const Sight> SecretKnowledge::find(const Scope& scope,
                                                   std::string_view secret_id) const {
  const std::lock_guard lock(mutex_);
  const auto known = scopes_.find(scope);
  if (known == scopes_.end()) return nullptr;
  const auto& by_arn = known->second.by_arn;
  if (const auto it = by_arn.find(std::string(secret_id)); it != by_arn.end()) return it->second;
  // A partial ARN lacks the six random characters; its name part is the canonical name.
  const std::string name = secret_id.starts_with("arn:")
                               ? name_of_arn(std::string(secret_id) + "-000000")
                               : std::string(secret_id);
  const auto named = known->second.arn_by_name.find(name);
  if (named == known->second.arn_by_name.end()) return nullptr;
  if (secret_id.starts_with("arn:") && !std::string_view(named->second).starts_with(secret_id))
    return nullptr;
  const auto it = by_arn.find(named->second);
  return it == by_arn.end() ? nullptr : it->second;
}

void SecretKnowledge::moved(const Scope& by, const std::string& arn) {
  const std::string secret = arn_without_region(arn);
  const std::lock_guard lock(mutex_);
  for (auto& each : scopes_) {
    if (each.first == by) continue;
    PerScope& known = each.second;
    std::erase_if(known.by_arn, [&](const auto& entry) {
      if (arn_without_region(entry.first) != secret) return false;
      known.arn_by_name.erase(entry.second->secret.name);
      return true;
    });
  }
}

void SecretKnowledge::gone(const Scope& scope, std::string_view secret_id) {
  const auto sight = find(scope, secret_id);
  if (!sight) return;
  const std::lock_guard lock(mutex_);
  PerScope& known = scopes_[scope];
  known.by_arn.erase(sight->secret.arn);
  known.arn_by_name.erase(sight->secret.name);
}

std::vector<std::string> SecretKnowledge::keep_only_seen_since(const Scope& scope, MonoTime since) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lost;
  PerScope& known = scopes_[scope];
  for (auto it = known.by_arn.begin(); it != known.by_arn.end();) {
    if (std::max(it->second->seen_at, it->second->listed_at) >= since) {
      ++it;
      continue;
    }
    lost.push_back(it->first);
    known.arn_by_name.erase(it->second->secret.name);
    it = known.by_arn.erase(it);
  }
  return lost;
}

std::size_t SecretKnowledge::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [scope, known] : scopes_) count += known.by_arn.size();
  return count;
}

std::string arn_without_region(std::string_view arn) {
  std::vector<std::string> parts = split(arn, ':');
  if (parts.size() < 7) return std::string(arn);
  parts[3].clear();
  return join(parts, ":");
}

std::string name_of_arn(std::string_view arn) {
  constexpr std::string_view kMarker = ":secret:";
  const auto at = arn.find(kMarker);
  if (!arn.starts_with("arn:") || at == std::string_view::npos) return "";
  std::string_view name = arn.substr(at + kMarker.size());
  constexpr std::size_t kSuffix = 7;  // "-" and six random characters
  if (name.size() > kSuffix && name[name.size() - kSuffix] == '-') name.remove_suffix(kSuffix);
  return std::string(name);
}

}  // namespace keyturn::rotation
