// State, dispatch, and what tests may do directly.
#include "tests/sandbox/secrets_manager.h"

#include <algorithm>

#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/sm_checks.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kAccount = "123456789012";
constexpr std::size_t kMaxVersions = 100;
constexpr std::chrono::hours kPurgeAge{24};
constexpr std::size_t kMaxLabels = 20;

AwsError no_such_secret() {
  return AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
}

// "…:secret:name-AbCdEf" without the six characters.
std::string without_suffix(const std::string& arn) {
  return arn.size() > 7 && arn[arn.size() - 7] == '-' ? arn.substr(0, arn.size() - 7) : arn;
}

// Makes room for one more version: unlabelled ones older than a day go, oldest first.
void purge_versions(StoredSecret& secret, WallTime now) {
  while (secret.versions.size() >= kMaxVersions) {
    auto oldest = secret.versions.end();
    for (auto it = secret.versions.begin(); it != secret.versions.end(); ++it) {
      const bool purgeable = it->second.labels.empty() && it->second.created + kPurgeAge < now;
      if (purgeable && (oldest == secret.versions.end() || it->second.order < oldest->second.order))
        oldest = it;
    }
    if (oldest == secret.versions.end()) {
      throw AwsError("LimitExceededException",
                     "The secret has too many versions; none is old enough to be purged.");
    }
    secret.versions.erase(oldest);
  }
}

}  // namespace

const SecretVersion* StoredSecret::holder(const std::string& label) const {
  for (const auto& [id, version] : versions) {
    if (version.labels.contains(label)) return &version;
  }
  return nullptr;
}

SecretsManager::SecretsManager(const Clock& clock, std::uint64_t seed)
    : clock_(clock), seeded_(seed) {}

Json SecretsManager::call(const std::string& operation, const Json& input, const Caller& caller) {
  if (!input.is_object())
    throw AwsError("SerializationException", "The body is not a JSON object.");
  const std::lock_guard lock(mutex_);
  if (operation == "DescribeSecret") return describe(input, caller);
  if (operation == "GetSecretValue") return get_value(input, caller);
  if (operation == "BatchGetSecretValue") return batch_get(input, caller);
  if (operation == "ListSecrets") return list(input, caller);
  if (operation == "ListSecretVersionIds") return list_versions(input, caller);
  if (operation == "PutSecretValue") return put_value(input, caller);
  if (operation == "UpdateSecretVersionStage") return update_stage(input, caller);
  if (operation == "CreateSecret") return create_secret(input, caller);
  if (operation == "UpdateSecret") return update_secret(input, caller);
  if (operation == "DeleteSecret") return delete_secret(input, caller);
  if (operation == "RestoreSecret") return restore_secret(input, caller);
  if (operation == "RotateSecret") return rotate_secret(input, caller);
  if (operation == "CancelRotateSecret") return cancel_rotation(input, caller);
  if (operation == "TagResource") return tag(input, caller);
  if (operation == "UntagResource") return untag(input, caller);
  if (operation == "GetRandomPassword") {
    permit(caller, operation, {"*"});
    return random_password(input);
  }
  throw AwsError("UnknownOperationException", "the sandbox does not serve " + printable(operation));
}

Json SecretsManager::random_password(const Json& input) {
  check_members(
      input, {"PasswordLength", "ExcludeCharacters", "ExcludeNumbers", "ExcludePunctuation",
              "ExcludeUppercase", "ExcludeLowercase", "IncludeSpace", "RequireEachIncludedType"});
  return {{"RandomPassword", make_random_password(input, rng_)}};
}

void SecretsManager::permit(const Caller& caller, const std::string& action,
                            const std::vector<std::string>& names) const {
  const std::string full = "secretsmanager:" + action;
  if (permits(caller.principal, full, names)) return;
  throw AwsError("AccessDeniedException",
                 "User: " + caller.principal.arn + " is not authorized to perform: " + full +
                     " on resource: " + names.back() +
                     " because no identity-based policy allows the " + full + " action");
}

StoredSecret* SecretsManager::find(const std::string& id, const std::string& account,
                                   const std::string& region) {
  if (id.starts_with("arn:")) {
    if (const auto found = secrets_.find(id); found != secrets_.end()) {
      return found->second.region == region ? &found->second : nullptr;
    }
    // A partial ARN lacks the suffix.
    for (auto it = secrets_.lower_bound(id); it != secrets_.end() && it->first.starts_with(id);
         ++it) {
      if (without_suffix(it->first) == id && it->second.region == region) return &it->second;
    }
    return nullptr;
  }
  const auto found = arn_by_name_.find(account + "/" + region + "/" + id);
  return found == arn_by_name_.end() ? nullptr : &secrets_.at(found->second);
}

StoredSecret& SecretsManager::need(const Json& input, const Caller& caller, const char* action,
                                   bool even_deleted) {
  const std::string id = text_at(input, "SecretId");
  if (id.empty() || id.size() > 2048) {
    throw AwsError("ValidationException", "SecretId must have between 1 and 2048 characters.");
  }
  StoredSecret* secret = find(id, caller.principal.account, caller.region);
  if (!secret) {
    permit(caller, action, {id});
    throw no_such_secret();
  }
  permit(caller, action, {secret->name, secret->arn});
  if (secret->account != caller.principal.account) {
    throw AwsError("AccessDeniedException", "User: " + caller.principal.arn +
                                                " is not authorized to perform: secretsmanager:" +
                                                action + " on resource: " + secret->arn +
                                                " because no resource-based policy allows it");
  }
  if (secret->deleted && !even_deleted) {
    throw AwsError(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.");
  }
  return *secret;
}

StoredSecret& SecretsManager::need_writable(const Json& input, const Caller& caller,
                                            const char* action) {
  StoredSecret& secret = need(input, caller, action);
  if (!secret.primary_region.empty() && secret.primary_region != secret.region) {
    throw AwsError("InvalidRequestException",
                   "Operation not permitted on a replica secret. Call must be made in primary "
                   "secret's region.");
  }
  return secret;
}

StoredSecret& SecretsManager::add_secret(const std::string& name, const std::string& account,
                                         const std::string& region) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string suffix;
  for (int i = 0; i < 6; ++i) suffix += kLetters[seeded_.below(kLetters.size())];
  StoredSecret secret;
  secret.arn =
      "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + name + "-" + suffix;
  secret.name = name;
  secret.account = account;
  secret.region = region;
  secret.created = secret.changed = clock_.now();
  arn_by_name_[account + "/" + region + "/" + name] = secret.arn;
  return secrets_.emplace(secret.arn, std::move(secret)).first->second;
}

SecretVersion& SecretsManager::add_version(StoredSecret& secret, const std::string& id) {
  purge_versions(secret, clock_.now());
  SecretVersion& version = secret.versions[id];
  version.id = id;
  version.created = clock_.now();
  version.order = next_order_++;
  return version;
}

// Puts a label on a version, taking it from any other; AWSPREVIOUS follows AWSCURRENT's loser.
void SecretsManager::attach(StoredSecret& secret, const std::string& label,
                            SecretVersion& version) {
  std::string loser;
  for (auto& [id, other] : secret.versions) {
    if (other.labels.erase(label) > 0 && id != version.id) loser = id;
  }
  version.labels.insert(label);
  if (label == "AWSCURRENT" && !loser.empty()) {
    for (auto& [id, other] : secret.versions) other.labels.erase("AWSPREVIOUS");
    secret.versions.at(loser).labels.insert("AWSPREVIOUS");
  }
  std::size_t labels = 0;
  for (const auto& [id, other] : secret.versions) labels += other.labels.size();
  if (labels > kMaxLabels) {
    throw AwsError("LimitExceededException",
                   "A secret can have at most 20 staging labels across its versions.");
  }
}

// Called before a change, so that a stale read can still show what was.
void SecretsManager::will_change(StoredSecret& secret) {
  if (stale_describes_ == 0) return;
  secret.stale_view = view(secret, false);
  secret.stale_reads = stale_describes_;
}

void SecretsManager::touch(StoredSecret& secret) {
  secret.changed = clock_.now();
  if (list_lag_.count() == 0) return;
  secret.listed.emplace_back(clock_.now(), view(secret, true));
  if (secret.listed.size() > 64) secret.listed.erase(secret.listed.begin());
}

std::string SecretsManager::create(const std::string& name, const std::string& value,
                                   const std::string& region) {
  const std::lock_guard lock(mutex_);
  StoredSecret& secret = add_secret(name, kAccount, region);
  SecretVersion& version = add_version(secret, uuid_v4(seeded_));
  version.text = value;
  version.labels = {"AWSCURRENT"};
  touch(secret);
  return secret.arn;
}

std::string SecretsManager::create_binary(const std::string& name, const std::string& bytes,
                                          const std::string& region) {
  const std::string arn = create(name, "x", region);
  edit(arn, [&](StoredSecret& secret) {
    SecretVersion& version = secret.versions.begin()->second;
    version.text.reset();
    version.binary = base64(bytes);
  });
  return arn;
}

std::string SecretsManager::put(const std::string& id, const std::string& value,
                                const std::vector<std::string>& labels) {
  std::string version_id;
  edit(id, [&](StoredSecret& secret) {
    SecretVersion& version = add_version(secret, uuid_v4(seeded_));
    version.text = value;
    version_id = version.id;
    for (const std::string& label :
         labels.empty() ? std::vector<std::string>{"AWSCURRENT"} : labels) {
      attach(secret, label, version);
    }
  });
  return version_id;
}

std::optional<StoredSecret> SecretsManager::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [arn, secret] : secrets_) {
    if (arn == id || secret.name == id) return secret;
  }
  return std::nullopt;
}

std::optional<std::string> SecretsManager::value(const std::string& id,
                                                 const std::string& label) const {
  const auto secret = get(id);
  if (!secret) return std::nullopt;
  const SecretVersion* version = secret->holder(label);
  return version ? version->text : std::nullopt;
}

void SecretsManager::edit(const std::string& id, const std::function<void(StoredSecret&)>& change) {
  const std::lock_guard lock(mutex_);
  for (auto& [arn, secret] : secrets_) {
    if (arn != id && secret.name != id) continue;
    will_change(secret);
    change(secret);
    touch(secret);
    return;
  }
  throw no_such_secret();
}

std::vector<std::string> SecretsManager::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [arn, secret] : secrets_) out.push_back(secret.name);
  std::sort(out.begin(), out.end());
  return out;
}

void SecretsManager::clear() {
  const std::lock_guard lock(mutex_);
  secrets_.clear();
  arn_by_name_.clear();
}

void SecretsManager::set_stale_describes(std::uint64_t calls) {
  const std::lock_guard lock(mutex_);
  stale_describes_ = calls;
}
void SecretsManager::set_list_lag(Duration lag) {
  const std::lock_guard lock(mutex_);
  list_lag_ = lag;
  for (auto& [arn, secret] : secrets_) secret.listed = {{secret.changed, view(secret, true)}};
}
void SecretsManager::set_honour_sort(bool honour) {
  const std::lock_guard lock(mutex_);
  honour_sort_ = honour;
}
void SecretsManager::set_empty_pages(bool on) {
  const std::lock_guard lock(mutex_);
  empty_pages_ = on;
}

}  // namespace keyturn::sandbox
