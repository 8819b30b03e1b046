#include "controller/rotation/managed_secret.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/kube/client.h"
#include "controller/kube/field_ownership.h"
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
  return name == kPolicyAnnotation || name == kSecretArnAnnotation ||
         name == kVersionIdAnnotation || name == kKeysAnnotation;
}

// Who owns the type made the object: nobody else can have written it later.
bool made_by_us(const json& managed_fields) {
  bool ours = false;
  bool others = false;
  for (const auto& entry : managed_fields) {
    const json& fields = member(entry, "fieldsV1");
    if (!fields.is_object() || !fields.contains("f:type")) continue;
    const bool us =
        text_at(entry, "manager") == kube::kFieldManager && text_at(entry, "operation") == "Apply";
    (us ? ours : others) = true;
  }
  return ours && !others;
}

void read_ownership(const json& managed_fields, ManagedSecret& secret) {
  const auto owned = kube::field_ownership(managed_fields);
  int standard = 0;
  for (auto& name : kube::unpack_keys(owned.annotations)) {
    if (standard_annotation(name)) {
      ++standard;
    } else {
      secret.owned_metadata.push_back("a:" + std::move(name));
    }
  }
  bool label = false;
  for (auto& name : kube::unpack_keys(owned.labels)) {
    if (name == kManagedLabel) {
      label = true;
    } else {
      secret.owned_metadata.push_back("l:" + std::move(name));
    }
  }
  constexpr int kStandardAnnotations = 4;
  secret.made_by_us = made_by_us(managed_fields);
  secret.intact = secret.labelled && label && standard == kStandardAnnotations &&
                  join(kube::unpack_keys(owned.data_keys), ",") == secret.keys;
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
    if (text_at(owner, "kind") == "RotationPolicy")
      secret.policy_owner_uids.push_back(text_at(owner, "uid"));
  }
  return secret;
}

bool same_for_us(const ManagedSecret& a, const ManagedSecret& b) {
  return a.uid == b.uid && a.labelled == b.labelled && a.policy == b.policy &&
         a.secret_arn == b.secret_arn && a.version_id == b.version_id && a.keys == b.keys &&
         a.intact == b.intact && a.owned_metadata == b.owned_metadata &&
         a.policy_owner_uids == b.policy_owner_uids && a.being_deleted == b.being_deleted;
}

}  // namespace keyturn::rotation
