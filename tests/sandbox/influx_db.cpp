// State, and what tests may do directly.
#include "tests/sandbox/influx_db.h"

#include <array>
#include <cstdio>

#include "lib/base/text.h"
#include "tests/sandbox/influx_error.h"

namespace keyturn::sandbox {

InfluxDb::InfluxDb(Options options, const Clock& clock, std::uint64_t number)
    : options_(std::move(options)),
      clock_(clock),
      next_id_((number << 32U) + 0x0c00'0000'0000'1000) {}

std::string InfluxDb::next_id() {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(next_id_));
  next_id_ += 0x1000;
  return text;
}

// 64 random bytes as URL-safe base64 with its padding: 88 characters.
std::string InfluxDb::new_secret() {
  std::array<std::byte, 64> bytes{};
  rng_.fill(bytes);
  return base64url(bytes) + "==";
}

InfluxUser* InfluxDb::user_named(const std::string& name) {
  for (auto& [id, user] : users_) {
    if (user.name == name) return &user;
  }
  return nullptr;
}

InfluxOrg* InfluxDb::org_named(const std::string& name) {
  for (auto& [id, org] : orgs_) {
    if (org.name == name) return &org;
  }
  return nullptr;
}

InfluxUser& InfluxDb::new_user(const std::string& name) {
  if (user_named(name)) throw InfluxError("conflict", "user with name " + name + " already exists");
  InfluxUser user;
  user.id = next_id();
  user.name = name;
  return users_.emplace(user.id, user).first->second;
}

InfluxOrg& InfluxDb::new_org(const std::string& name) {
  if (trim(name).empty()) throw InfluxError("invalid", "org name is empty");
  if (org_named(name))
    throw InfluxError("conflict", "organization with name " + name + " already exists");
  InfluxOrg org;
  org.id = next_id();
  org.name = name;
  org.created = clock_.now();
  new_bucket(org.id, "_tasks", true);
  new_bucket(org.id, "_monitoring", true);
  return orgs_.emplace(org.id, std::move(org)).first->second;
}

InfluxBucket& InfluxDb::new_bucket(const std::string& org, const std::string& name, bool system) {
  if (!system && name.starts_with('_')) {
    throw InfluxError("invalid",
                      "bucket name " + name + " is invalid. Buckets may not start with underscore");
  }
  for (const auto& [id, bucket] : buckets_) {
    if (bucket.org == org && bucket.name == name)
      throw InfluxError("conflict", "bucket with name " + name + " already exists");
  }
  InfluxBucket bucket;
  bucket.id = next_id();
  bucket.org = org;
  bucket.name = name;
  bucket.system = system;
  if (system) {
    bucket.retention_seconds = name == "_tasks" ? 3 * 86'400 : 7 * 86'400;
    bucket.description =
        name == "_tasks" ? "System bucket for task logs" : "System bucket for monitoring logs";
  }
  bucket.created = clock_.now();
  return buckets_.emplace(bucket.id, std::move(bucket)).first->second;
}

// Gives it id, token and times.
InfluxAuthorization& InfluxDb::new_authorization(InfluxAuthorization wanted) {
  for (const InfluxPermission& permission : wanted.permissions) {
    if (permission.org.empty() || permission.org == wanted.org) continue;
    throw InfluxError("invalid",
                      "permission " + permission.text() + " is not for org id " + wanted.org);
  }
  if (!users_.contains(wanted.user) || !orgs_.contains(wanted.org))
    throw InfluxError("invalid", "unable to create token");
  for (const auto& [id, other] : authorizations_) {
    if (other.token == wanted.token) throw InfluxError("conflict", "token already exists");
  }
  if (wanted.token.empty()) wanted.token = new_secret();
  wanted.id = next_id();
  wanted.created = wanted.updated = clock_.now();
  const std::string id = wanted.id;
  return authorizations_.emplace(id, std::move(wanted)).first->second;
}

InfluxDb::Setup InfluxDb::set_up_locked(const std::string& username, const std::string& password,
                                        const std::string& org, const std::string& bucket,
                                        const std::string& token) {
  if (!users_.empty() || !orgs_.empty())
    throw InfluxError("conflict", "onboarding has already been completed");
  std::string missing;
  for (const auto& [name, value] :
       {std::pair{"username", &username}, {"org", &org}, {"bucket", &bucket}}) {
    if (value->empty()) missing += (missing.empty() ? "" : ",") + std::string(name);
  }
  if (!missing.empty()) {
    throw InfluxError("unprocessable entity",
                      "onboarding failed: missing required fields [" + missing + "]");
  }
  if (!password.empty()) check_strength(password);
  Setup out;
  InfluxUser& user = new_user(username);
  user.password = password;
  out.user = instance_owner_ = user.id;
  InfluxOrg& made = new_org(org);
  made.people[out.user] = true;
  out.org = made.id;
  out.bucket = new_bucket(out.org, bucket, false).id;
  InfluxAuthorization wanted;
  wanted.token = token;
  wanted.description = username + "'s Token";
  wanted.org = out.org;
  wanted.user = out.user;
  wanted.permissions = influx_operator_rights();
  const InfluxAuthorization& authorization = new_authorization(std::move(wanted));
  out.token = authorization.token;
  out.token_id = authorization.id;
  return out;
}

InfluxDb::Setup InfluxDb::set_up(const std::string& username, const std::string& password,
                                 const std::string& org, const std::string& bucket,
                                 const std::string& token) {
  const std::lock_guard lock(mutex_);
  return set_up_locked(username, password, org, bucket, token);
}

std::string InfluxDb::add_user(const std::string& name, const std::string& password) {
  const std::lock_guard lock(mutex_);
  InfluxUser& user = new_user(name);
  user.password = password;
  return user.id;
}

std::string InfluxDb::add_org(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return new_org(name).id;
}

std::string InfluxDb::add_bucket(const std::string& org, const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!orgs_.contains(org)) throw InfluxError("not found", "organization not found");
  return new_bucket(org, name, false).id;
}

void InfluxDb::join_org(const std::string& org, const std::string& user, bool owner) {
  const std::lock_guard lock(mutex_);
  const auto found = orgs_.find(org);
  if (found == orgs_.end() || !users_.contains(user))
    throw InfluxError("not found", "no such organization or user");
  found->second.people[user] = owner;
}

InfluxAuthorization InfluxDb::add_authorization(const std::string& org, const std::string& user,
                                                const InfluxPermissions& permissions,
                                                const std::string& description) {
  const std::lock_guard lock(mutex_);
  InfluxAuthorization wanted;
  wanted.org = org;
  wanted.user = user;
  wanted.permissions = permissions;
  wanted.description = description;
  return new_authorization(std::move(wanted));
}

void InfluxDb::set_password(const std::string& user, const std::string& password) {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(user);
  if (found == users_.end()) throw InfluxError("not found", "user not found");
  found->second.password = password;
}

void InfluxDb::set_user_active(const std::string& user, bool active) {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(user);
  if (found == users_.end()) throw InfluxError("not found", "user not found");
  found->second.active = active;
}

void InfluxDb::remove_user(const std::string& user) {
  const std::lock_guard lock(mutex_);
  if (users_.erase(user) == 0) throw InfluxError("not found", "user not found");
  for (auto& [id, org] : orgs_) org.people.erase(user);
}

void InfluxDb::edit_authorization(const std::string& id, std::optional<bool> active,
                                  const std::optional<std::string>& description) {
  const std::lock_guard lock(mutex_);
  InfluxAuthorization& found = need_authorization(id);
  if (active) found.active = *active;
  if (description) found.description = *description;
}

bool InfluxDb::remove_authorization(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return authorizations_.erase(id) > 0;
}

void InfluxDb::expire_sessions() {
  const std::lock_guard lock(mutex_);
  sessions_.clear();
}

std::vector<InfluxAuthorization> InfluxDb::authorizations() const {
  const std::lock_guard lock(mutex_);
  std::vector<InfluxAuthorization> out;
  for (const auto& [id, authorization] : authorizations_) out.push_back(authorization);
  return out;
}

std::vector<InfluxUser> InfluxDb::users() const {
  const std::lock_guard lock(mutex_);
  std::vector<InfluxUser> out;
  for (const auto& [id, user] : users_) out.push_back(user);
  return out;
}

std::vector<InfluxOrg> InfluxDb::orgs() const {
  const std::lock_guard lock(mutex_);
  std::vector<InfluxOrg> out;
  for (const auto& [id, org] : orgs_) out.push_back(org);
  return out;
}

std::vector<InfluxBucket> InfluxDb::buckets() const {
  const std::lock_guard lock(mutex_);
  std::vector<InfluxBucket> out;
  for (const auto& [id, bucket] : buckets_) out.push_back(bucket);
  return out;
}

std::size_t InfluxDb::sessions() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace keyturn::sandbox
