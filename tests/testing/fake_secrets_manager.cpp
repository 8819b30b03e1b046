#include "tests/testing/fake_secrets_manager.h"

#include <algorithm>
#include <utility>

namespace keyturn::testing {

namespace {

constexpr std::size_t kHistory = 16;
constexpr std::size_t kMaxValue = 65536;

std::string find_holder(const aws::StagesByVersion& stages, const std::string& label) {
  for (const auto& [id, labels] : stages) {
    if (labels.contains(label)) return id;
  }
  return {};
}

void relabel(aws::StagesByVersion& stages, const std::string& label, const std::string& to) {
  const std::string from = find_holder(stages, label);
  if (from == to) return;
  if (!from.empty()) {
    stages[from].erase(label);
    if (stages[from].empty()) stages.erase(from);
  }
  if (!to.empty()) stages[to].insert(label);
  if (label == "AWSCURRENT" && !from.empty()) relabel(stages, "AWSPREVIOUS", from);
}

Error not_found(const std::string& what) {
  return make_error(ErrorClass::NotFound, "ResourceNotFoundException",
                    "Secrets Manager can't find " + what + ".");
}

}  // namespace

FakeSecretsManager::Secret* FakeSecretsManager::find_locked(const std::string& secret_id) {
  return const_cast<Secret*>(std::as_const(*this).find_locked(secret_id));
}

const FakeSecretsManager::Secret* FakeSecretsManager::find_locked(
    const std::string& secret_id) const {
  for (const auto& [arn, secret] : secrets_) {
    if (arn == secret_id || secret.metadata.name == secret_id) return &secret;
  }
  return nullptr;
}

void FakeSecretsManager::changing_locked(Secret& secret) {
  secret.history.push_back(secret.metadata);
  if (secret.history.size() > kHistory) secret.history.erase(secret.history.begin());
  secret.metadata.last_changed = clock_.now();
}

std::string FakeSecretsManager::add_secret(const std::string& name, const std::string& value,
                                           const std::string& region) {
  const std::lock_guard lock(mutex_);
  const std::string arn =
      "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + name + "-AbCdEf";
  Secret& secret = secrets_[arn];
  secret.metadata.arn = arn;
  secret.metadata.name = name;
  secret.metadata.created = secret.metadata.last_changed = clock_.now();
  const std::string id = "first-" + std::to_string(++people_);
  secret.versions[id] = Version{.value = value, .created = clock_.now()};
  secret.metadata.stages[id] = {"AWSCURRENT"};
  return arn;
}

std::string FakeSecretsManager::put_as_person(const std::string& arn, const std::string& value,
                                              const std::string& stage) {
  const std::lock_guard lock(mutex_);
  Secret& secret = *find_locked(arn);
  changing_locked(secret);
  const std::string id = "person-" + std::to_string(++people_);
  secret.versions[id] = Version{.value = value, .created = clock_.now()};
  relabel(secret.metadata.stages, stage, id);
  return id;
}

void FakeSecretsManager::put_binary(const std::string& arn) {
  const std::string id = put_as_person(arn, "");
  edit(arn, [&](Secret& secret) { secret.versions[id].binary = true; });
}

void FakeSecretsManager::add_placeholder(const std::string& arn, const std::string& version_id) {
  const std::lock_guard lock(mutex_);
  Secret& secret = *find_locked(arn);
  changing_locked(secret);
  secret.versions[version_id] = Version{.value = "", .has_value = false, .created = clock_.now()};
  relabel(secret.metadata.stages, "AWSPENDING", version_id);
}

void FakeSecretsManager::move_label(const std::string& arn, const std::string& label,
                                    const std::string& to) {
  const std::lock_guard lock(mutex_);
  Secret& secret = *find_locked(arn);
  changing_locked(secret);
  relabel(secret.metadata.stages, label, to);
}

void FakeSecretsManager::edit(const std::string& arn, const std::function<void(Secret&)>& change) {
  const std::lock_guard lock(mutex_);
  change(*find_locked(arn));
}

FakeSecretsManager::Secret FakeSecretsManager::secret(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  return *find_locked(arn);
}

std::string FakeSecretsManager::holder(const std::string& arn, const std::string& label) const {
  const std::lock_guard lock(mutex_);
  return find_holder(find_locked(arn)->metadata.stages, label);
}

std::optional<std::string> FakeSecretsManager::value_of(const std::string& arn,
                                                        const std::string& version_id) const {
  const std::lock_guard lock(mutex_);
  const auto& versions = find_locked(arn)->versions;
  const auto found = versions.find(version_id);
  if (found == versions.end() || !found->second.has_value) return std::nullopt;
  return found->second.value;
}

WallTime FakeSecretsManager::created_of(const std::string& arn,
                                        const std::string& version_id) const {
  const std::lock_guard lock(mutex_);
  return find_locked(arn)->versions.at(version_id).created;
}

aws::StagesByVersion FakeSecretsManager::stages(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  return find_locked(arn)->metadata.stages;
}

std::optional<std::string> FakeSecretsManager::value_at(const std::string& arn,
                                                        const std::string& label) const {
  const std::string id = holder(arn, label);
  return id.empty() ? std::nullopt : value_of(arn, id);
}

void FakeSecretsManager::purge(const std::string& arn) {
  const std::lock_guard lock(mutex_);
  Secret& secret = *find_locked(arn);
  const WallTime old = clock_.now() - Duration(24 * 3'600'000);
  std::erase_if(secret.versions, [&](const auto& entry) {
    return !secret.metadata.stages.contains(entry.first) && entry.second.created < old;
  });
}

void FakeSecretsManager::set_fault(Fault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

void FakeSecretsManager::set_staleness(std::function<std::size_t()> changes_back) {
  const std::lock_guard lock(mutex_);
  staleness_ = std::move(changes_back);
}

std::vector<FakeSecretsManager::Call> FakeSecretsManager::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void FakeSecretsManager::forget_calls() {
  const std::lock_guard lock(mutex_);
  calls_.clear();
}

// The fault is asked without the lock: it may meddle with the secret.
std::optional<Error> FakeSecretsManager::enter(const Call& call) {
  Fault fault;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
    fault = fault_;
  }
  return fault ? fault(call, When::Before) : std::nullopt;
}

std::optional<Error> FakeSecretsManager::leave(const Call& call) {
  Fault fault;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
  }
  return fault ? fault(call, When::After) : std::nullopt;
}

Result<aws::SecretMetadata> FakeSecretsManager::describe(const std::string& secret_id) {
  const Call call{"DescribeSecret", secret_id, "", ""};
  if (auto error = enter(call)) return *error;
  Result<aws::SecretMetadata> answer = [&]() -> Result<aws::SecretMetadata> {
    const std::lock_guard lock(mutex_);
    const Secret* secret = find_locked(secret_id);
    if (secret == nullptr) return not_found("the specified secret " + secret_id);
    const std::size_t back = staleness_ ? std::min(staleness_(), secret->history.size()) : 0;
    return back == 0 ? secret->metadata : secret->history[secret->history.size() - back];
  }();
  if (auto error = leave(call)) return *error;
  return answer;
}

Result<aws::SecretValue> FakeSecretsManager::get_value(const std::string& secret_id,
                                                       const std::string& version_id,
                                                       const std::string& stage) {
  const Call call{"GetSecretValue", secret_id, version_id, stage};
  if (auto error = enter(call)) return *error;
  Result<aws::SecretValue> answer = [&]() -> Result<aws::SecretValue> {
    const std::lock_guard lock(mutex_);
    const Secret* secret = find_locked(secret_id);
    if (secret == nullptr) return not_found("the specified secret " + secret_id);
    if (secret->metadata.deleted)
      return invalid("InvalidRequestException", "The secret is marked for deletion.");
    const std::string label = stage.empty() ? "AWSCURRENT" : stage;
    const std::string id =
        version_id.empty() ? find_holder(secret->metadata.stages, label) : version_id;
    const auto found = secret->versions.find(id);
    if (found == secret->versions.end() || !found->second.has_value) {
      return not_found("the specified secret value for " +
                       (version_id.empty() ? "staging label: " + label : "VersionId: " + id));
    }
    aws::SecretValue value;
    value.arn = secret->metadata.arn;
    value.name = secret->metadata.name;
    value.version_id = id;
    value.binary = found->second.binary;
    if (!value.binary) value.value = SecretString(found->second.value);
    value.created = found->second.created;
    if (const auto labels = secret->metadata.stages.find(id);
        labels != secret->metadata.stages.end())
      value.stages = labels->second;
    return value;
  }();
  if (auto error = leave(call)) return *error;
  return answer;
}

Result<std::vector<aws::VersionInfo>> FakeSecretsManager::list_versions(
    const std::string& secret_id, bool include_deprecated) {
  const Call call{"ListSecretVersionIds", secret_id, "", ""};
  if (auto error = enter(call)) return *error;
  std::vector<aws::VersionInfo> versions;
  {
    const std::lock_guard lock(mutex_);
    const Secret* secret = find_locked(secret_id);
    if (secret == nullptr) return not_found("the specified secret " + secret_id);
    for (const auto& [id, version] : secret->versions) {
      const auto labels = secret->metadata.stages.find(id);
      const bool labelled = labels != secret->metadata.stages.end();
      if (!labelled && !include_deprecated) continue;
      versions.push_back(
          {id, labelled ? labels->second : std::set<std::string>{}, version.created});
    }
  }
  if (auto error = leave(call)) return *error;
  return versions;
}

void FakeSecretsManager::remove(const std::string& arn) {
  const std::lock_guard lock(mutex_);
  secrets_.erase(arn);
}

void FakeSecretsManager::set_page_size(std::size_t secrets) {
  const std::lock_guard lock(mutex_);
  page_size_ = secrets;
}

void FakeSecretsManager::set_honour_order(bool honoured) {
  const std::lock_guard lock(mutex_);
  honour_order_ = honoured;
}

Result<aws::ListSecretsPage> FakeSecretsManager::list(const aws::ListSecretsRequest& request) {
  const Call call{"ListSecrets", "", "", ""};
  if (auto error = enter(call)) return *error;
  aws::ListSecretsPage page;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [arn, secret] : secrets_) {
      if (!secret.metadata.deleted || request.include_planned_deletion)
        page.secrets.push_back(secret.metadata);
    }
  }
  std::size_t size = 0;
  bool honoured = true;
  {
    const std::lock_guard lock(mutex_);
    size = page_size_;
    honoured = honour_order_;
  }
  std::sort(page.secrets.begin(), page.secrets.end(), [&](const auto& a, const auto& b) {
    if (!honoured) return a.arn < b.arn;
    return request.newest_first ? a.last_changed > b.last_changed : a.last_changed < b.last_changed;
  });
  const std::size_t from =
      request.next_token.empty() ? 0 : static_cast<std::size_t>(std::stoul(request.next_token));
  const std::size_t to = std::min(from + size, page.secrets.size());
  if (to < page.secrets.size()) page.next_token = std::to_string(to);
  page.secrets.assign(page.secrets.begin() + static_cast<std::ptrdiff_t>(std::min(from, to)),
                      page.secrets.begin() + static_cast<std::ptrdiff_t>(to));
  if (auto error = leave(call)) return *error;
  return page;
}

Status FakeSecretsManager::put_value(const aws::PutSecretValueRequest& request) {
  const Call call{"PutSecretValue", request.secret_id, request.client_request_token, ""};
  if (auto error = enter(call)) return *error;
  Status answer = [&]() -> Status {
    const std::lock_guard lock(mutex_);
    if (request.not_after && clock_.mono() > *request.not_after) {
      return make_error(ErrorClass::Unavailable, "ViewTooOld", "not sent");
    }
    Secret* secret = find_locked(request.secret_id);
    if (secret == nullptr) return not_found("the specified secret " + request.secret_id);
    return put_locked(*secret, request);
  }();
  if (auto error = leave(call)) return *error;
  return answer;
}

Status FakeSecretsManager::put_locked(Secret& secret, const aws::PutSecretValueRequest& request) {
  if (secret.metadata.deleted)
    return invalid("InvalidRequestException", "The secret is marked for deletion.");
  if (request.value.empty() || request.value.size() > kMaxValue)
    return invalid("InvalidParameterException", "bad length");
  const auto there = secret.versions.find(request.client_request_token);
  if (there != secret.versions.end() && there->second.has_value) {
    if (there->second.value == request.value.reveal()) return {};
    return make_error(ErrorClass::Conflict, "ResourceExistsException",
                      "A version with this token and other contents exists.");
  }
  changing_locked(secret);
  secret.versions[request.client_request_token] =
      Version{.value = std::string(request.value.reveal()), .created = clock_.now()};
  auto& stages = secret.metadata.stages;
  if (request.stages.empty() || find_holder(stages, "AWSCURRENT").empty())
    relabel(stages, "AWSCURRENT", request.client_request_token);
  for (const std::string& label : request.stages)
    relabel(stages, label, request.client_request_token);
  return {};
}

Status FakeSecretsManager::update_stage(const aws::UpdateStageRequest& request) {
  const Call call{"UpdateSecretVersionStage", request.secret_id, request.move_to, request.stage};
  if (auto error = enter(call)) return *error;
  Status answer = [&]() -> Status {
    const std::lock_guard lock(mutex_);
    if (request.not_after && clock_.mono() > *request.not_after) {
      return make_error(ErrorClass::Unavailable, "ViewTooOld", "not sent");
    }
    Secret* secret = find_locked(request.secret_id);
    if (secret == nullptr) return not_found("the specified secret " + request.secret_id);
    return update_stage_locked(*secret, request);
  }();
  if (auto error = leave(call)) return *error;
  return answer;
}

Status FakeSecretsManager::rotate_secret(const aws::RotateSecretRequest& request) {
  const Call call{"RotateSecret", request.secret_id, request.client_request_token, "AWSPENDING"};
  if (auto error = enter(call)) return *error;
  Status answer = [&]() -> Status {
    const std::lock_guard lock(mutex_);
    if (request.not_after && clock_.mono() > *request.not_after)
      return make_error(ErrorClass::Unavailable, "ViewTooOld", "not sent");
    Secret* secret = find_locked(request.secret_id);
    if (secret == nullptr) return not_found("the specified secret " + request.secret_id);
    auto& stages = secret->metadata.stages;
    const std::string pending = find_holder(stages, "AWSPENDING");
    if (!pending.empty() && pending != find_holder(stages, "AWSCURRENT"))
      return make_error(ErrorClass::Conflict, "InvalidRequestException",
                        "A previous rotation isn't complete.");
    if (secret->versions.contains(request.client_request_token)) return {};
    changing_locked(*secret);
    secret->versions[request.client_request_token] =
        Version{.value = "", .has_value = false, .created = clock_.now()};
    relabel(stages, "AWSPENDING", request.client_request_token);
    return {};
  }();
  if (auto error = leave(call)) return *error;
  return answer;
}

Status FakeSecretsManager::update_stage_locked(Secret& secret,
                                               const aws::UpdateStageRequest& request) {
  auto& stages = secret.metadata.stages;
  if (!request.move_to.empty() && !secret.versions.contains(request.move_to))
    return not_found("the version " + request.move_to);
  if (request.stage == "AWSCURRENT" && request.move_to.empty())
    return invalid("InvalidParameterException", "AWSCURRENT cannot be dropped.");
  const std::string held_by = find_holder(stages, request.stage);
  const bool as_expected = request.remove_from.empty()
                               ? held_by.empty() || held_by == request.move_to
                               : held_by == request.remove_from;
  if (!as_expected) {
    return make_error(ErrorClass::Conflict, "InvalidParameterException",
                      "The staging label " + request.stage + " is not held by the version named.");
  }
  if (held_by == request.move_to) return {};
  changing_locked(secret);
  relabel(stages, request.stage, request.move_to);
  return {};
}

Result<std::string> FakeSecretsManager::create_secret(const aws::CreateSecretRequest& request) {
  const Call call{"CreateSecret", request.name, request.client_request_token, ""};
  if (auto error = enter(call)) return *error;
  {
    const std::lock_guard lock(mutex_);
    if (find_locked(request.name) != nullptr)
      return make_error(ErrorClass::Conflict, "ResourceExistsException",
                        "the secret " + request.name + " already exists.");
  }
  const std::string arn = add_secret(request.name, std::string(request.value.reveal()));
  edit(arn, [&](Secret& secret) {
    auto first = secret.versions.extract(secret.versions.begin());
    first.key() = request.client_request_token;
    secret.versions.insert(std::move(first));
    secret.metadata.stages = {{request.client_request_token, {"AWSCURRENT"}}};
  });
  if (auto error = leave(call)) return *error;
  return arn;
}

Result<WallTime> FakeSecretsManager::delete_secret(const aws::DeleteSecretRequest& request) {
  const Call call{"DeleteSecret", request.secret_id, "", ""};
  if (auto error = enter(call)) return *error;
  Result<WallTime> answer = [&]() -> Result<WallTime> {
    const std::lock_guard lock(mutex_);
    Secret* secret = find_locked(request.secret_id);
    if (secret == nullptr) return not_found("the specified secret " + request.secret_id);
    if (secret->metadata.deleted)
      return invalid("InvalidRequestException", "The secret was already scheduled for deletion.");
    changing_locked(*secret);
    secret->metadata.deleted = clock_.now() + std::chrono::days(request.recovery_days);
    return *secret->metadata.deleted;
  }();
  if (auto error = leave(call)) return *error;
  return answer;
}

}  // namespace keyturn::testing
