// The reading operations of Secrets Manager.
#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/secrets_manager.h"
#include "tests/sandbox/sm_checks.h"

namespace keyturn::sandbox {
namespace {

WallTime day_of(WallTime time) { return std::chrono::floor<std::chrono::days>(time); }

Json value_reply(const StoredSecret& secret, const SecretVersion& version) {
  Json out = {{"ARN", secret.arn},
              {"Name", secret.name},
              {"VersionId", version.id},
              {"VersionStages", version.labels},
              {"CreatedDate", epoch(version.created)}};
  if (version.text) out["SecretString"] = *version.text;
  if (version.binary) out["SecretBinary"] = *version.binary;
  return out;
}

const SecretVersion& pick(const StoredSecret& secret, const std::string& id,
                          const std::string& label) {
  if (!id.empty()) {
    const auto found = secret.versions.find(id);
    if (found == secret.versions.end() || !found->second.has_value()) {
      throw AwsError("ResourceNotFoundException",
                     "Secrets Manager can't find the specified secret value for VersionId: " + id);
    }
    if (!label.empty() && !found->second.labels.contains(label)) {
      throw AwsError(
          "InvalidRequestException",
          "You provided a VersionStage that is not associated to the provided VersionId.");
    }
    return found->second;
  }
  const std::string wanted = label.empty() ? "AWSCURRENT" : label;
  const SecretVersion* version = secret.holder(wanted);
  if (!version || !version->has_value()) {
    throw AwsError(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: " + wanted);
  }
  return *version;
}

bool prefix_fits(const std::string& wanted, const std::string& text, bool ignore_case) {
  if (!ignore_case) return text.starts_with(wanted);
  return lower_ascii(text).starts_with(lower_ascii(wanted));
}

bool filter_fits(const StoredSecret& secret, const std::string& key, const std::string& wanted) {
  const auto any_tag = [&](bool keys, bool ignore_case) {
    return std::any_of(secret.tags.begin(), secret.tags.end(), [&](const auto& tag) {
      return prefix_fits(wanted, keys ? tag.first : tag.second, ignore_case);
    });
  };
  if (key == "name") return prefix_fits(wanted, secret.name, false);
  if (key == "description") return prefix_fits(wanted, secret.description, true);
  if (key == "tag-key") return any_tag(true, false);
  if (key == "tag-value") return any_tag(false, false);
  if (key == "primary-region") return prefix_fits(wanted, secret.primary_region, false);
  if (key == "owning-service") return prefix_fits(wanted, secret.owning_service, false);
  if (key == "all") {
    return prefix_fits(wanted, secret.name, true) ||
           prefix_fits(wanted, secret.description, true) || any_tag(true, true) ||
           any_tag(false, true);
  }
  throw AwsError("ValidationException", "unknown filter key " + printable(key));
}

bool filters_fit(const StoredSecret& secret, const Json& filters) {
  if (!filters.is_array()) return true;
  if (filters.size() > 10)
    throw AwsError("ValidationException", "Filters can have at most 10 members.");
  for (const Json& filter : filters) {
    const std::string key = text_at(filter, "Key");
    bool positive = false, refused = false, has_positive = false;
    for (const Json& value : at(filter, "Values")) {
      const std::string text = value.get<std::string>();
      if (text.starts_with("!")) {
        refused = refused || filter_fits(secret, key, text.substr(1));
      } else {
        has_positive = true;
        positive = positive || filter_fits(secret, key, text);
      }
    }
    if (refused || (has_positive && !positive)) return false;
  }
  return true;
}

}  // namespace

Json SecretsManager::view(const StoredSecret& secret, bool in_list) const {
  Json out = {{"ARN", secret.arn},
              {"Name", secret.name},
              {"CreatedDate", epoch(secret.created)},
              {"LastChangedDate", epoch(secret.changed)}};
  if (!secret.description.empty()) out["Description"] = secret.description;
  if (!secret.kms_key_id.empty()) out["KmsKeyId"] = secret.kms_key_id;
  if (!secret.type.empty()) out["Type"] = secret.type;
  if (!secret.owning_service.empty()) out["OwningService"] = secret.owning_service;
  if (!secret.primary_region.empty()) out["PrimaryRegion"] = secret.primary_region;
  if (!secret.lambda_arn.empty()) out["RotationLambdaARN"] = secret.lambda_arn;
  if (secret.rotation_enabled) out["RotationEnabled"] = true;
  if (!secret.rotation_rules.is_null()) out["RotationRules"] = secret.rotation_rules;
  if (secret.accessed) out["LastAccessedDate"] = epoch(*secret.accessed);
  if (secret.rotated) out["LastRotatedDate"] = epoch(*secret.rotated);
  if (secret.deleted) out["DeletedDate"] = epoch(*secret.deleted);
  for (const auto& [key, value] : secret.tags)
    out["Tags"].push_back({{"Key", key}, {"Value", value}});
  // Versions without labels are not described.
  Json stages = Json::object();
  for (const auto& [id, version] : secret.versions) {
    if (!version.labels.empty()) stages[id] = version.labels;
  }
  if (!stages.empty())
    out[in_list ? "SecretVersionsToStages" : "VersionIdsToStages"] = std::move(stages);
  return out;
}

Json SecretsManager::describe(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId"});
  StoredSecret& secret = need(input, caller, "DescribeSecret", true);
  if (secret.stale_reads > 0) {
    --secret.stale_reads;
    return secret.stale_view;
  }
  return view(secret, false);
}

Json SecretsManager::get_value(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "VersionId", "VersionStage"});
  StoredSecret& secret = need(input, caller, "GetSecretValue");
  const SecretVersion& version =
      pick(secret, text_at(input, "VersionId"), text_at(input, "VersionStage"));
  secret.accessed = day_of(clock_.now());
  return value_reply(secret, version);
}

Json SecretsManager::batch_get(const Json& input, const Caller& caller) {
  check_members(input, {"SecretIdList", "Filters", "MaxResults", "NextToken"});
  permit(caller, "BatchGetSecretValue", {"*"});
  const Json& ids = at(input, "SecretIdList");
  const Json& filters = at(input, "Filters");
  if (ids.is_array() == filters.is_array()) {
    throw AwsError("InvalidParameterException",
                   "Either SecretIdList or Filters must be provided, but not both.");
  }
  std::vector<std::string> wanted;
  Json out = {{"SecretValues", Json::array()}, {"Errors", Json::array()}};
  if (ids.is_array()) {
    if (ids.empty() || ids.size() > 20)
      throw AwsError("InvalidParameterException", "SecretIdList can have at most 20 members.");
    if (!at(input, "MaxResults").is_null())
      throw AwsError("InvalidParameterException", "MaxResults goes with Filters only.");
    for (const Json& id : ids) wanted.push_back(id.get<std::string>());
  } else {
    permit(caller, "ListSecrets", {"*"});
    const std::size_t most = read_page_size(input, 20, 20);
    const std::string after = read_page_token(input).value("after", "");
    for (const auto& [arn, secret] : secrets_) {
      if (arn <= after || secret.region != caller.region || secret.deleted ||
          !filters_fit(secret, filters))
        continue;
      if (wanted.size() == most) {
        out["NextToken"] = make_page_token({{"after", wanted.back()}});
        break;
      }
      wanted.push_back(arn);
    }
  }
  for (const std::string& id : wanted) {
    try {
      out["SecretValues"].push_back(get_value({{"SecretId", id}}, caller));
    } catch (const AwsError& error) {
      out["Errors"].push_back(
          {{"SecretId", id}, {"ErrorCode", error.code}, {"Message", error.message}});
    }
  }
  return out;
}

// Whether, and as what, a list shows the secret: with a lag, what was true a while ago.
bool SecretsManager::shows(const StoredSecret& secret, const Json& input, Json& entry) const {
  const Json& planned = at(input, "IncludePlannedDeletion");
  const bool even_deleted = planned.is_boolean() && planned.get<bool>();
  if (!filters_fit(secret, at(input, "Filters"))) return false;
  if (list_lag_.count() == 0) {
    entry = view(secret, true);
  } else {
    entry = nullptr;
    for (const auto& [when, old] : secret.listed) {
      if (when <= clock_.now() - list_lag_) entry = old;
    }
    if (entry.is_null()) return false;
  }
  return even_deleted || !entry.contains("DeletedDate");
}

Json SecretsManager::list(const Json& input, const Caller& caller) {
  check_members(input, {"MaxResults", "NextToken", "IncludePlannedDeletion", "Filters", "SortOrder",
                        "SortBy"});
  permit(caller, "ListSecrets", {"*"});
  const std::size_t most = read_page_size(input, 100, 100);
  const std::string order =
      text_at(input, "SortOrder").empty() ? "desc" : text_at(input, "SortOrder");
  const std::string by =
      text_at(input, "SortBy").empty() ? "created-date" : text_at(input, "SortBy");
  if (order != "asc" && order != "desc")
    throw AwsError("ValidationException", "SortOrder must be asc or desc.");
  const char* field = by == "name"                 ? "Name"
                      : by == "created-date"       ? "CreatedDate"
                      : by == "last-changed-date"  ? "LastChangedDate"
                      : by == "last-accessed-date" ? "LastAccessedDate"
                                                   : nullptr;
  if (!field) throw AwsError("ValidationException", "unknown SortBy " + printable(by));
  std::vector<Json> entries;
  for (const auto& [arn, secret] : secrets_) {
    Json entry;
    if (secret.region == caller.region && secret.account == caller.principal.account &&
        shows(secret, input, entry)) {
      entries.push_back(std::move(entry));
    }
  }
  const auto before = [&](const Json& a, const Json& b) {
    const Json& x = at(a, field);
    const Json& y = at(b, field);
    if (x != y) return order == "asc" ? x < y : y < x;
    return a["ARN"] < b["ARN"];
  };
  if (honour_sort_) std::stable_sort(entries.begin(), entries.end(), before);
  const Json token = read_page_token(input);
  std::size_t start = 0;
  if (token.contains("ARN")) {
    // What comes after the entry that ended the last page, wherever that entry is now.
    if (honour_sort_) {
      start = static_cast<std::size_t>(
          std::upper_bound(entries.begin(), entries.end(), token, before) - entries.begin());
    } else {
      while (start < entries.size() && entries[start]["ARN"] <= token["ARN"]) ++start;
    }
  }
  Json out = {{"SecretList", Json::array()}};
  if (empty_pages_ && !token.contains("empty")) {
    Json state = token;
    state["empty"] = true;
    out["NextToken"] = make_page_token(state);
    return out;
  }
  const std::size_t end = std::min(entries.size(), start + most);
  for (std::size_t i = start; i < end; ++i) out["SecretList"].push_back(entries[i]);
  if (end < entries.size()) {
    out["NextToken"] =
        make_page_token({{"ARN", entries[end - 1]["ARN"]}, {field, at(entries[end - 1], field)}});
  }
  return out;
}

Json SecretsManager::list_versions(const Json& input, const Caller& caller) {
  check_members(input, {"SecretId", "MaxResults", "NextToken", "IncludeDeprecated"});
  StoredSecret& secret = need(input, caller, "ListSecretVersionIds");
  const std::size_t most = read_page_size(input, 100, 100);
  const bool deprecated = at(input, "IncludeDeprecated") == true;
  std::vector<const SecretVersion*> versions;
  for (const auto& [id, version] : secret.versions) {
    if (deprecated || !version.labels.empty()) versions.push_back(&version);
  }
  std::sort(versions.begin(), versions.end(),
            [](const auto* a, const auto* b) { return a->order < b->order; });
  std::size_t start = read_page_token(input).value("start", std::size_t{0});
  Json out = {{"ARN", secret.arn}, {"Name", secret.name}, {"Versions", Json::array()}};
  for (; start < versions.size() && out["Versions"].size() < most; ++start) {
    Json entry = {{"VersionId", versions[start]->id},
                  {"CreatedDate", epoch(versions[start]->created)}};
    if (!versions[start]->labels.empty()) entry["VersionStages"] = versions[start]->labels;
    out["Versions"].push_back(std::move(entry));
  }
  if (start < versions.size()) out["NextToken"] = make_page_token({{"start", start}});
  return out;
}

}  // namespace keyturn::sandbox
