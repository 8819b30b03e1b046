#include "controller/rotation/workload_refs.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "controller/rotation/policy_reading.h"
#include "lib/base/digest.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr std::size_t kAnnotationBytes = 4;

// Where a volume source of a driver names the Secret it needs (core/v1 VolumeSource).
struct DriverField {
  const char* source;
  const char* reference;  // an object with `name`; with is_name a text
  bool is_name;
};
constexpr std::array<DriverField, 9> kDriverFields{{
    {"csi", "nodePublishSecretRef", false},
    {"flexVolume", "secretRef", false},
    {"azureFile", "secretName", true},
    {"cephfs", "secretRef", false},
    {"cinder", "secretRef", false},
    {"iscsi", "secretRef", false},
    {"rbd", "secretRef", false},
    {"scaleIO", "secretRef", false},
    {"storageos", "secretRef", false},
}};

// The Secrets whose files a volume holds.
std::vector<std::string> secrets_in(const json& volume) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (!name.empty()) names.push_back(std::move(name));
  };
  add(text_of(member_of(volume, "secret"), "secretName"));
  const json& sources = member_of(member_of(volume, "projected"), "sources");
  if (sources.is_array()) {
    for (const json& source : sources) add(text_of(member_of(source, "secret"), "name"));
  }
  return names;
}

void add_drivers(const json& volume, std::vector<SecretUse>& uses) {
  for (const DriverField& field : kDriverFields) {
    const json& source = member_of(volume, field.source);
    std::string name = field.is_name ? text_of(source, field.reference)
                                     : text_of(member_of(source, field.reference), "name");
    if (!name.empty())
      uses.push_back({std::move(name), "", ContainerKind::Regular, SecretWay::Driver});
  }
}

const json& items(const json& object, const char* name) {
  static const json kNone = json::array();
  const json& value = member_of(object, name);
  return value.is_array() ? value : kNone;
}

using VolumeSecrets = std::map<std::string, std::vector<std::string>>;

void add_container(const json& container, ContainerKind kind, const VolumeSecrets& volumes,
                   std::vector<SecretUse>& uses) {
  const std::string name = text_of(container, "name");
  const auto add = [&](std::string secret, SecretWay way) {
    SecretUse use{std::move(secret), name, kind, way};
    if (!use.secret.empty() && std::find(uses.begin(), uses.end(), use) == uses.end())
      uses.push_back(std::move(use));
  };
  for (const json& variable : items(container, "env")) {
    add(text_of(member_of(member_of(variable, "valueFrom"), "secretKeyRef"), "name"),
        SecretWay::Env);
  }
  for (const json& source : items(container, "envFrom"))
    add(text_of(member_of(source, "secretRef"), "name"), SecretWay::Env);
  for (const json& mount : items(container, "volumeMounts")) {
    const auto volume = volumes.find(text_of(mount, "name"));
    if (volume == volumes.end()) continue;
    const bool part = !text_of(mount, "subPath").empty() || !text_of(mount, "subPathExpr").empty();
    for (const std::string& secret : volume->second)
      add(secret, part ? SecretWay::SubPath : SecretWay::Volume);
  }
}

}  // namespace

std::string_view to_string(SecretWay way) {
  switch (way) {
    case SecretWay::Env:
      return "env";
    case SecretWay::SubPath:
      return "subPath";
    case SecretWay::Volume:
      return "volume";
    case SecretWay::Driver:
      return "volume driver";
    case SecretWay::ImagePull:
      return "image pull";
  }
  return "?";
}

std::vector<SecretUse> secret_uses(const json& pod_spec) {
  std::vector<SecretUse> uses;
  VolumeSecrets volumes;
  for (const json& volume : items(pod_spec, "volumes")) {
    volumes[text_of(volume, "name")] = secrets_in(volume);
    add_drivers(volume, uses);
  }
  for (const auto& [field, kind] : {std::pair{"initContainers", ContainerKind::Init},
                                    std::pair{"containers", ContainerKind::Regular},
                                    std::pair{"ephemeralContainers", ContainerKind::Ephemeral}}) {
    for (const json& container : items(pod_spec, field))
      add_container(container, kind, volumes, uses);
  }
  for (const json& reference : items(pod_spec, "imagePullSecrets")) {
    if (std::string name = text_of(reference, "name"); !name.empty())
      uses.push_back({std::move(name), "", ContainerKind::Regular, SecretWay::ImagePull});
  }
  return uses;
}

bool refers_to(const json& pod_spec, std::string_view secret) {
  const auto uses = secret_uses(pod_spec);
  if (std::any_of(uses.begin(), uses.end(), [&](const auto& use) { return use.secret == secret; }))
    return true;
  for (const json& volume : items(pod_spec, "volumes")) {
    const auto names = secrets_in(volume);
    if (std::find(names.begin(), names.end(), secret) != names.end()) return true;
  }
  return false;
}

std::string restart_annotation(std::string_view secret) {
  const Sha256 digest = sha256(secret);
  return std::string(kRestartAnnotationPrefix) + hex(std::span(digest).first(kAnnotationBytes));
}

}  // namespace keyturn::rotation
