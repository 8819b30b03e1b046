// Where a pod spec reads Secrets, and in which way: which workloads a roll-out restarts, and what a
// running container may still hold.
//
// Read are env and envFrom of containers, init and ephemeral containers; volumes (secret and
// projected) as they are mounted, whole or by subPath; volume drivers that are handed a Secret
// (csi, flexVolume, azureFile, cephfs, iscsi, rbd, scaleIO, storageos); imagePullSecrets (core/v1
// PodSpec). What a program fetches from the API server itself is not in its pod spec.
// Thread rule: pure functions; anything may be missing or of another type, nothing throws.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace keyturn::rotation {

enum class SecretWay {
  Env,        // read once, when the container starts
  SubPath,    // a bind mount made when the container starts, never refreshed
  Volume,     // a file that the kubelet refreshes; whether the program reads it again is its matter
  Driver,     // handed to a volume driver when the pod starts
  ImagePull,  // read by the kubelet whenever it pulls: no process holds it
};
std::string_view to_string(SecretWay way);  // for people: "env", "subPath", "volume" …

enum class ContainerKind { Init, Regular, Ephemeral };

struct SecretUse {
  std::string secret;     // name of the Secret, in the pod's namespace
  std::string container;  // "" for Driver and ImagePull, which concern the whole pod
  ContainerKind kind = ContainerKind::Regular;
  SecretWay way = SecretWay::Env;
  friend bool operator==(const SecretUse&, const SecretUse&) = default;
};

// A volume that no container mounts holds nothing for a process and is left out, except for
// drivers.
std::vector<SecretUse> secret_uses(const nlohmann::json& pod_spec);

// Whether the pod spec refers to that Secret at all, in the sense above or by an unmounted volume:
// the kubelet will not start such a pod without it.
bool refers_to(const nlohmann::json& pod_spec, std::string_view secret);

// "keyturn.dev/secret-<first 8 hex of SHA-256(Secret name)>", on a pod template (design 2.1).
std::string restart_annotation(std::string_view secret);
inline constexpr std::string_view kRestartAnnotationPrefix = "keyturn.dev/secret-";

}  // namespace keyturn::rotation
