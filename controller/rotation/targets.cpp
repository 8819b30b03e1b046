#include "controller/rotation/targets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/rotation/template.h"
#include "lib/base/text.h"
#include "lib/engine/document.h"

namespace keyturn::rotation {
namespace {

using engine::Document;
using nlohmann::json;

// Kubernetes' rule for Secret keys (validation.IsConfigMapKey).
bool valid_secret_key(std::string_view key) {
  if (key.empty() || key.size() > 253 || key == "." || key.starts_with("..")) return false;
  return std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<RenderedData> default_mapping(const TargetSpec& target, const Document& current) {
  RenderedData data;
  if (!current.is_object()) {
    data.emplace_back("value", current.text().clone());
    return data;
  }
  for (const std::string& key : current.keys()) {
    if (!valid_secret_key(key)) {
      return invalid("InvalidKey", "target " + target.name + ": the secret's field \"" +
                                       printable(key, 60) +
                                       "\" cannot be a Secret key (letters, digits, '-', '_', "
                                       "'.'); name the keys in spec.targets[].data");
    }
    std::string pointer = "/";
    for (const char c : key) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    auto value = current.get(pointer);
    if (!value) return std::move(value).error().with_context("target " + target.name);
    data.emplace_back(key, std::move(value).value());
  }
  std::sort(data.begin(), data.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return data;
}

std::vector<std::string> wished_metadata(const TargetSpec& target) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : target.annotations) names.push_back("a:" + name);
  for (const auto& [name, unused] : target.labels) names.push_back("l:" + name);
  return names;  // both maps are sorted, and 'a' < 'l'
}

std::string key_names(const TargetSpec& target) {
  std::vector<std::string> names;
  for (const auto& [key, unused] : target.data) names.push_back(key);
  return join(names, ",");
}

}  // namespace

bool needs_previous(const TargetSpec& target) {
  return std::any_of(target.data.begin(), target.data.end(), [](const auto& entry) {
    const auto parsed = Template::parse(entry.second);
    return parsed.ok() && parsed->needs_previous();
  });
}

Result<RenderedData> render_target(const TargetSpec& target, const SecretString& current,
                                   const SecretString* previous) {
  const Document document = Document::parse(current);
  if (!target.has_data) return default_mapping(target, document);
  std::optional<Document> before;
  if (previous) before = Document::parse(*previous);
  RenderedData data;
  for (const auto& [key, text] : target.data) {
    const std::string context = "target " + target.name + ", key " + key;
    auto parsed = Template::parse(text);
    if (!parsed) return std::move(parsed).error().with_context(context);
    auto value = parsed->render(document, before ? &*before : nullptr);
    if (!value) return std::move(value).error().with_context(context);
    data.emplace_back(key, std::move(value).value());
  }
  return data;
}

std::string_view to_string(TargetState state) {
  switch (state) {
    case TargetState::InSync:
      return "InSync";
    case TargetState::Missing:
      return "Missing";
    case TargetState::OldVersion:
      return "OldVersion";
    case TargetState::Drifted:
      return "Drifted";
    case TargetState::SpecChanged:
      return "SpecChanged";
  }
  return "?";
}

TargetState judge_target(const Policy& policy, const TargetSpec& target,
                         const ManagedSecret* existing, const std::string& arn,
                         const std::string& version_id, bool spec_written) {
  if (!existing || existing->being_deleted) return TargetState::Missing;
  if (existing->version_id != version_id || existing->secret_arn != arn)
    return TargetState::OldVersion;
  if (!existing->intact || existing->policy != policy.key()) return TargetState::Drifted;
  if (target.has_data && existing->keys != key_names(target)) return TargetState::SpecChanged;
  if (existing->owned_metadata != wished_metadata(target)) return TargetState::SpecChanged;
  const auto& owners = existing->policy_owner_uids;
  const bool owned = std::find(owners.begin(), owners.end(), policy.uid) != owners.end();
  if (owned != (target.deletion_policy == DeletionPolicy::Delete)) return TargetState::SpecChanged;
  return spec_written ? TargetState::InSync : TargetState::SpecChanged;
}

Status may_write(const Policy& policy, const TargetSpec& target, const ManagedSecret& existing,
                 bool other_policy_claims) {
  const std::string name = policy.ns + "/" + target.name;
  if (existing.being_deleted) {
    return make_error(ErrorClass::Transient, "TargetBeingDeleted",
                      "Secret " + name + " is being deleted; it is written again when it is gone");
  }
  if (existing.policy == policy.key()) return {};
  if (!existing.policy.empty() && other_policy_claims) {
    return make_error(ErrorClass::Conflict, "TargetInUse",
                      "Secret " + name + " is written by RotationPolicy " + existing.policy +
                          "; give one of the two policies another target name");
  }
  if (!existing.policy.empty() && existing.labelled)
    return {};  // left behind by a policy that is gone
  if (target.adopt) return {};
  return make_error(ErrorClass::Denied, "TargetNotManaged",
                    "Secret " + name +
                        " exists and is not managed by Keyturn; set adopt: true on the target to "
                        "take it over, or choose another name");
}

json secret_object(const Policy& policy, const TargetSpec& target, const std::string& arn,
                   const std::string& version_id, const RenderedData& data,
                   const std::string& resource_version) {
  std::vector<std::string> keys;
  json values = json::object();
  for (const auto& [key, value] : data) {
    keys.push_back(key);
    values[key] = base64(value.reveal());
  }
  json labels = target.labels;
  labels[kManagedLabel] = "true";
  json annotations = target.annotations;
  annotations[kPolicyAnnotation] = policy.key();
  annotations[kSecretArnAnnotation] = arn;
  annotations[kVersionIdAnnotation] = version_id;
  annotations[kKeysAnnotation] = join(keys, ",");
  json metadata = {{"name", target.name},
                   {"namespace", policy.ns},
                   {"labels", labels},
                   {"annotations", annotations},
                   {"resourceVersion", resource_version}};
  if (target.deletion_policy == DeletionPolicy::Delete) {
    metadata["ownerReferences"] = json::array({{{"apiVersion", "keyturn.dev/v1alpha1"},
                                                {"kind", "RotationPolicy"},
                                                {"name", policy.name},
                                                {"uid", policy.uid}}});
  }
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata", std::move(metadata)},
          {"type", target.type},
          {"data", std::move(values)}};
}

void wipe_data(json& object) {
  if (!object.is_object() || !object.contains("data")) return;
  for (auto& value : object["data"]) {
    if (value.is_string()) cleanse(value.get_ref<std::string&>());
  }
}

}  // namespace keyturn::rotation
