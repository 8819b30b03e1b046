// The writing operations of Secrets Manager.
#include <algorithm>

#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/secrets_manager.h"
#include "tests/sandbox/sm_checks.h"

namespace keyturn::sandbox {
namespace {

AwsError reused_token() {
  return AwsError("ResourceExistsException",
                  "You can't use ClientRequestToken with a different value: a version with this id "
                  "exists already.");
}

Json short_reply(const StoredSecret& secret) {
  return {{"ARN", secret.arn}, {"Name", secret.name}};
}

void read_tags(const Json& list, std::map<std::string, std::string>& out) {
  if (!list.is_array()) return;
  for (const Json& tag : list) {
    const std::string key = text_at(tag, "Key");
    const std::string value = text_at(tag, "Value");
    if (key.empty() || key.size() > 128 || value.size() > 256) {
      throw AwsError("InvalidParameterException",
                     "A tag key has 1 to 128 characters, a value at most 256.");
    }
    out[key] = value;
  }
}

bool is_rotation_token(const std::string& token) {
  return token.size() >= 36 && token.size() <= 256 &&
         std::all_of(token.begin(), token.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-';
         });
}

}  // namespace

Json SecretsManager::create_secret(const Json& input, const Caller& caller) {
  check_members(
      input, {"Name", "ClientRequestToken", "Description", "KmsKeyId", "SecretString",
              "SecretBinary", "Tags", "AddReplicaRegions", "ForceOverwriteReplicaSecret", "Type"});
  const std::string name = text_at(input, "Name");
  check_name(name);
  permit(caller, "CreateSecret", {name});
  const GivenValue value = read_value(input, false);
  const std::string token = value.given() ? read_token(input) : "";
  if (StoredSecret* existing = find(name, caller.principal.account, caller.region)) {
    if (existing->deleted) {
      throw AwsError("InvalidRequestException",
                     "You can't create this secret because a secret with this name is already "
                     "scheduled for deletion.");
    }
    const auto version = existing->versions.find(token);
    if (version != existing->versions.end() && value.equals(version->second)) {
      Json out = short_reply(*existing);  // the same request again
      out["VersionId"] = token;
      return out;
    }
    throw AwsError("ResourceExistsException",
                   "The operation failed because the secret " + name + " already exists.");
  }
  std::map<std::string, std::string> tags;
  read_tags(at(input, "Tags"), tags);
  StoredSecret& secret = add_secret(name, caller.principal.account, caller.region);
  secret.description = text_at(input, "Description");
  secret.kms_key_id = text_at(input, "KmsKeyId");
  secret.type = text_at(input, "Type");
  secret.tags = std::move(tags);
  Json out = short_reply(secret);
  if (value.given()) {
    SecretVersion& version = add_version(secret, token);
    version.text = value.text;
    version.binary = value.binary;
    version.labels = {"AWSCURRENT"};
    out["VersionId"] = token;
  }
  touch(secret);
  return out;
}

Json SecretsManager::put_value(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "ClientRequestToken", "SecretString", "SecretBinary",
                        "VersionStages", "RotationToken"});
  StoredSecret& secret = need_writable(input, caller, "PutSecretValue");
  const std::string token = read_token(input);
  const GivenValue value = read_value(input, true);
  std::vector<std::string> labels = read_labels(input);
  if (const Json& rotation = at(input, "RotationToken");
      !rotation.is_null() && !is_rotation_token(text_at(input, "RotationToken"))) {
    throw AwsError("InvalidParameterException",
                   "RotationToken must have 36-256 characters of [A-Za-z0-9-].");
  }
  if (const std::string rotation = text_at(input, "RotationToken");
      !rotation.empty() && rotation != secret.rotation_token)
    throw AwsError("AccessDeniedException", "RotationToken is not that of a rotation under way.");
  const auto existing = secret.versions.find(token);
  Json out = short_reply(secret);
  out["VersionId"] = token;
  if (existing != secret.versions.end() && existing->second.has_value()) {
    if (!value.equals(existing->second)) throw reused_token();
    out["VersionStages"] = existing->second.labels;  // a repetition changes nothing
    return out;
  }
  will_change(secret);
  StoredSecret before = secret;
  try {
    const bool first = std::none_of(secret.versions.begin(), secret.versions.end(),
                                    [](const auto& entry) { return entry.second.has_value(); });
    SecretVersion& version =
        existing != secret.versions.end() ? existing->second : add_version(secret, token);
    version.text = value.text;
    version.binary = value.binary;
    version.by_rotation = !text_at(input, "RotationToken").empty();
    if (labels.empty()) labels.push_back("AWSCURRENT");
    if (first) attach(secret, "AWSCURRENT", version);
    for (const std::string& label : labels) attach(secret, label, version);
    out["VersionStages"] = version.labels;
  } catch (const AwsError&) {
    secret = std::move(before);
    throw;
  }
  touch(secret);
  return out;
}

Json SecretsManager::update_secret(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "ClientRequestToken", "Description", "KmsKeyId", "SecretString",
                        "SecretBinary", "Type"});
  StoredSecret& secret = need_writable(input, caller, "UpdateSecret");
  const GivenValue value = read_value(input, false);
  Json out = short_reply(secret);
  if (value.given()) {
    const std::string token = read_token(input);
    if (secret.versions.contains(token)) throw reused_token();  // here even for equal data
    will_change(secret);
    SecretVersion& version = add_version(secret, token);
    version.text = value.text;
    version.binary = value.binary;
    attach(secret, "AWSCURRENT", version);
    out["VersionId"] = token;
  }
  if (input.contains("Description")) secret.description = text_at(input, "Description");
  if (input.contains("KmsKeyId")) secret.kms_key_id = text_at(input, "KmsKeyId");
  touch(secret);
  return out;
}

// A compare-and-swap on one label: whoever holds it must be named to lose it.
Json SecretsManager::update_stage(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "VersionStage", "RemoveFromVersionId", "MoveToVersionId"});
  StoredSecret& secret = need_writable(input, caller, "UpdateSecretVersionStage");
  const std::string label = text_at(input, "VersionStage");
  const std::string from = text_at(input, "RemoveFromVersionId");
  const std::string to = text_at(input, "MoveToVersionId");
  if (label.empty() || label.size() > 256) {
    throw AwsError("InvalidParameterException",
                   "VersionStage must have between 1 and 256 characters.");
  }
  if (from.empty() && to.empty()) {
    throw AwsError("InvalidParameterException",
                   "You must provide RemoveFromVersionId, MoveToVersionId, or both.");
  }
  if (to.empty() && label == "AWSCURRENT") {
    throw AwsError("InvalidParameterException",
                   "You can only move staging label AWSCURRENT to a different secret version. It "
                   "can't be completely removed.");
  }
  for (const std::string& id : {from, to}) {
    if (!id.empty() && !secret.versions.contains(id)) {
      throw AwsError("ResourceNotFoundException",
                     "Secrets Manager can't find the specified secret version: " + printable(id));
    }
  }
  const SecretVersion* holder = secret.holder(label);
  if (!from.empty() && (!holder || holder->id != from)) {
    throw AwsError("InvalidParameterException",
                   "The staging label " + label + " isn't attached to version " + from + ".");
  }
  if (from.empty() && holder && holder->id != to) {
    throw AwsError("InvalidParameterException",
                   "The parameter RemoveFromVersionId can't be empty. Staging label " + label +
                       " is currently attached to version " + holder->id +
                       ", so you must explicitly reference that version in RemoveFromVersionId.");
  }
  if (holder && holder->id == to) return short_reply(secret);  // it is where it should be
  if (!to.empty() && label == "AWSCURRENT" && !secret.versions.at(to).has_value()) {
    throw AwsError("InvalidRequestException",
                   "You can't move AWSCURRENT to a version without a value.");
  }
  will_change(secret);
  StoredSecret before = secret;
  try {
    if (to.empty()) {
      secret.versions.at(from).labels.erase(label);
    } else {
      attach(secret, label, secret.versions.at(to));
    }
  } catch (const AwsError&) {
    secret = std::move(before);
    throw;
  }
  touch(secret);
  return short_reply(secret);
}

Json SecretsManager::delete_secret(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "RecoveryWindowInDays", "ForceDeleteWithoutRecovery"});
  const Json& days = at(input, "RecoveryWindowInDays");
  const bool force = at(input, "ForceDeleteWithoutRecovery") == true;
  if (force && !days.is_null()) {
    throw AwsError(
        "InvalidParameterException",
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  const std::int64_t window = days.is_number_integer() ? days.get<std::int64_t>() : 30;
  if (window < 7 || window > 30)
    throw AwsError("InvalidParameterException", "RecoveryWindowInDays must be between 7 and 30.");
  const std::string id = text_at(input, "SecretId");
  if (force && !find(id, caller.principal.account, caller.region)) {
    permit(caller, "DeleteSecret", {id});
    return {{"ARN", id}, {"Name", id}, {"DeletionDate", epoch(clock_.now())}};
  }
  StoredSecret& secret = need_writable(input, caller, "DeleteSecret");
  Json out = short_reply(secret);
  if (force) {
    out["DeletionDate"] = epoch(clock_.now());
    arn_by_name_.erase(secret.account + "/" + secret.region + "/" + secret.name);
    secrets_.erase(std::string(secret.arn));
    return out;
  }
  will_change(secret);
  secret.deleted = clock_.now() + std::chrono::days(window);
  out["DeletionDate"] = epoch(*secret.deleted);
  touch(secret);
  return out;
}

Json SecretsManager::restore_secret(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId"});
  StoredSecret& secret = need(input, caller, "RestoreSecret", true);
  will_change(secret);
  secret.deleted.reset();
  touch(secret);
  return short_reply(secret);
}

// The placeholder of a rotation by AWS: a pending version without a value. Its function is then
// invoked (rotation_runner.h).
Json SecretsManager::rotate_secret(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "ClientRequestToken", "RotationLambdaARN", "RotationRules",
                        "RotateImmediately", "ExternalSecretRotationMetadata",
                        "ExternalSecretRotationRoleArn"});
  StoredSecret& secret = need_writable(input, caller, "RotateSecret");
  const std::string token = read_token(input);
  if (const std::string lambda = text_at(input, "RotationLambdaARN"); !lambda.empty())
    secret.lambda_arn = lambda;
  if (secret.lambda_arn.empty()) {
    throw AwsError("InvalidRequestException",
                   "No Lambda rotation function ARN is associated with this secret.");
  }
  if (const Json& rules = at(input, "RotationRules"); rules.is_object())
    secret.rotation_rules = rules;
  const SecretVersion* pending = secret.holder("AWSPENDING");
  if (pending && !pending->labels.contains("AWSCURRENT") && pending->id != token) {
    throw AwsError("InvalidRequestException",
                   "A previous rotation isn't complete. That rotation will be reattempted.");
  }
  will_change(secret);
  secret.rotation_enabled = true;
  const bool again = pending && pending->id == token && !pending->labels.contains("AWSCURRENT");
  if (at(input, "RotateImmediately") != false && (again || !secret.versions.contains(token))) {
    if (!again) attach(secret, "AWSPENDING", add_version(secret, token));
    secret.rotation_token = uuid_v4(rng_);
    if (on_rotate_) on_rotate_({secret.arn, token, secret.lambda_arn, secret.rotation_token});
  }
  touch(secret);
  Json out = short_reply(secret);
  out["VersionId"] = token;
  return out;
}

Json SecretsManager::cancel_rotation(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId"});
  StoredSecret& secret = need_writable(input, caller, "CancelRotateSecret");
  will_change(secret);
  secret.rotation_enabled = false;
  touch(secret);
  Json out = short_reply(secret);
  if (const SecretVersion* pending = secret.holder("AWSPENDING")) out["VersionId"] = pending->id;
  return out;
}

Json SecretsManager::tag(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "Tags"});
  StoredSecret& secret = need_writable(input, caller, "TagResource");
  read_tags(at(input, "Tags"), secret.tags);
  touch(secret);
  return Json();
}

Json SecretsManager::untag(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "TagKeys"});
  StoredSecret& secret = need_writable(input, caller, "UntagResource");
  for (const Json& key : at(input, "TagKeys")) secret.tags.erase(key.get<std::string>());
  touch(secret);
  return Json();
}

}  // namespace keyturn::sandbox
