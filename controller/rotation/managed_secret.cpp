#include "controller/rotation/managed_secret.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "controller/kube/client.h"
#include "controller/rotation/policy.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

std::string text_at(const json& map, const char* key) {
  if (!map.is_object()) return "";
  const auto it = map.find(key);
  return it != map.end() && it->is_string() ? it->get<std::string>() : "";
}

const json& member(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

bool standard_annotation(std::string_view name) {
  return name == kPolicyAnnotation || name == kSecretArnAnnotation || name == kVersionIdAnnotation ||
         name == kKeysAnnotation;
}

// "f:TOKEN" → "TOKEN"; fieldsV1 also has "." for the map itself.
std::set<std::string> owned_names(const json& fields) {
  std::set<std::string> names;
  if (!fields.is_object()) return names;
  for (const auto& [key, unused] : fields.items()) {
    if (key.starts_with("f:")) names.insert(key.substr(2));
  }
  return names;
}

void read_ownership(const json& managed_fields, ManagedSecret& secret) {
  std::set<std::string> data, labels, annotations;
  bool type_is_foreign = false;
  bool type_is_ours = false;
  for (const auto& entry : managed_fields) {
    const json& fields = member(entry, "fieldsV1");
    const bool ours = text_at(entry, "manager") == kube::kFieldManager && text_at(entry, "operation") == "Apply";
    const bool has_type = fields.is_object() && fields.contains("f:type");
    (ours ? type_is_ours : type_is_foreign) |= has_type;
    if (!ours) continue;
    data = owned_names(member(fields, "f:data"));
    labels = owned_names(member(member(fields, "f:metadata"), "f:labels"));
    annotations = owned_names(member(member(fields, "f:metadata"), "f:annotations"));
  }
  secret.made_by_us = type_is_ours && !type_is_foreign;
  const std::vector<std::string> owned(data.begin(), data.end());
  secret.intact = secret.labelled && join(owned, ",") == secret.keys && labels.contains(kManagedLabel) &&
                  annotations.contains(kPolicyAnnotation) && annotations.contains(kSecretArnAnnotation) &&
                  annotations.contains(kVersionIdAnnotation) && annotations.contains(kKeysAnnotation);
  for (const auto& name : annotations) {
    if (!standard_annotation(name)) secret.owned_metadata.push_back("a:" + name);
  }
  for (const auto& name : labels) {
    if (name != kManagedLabel) secret.owned_metadata.push_back("l:" + name);
  }
}

}  // namespace

Result<ManagedSecret> decode_managed_secret(const json& object) {
  const json& metadata = member(object, "metadata");
  ManagedSecret secret;
  secret.ns = text_at(metadata, "namespace");
  secret.name = text_at(metadata, "name");
  if (secret.name.empty()) return invalid("NotAnObject", "Secret metadata without a name");
  secret.uid = text_at(metadata, "uid");
  secret.resource_version = text_at(metadata, "resourceVersion");
  secret.labelled = text_at(member(metadata, "labels"), kManagedLabel) == "true";
  const json& annotations = member(metadata, "annotations");
  secret.policy = text_at(annotations, kPolicyAnnotation);
  secret.secret_arn = text_at(annotations, kSecretArnAnnotation);
  secret.version_id = text_at(annotations, kVersionIdAnnotation);
  secret.keys = text_at(annotations, kKeysAnnotation);
  secret.being_deleted = !text_at(metadata, "deletionTimestamp").empty();
  read_ownership(member(metadata, "managedFields"), secret);
  for (const auto& owner : member(metadata, "ownerReferences")) {
    if (text_at(owner, "kind") == "RotationPolicy") secret.policy_owner_uids.push_back(text_at(owner, "uid"));
  }
  return secret;
}

}  // namespace keyturn::rotation
