#include "tests/sandbox/aws_accounts.h"

#include <algorithm>

#include "lib/base/text.h"
#include "lib/base/uuid.h"

namespace keyturn::sandbox {

void AwsAccounts::add_key(Principal principal) {
  if (principal.arn.empty())
    principal.arn = "arn:aws:iam::" + principal.account + ":user/" + principal.access_key;
  const std::lock_guard lock(mutex_);
  keys_[principal.access_key] = std::move(principal);
}

void AwsAccounts::remove_key(const std::string& access_key) {
  const std::lock_guard lock(mutex_);
  keys_.erase(access_key);
}

void AwsAccounts::set_rules(const std::string& access_key, std::vector<IamRule> rules) {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(access_key);
  if (found != keys_.end()) found->second.rules = std::move(rules);
}

std::optional<Principal> AwsAccounts::find(const std::string& access_key) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(access_key);
  if (found == keys_.end()) return std::nullopt;
  return found->second;
}

void AwsAccounts::add_role(Role role) {
  const std::lock_guard lock(mutex_);
  roles_[role.arn] = std::move(role);
}

std::optional<Role> AwsAccounts::role(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  const auto found = roles_.find(arn);
  if (found == roles_.end()) return std::nullopt;
  return found->second;
}

Principal AwsAccounts::start_session(const Role& role, const std::string& session_name,
                                     std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  std::string id = uuid_v4(rng_);
  std::erase(id, '-');
  Principal out;
  out.access_key = "ASIA" + id.substr(0, 16);
  std::transform(out.access_key.begin(), out.access_key.end(), out.access_key.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  out.secret_key = base64(uuid_v4(rng_));
  out.session_token = base64(uuid_v4(rng_) + uuid_v4(rng_));
  out.account = role.account;
  const std::string role_name = role.arn.substr(role.arn.rfind('/') + 1);
  out.arn = "arn:aws:sts::" + role.account + ":assumed-role/" + role_name + "/" + session_name;
  out.expires = clock_.now() + std::chrono::seconds(seconds);
  out.rules = role.rules;
  keys_[out.access_key] = out;
  return out;
}

void AwsAccounts::expire_sessions() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, principal] : keys_) {
    if (principal.expires) principal.expires = WallTime();
  }
}

bool permits(const Principal& principal, const std::string& action,
             const std::vector<std::string>& names) {
  const auto matches = [&](const IamRule& rule) {
    const bool acts =
        std::any_of(rule.actions.begin(), rule.actions.end(),
                    [&](const std::string& glob) { return glob_match(glob, action); });
    return acts &&
           std::any_of(rule.resources.begin(), rule.resources.end(), [&](const std::string& glob) {
             return glob == "**" ||
                    std::any_of(names.begin(), names.end(),
                                [&](const std::string& name) { return glob_match(glob, name); });
           });
  };
  bool allowed = false;
  for (const IamRule& rule : principal.rules) {
    if (!matches(rule)) continue;
    if (!rule.allow) return false;
    allowed = true;
  }
  return allowed;
}

}  // namespace keyturn::sandbox
