#include "controller/rotation/secret_knowledge.h"

#include <algorithm>

#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

// ASCII's own separators: in no version id, and in no label that AWS would take.
constexpr char kRecord = '\x1e', kUnit = '\x1f';

bool tells_change(const Sight& before, const aws::SecretMetadata& now) {
  const auto& old = before.secret;
  return old.arn != now.arn || old.stages != now.stages || old.deleted != now.deleted ||
         old.rotation_enabled != now.rotation_enabled || old.owning_service != now.owning_service;
}

}  // namespace

SecretKnowledge::Packed SecretKnowledge::pack(const Sight& sight) {
  const aws::SecretMetadata& secret = sight.secret;
  Packed packed{.name = secret.name,
                .stages = {},
                .created = secret.created,
                .last_changed = secret.last_changed,
                .seen_at = sight.seen_at,
                .listed_at = sight.listed_at,
                .whole = std::nullopt};
  for (const auto& [id, labels] : secret.stages) {
    packed.stages += id;
    for (const auto& label : labels) packed.stages += kUnit + label;
    packed.stages += kRecord;
  }
  packed.stages.shrink_to_fit();
  if (unpack(secret.arn, packed).secret != secret) packed.whole = secret;
  return packed;
}

Sight SecretKnowledge::unpack(const std::string& arn, const Packed& packed) {
  Sight sight{{}, packed.seen_at, packed.listed_at};
  if (packed.whole) {
    sight.secret = *packed.whole;
    return sight;
  }
  sight.secret.arn = arn;
  sight.secret.name = packed.name;
  for (const auto& version : split(packed.stages, kRecord)) {
    if (version.empty()) continue;  // behind the last
    const auto parts = split(version, kUnit);
    sight.secret.stages[parts.front()] = {parts.begin() + 1, parts.end()};
  }
  sight.secret.created = packed.created;
  sight.secret.last_changed = packed.last_changed;
  return sight;
}

void SecretKnowledge::PerScope::put(const Sight& sight) {
  const auto known = by_arn.find(sight.secret.arn);
  if (known != by_arn.end()) erase(known);
  const auto at = by_arn.emplace(sight.secret.arn, pack(sight)).first;
  by_name[at->second.name] = &*at;
}

SecretKnowledge::ByArn::iterator SecretKnowledge::PerScope::erase(ByArn::const_iterator at) {
  const auto named = by_name.find(at->second.name);
  if (named != by_name.end() && named->second == &*at) by_name.erase(named);
  return by_arn.erase(at);
}

bool SecretKnowledge::saw(const Scope& scope, const aws::SecretMetadata& secret, MonoTime at,
                          bool from_list) {
  const std::lock_guard lock(mutex_);
  PerScope& known = scopes_[scope];
  const auto it = known.by_arn.find(secret.arn);
  bool changed = true;
  if (it != known.by_arn.end()) {
    const Sight before = unpack(it->first, it->second);
    // A list may show the past: what we saw ourselves a moment ago is newer.
    const bool older = before.seen_at > at || (from_list && before.seen_at + kListLag > at &&
                                               before.secret.stages != secret.stages);
    if (older) {
      if (from_list) it->second.listed_at = at;
      return false;
    }
    changed = tells_change(before, secret);
  }
  const auto named = known.by_name.find(secret.name);
  if (named != known.by_name.end() && named->second->first != secret.arn) {
    // Recreated under the same name: nothing of the old ARN is carried over.
    known.erase(known.by_arn.find(named->second->first));
    changed = true;
  }
  known.put({secret, at, at});
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
  if (const auto it = by_arn.find(std::string(secret_id)); it != by_arn.end())
    return std::make_shared<const Sight>(unpack(it->first, it->second));
  // A partial ARN lacks the six random characters; its name part is the canonical name.
  const std::string name = secret_id.starts_with("arn:")
                               ? name_of_arn(std::string(secret_id) + "-000000")
                               : std::string(secret_id);
  const auto named = known->second.by_name.find(name);
  if (named == known->second.by_name.end()) return nullptr;
  const auto& [arn, packed] = *named->second;
  if (secret_id.starts_with("arn:") && !arn.starts_with(secret_id)) return nullptr;
  return std::make_shared<const Sight>(unpack(arn, packed));
}

void SecretKnowledge::moved(const Scope& by, const std::string& arn) {
  const std::string secret = arn_without_region(arn);
  const std::lock_guard lock(mutex_);
  for (auto& [scope, known] : scopes_) {
    if (scope == by) continue;
    for (auto it = known.by_arn.begin(); it != known.by_arn.end();)
      it = arn_without_region(it->first) == secret ? known.erase(it) : std::next(it);
  }
}

void SecretKnowledge::gone(const Scope& scope, std::string_view secret_id) {
  const auto sight = find(scope, secret_id);
  if (!sight) return;
  const std::lock_guard lock(mutex_);
  PerScope& known = scopes_[scope];
  const auto it = known.by_arn.find(sight->secret.arn);
  if (it != known.by_arn.end()) known.erase(it);
}

std::vector<std::string> SecretKnowledge::keep_only_seen_since(const Scope& scope, MonoTime since) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lost;
  PerScope& known = scopes_[scope];
  for (auto it = known.by_arn.begin(); it != known.by_arn.end();) {
    if (std::max(it->second.seen_at, it->second.listed_at) >= since) {
      ++it;
      continue;
    }
    lost.push_back(it->first);
    it = known.erase(it);
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
