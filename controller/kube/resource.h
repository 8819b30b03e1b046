// The kinds of object Keyturn touches, as the REST API names them.
// Thread rule: constants and plain values.
#pragma once

#include <string>
#include <string_view>

namespace keyturn::kube {

struct ResourceType {
  std::string_view group;  // "" for core
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool namespaced = true;

  std::string api_version() const;  // "v1", "apps/v1"
  // "/api/v1/namespaces/shop/secrets/x", "/apis/…"; empty ns: all namespaces; empty name: the
  // collection.
  std::string path(std::string_view ns, std::string_view name = {},
                   std::string_view subresource = {}) const;
};

inline constexpr ResourceType kRotationPolicies{"keyturn.dev", "v1alpha1", "rotationpolicies",
                                                "RotationPolicy"};
inline constexpr ResourceType kSecrets{"", "v1", "secrets", "Secret"};
inline constexpr ResourceType kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr ResourceType kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr ResourceType kPods{"", "v1", "pods", "Pod"};
inline constexpr ResourceType kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr ResourceType kEvents{"events.k8s.io", "v1", "events", "Event"};
inline constexpr ResourceType kDeployments{"apps", "v1", "deployments", "Deployment"};
inline constexpr ResourceType kStatefulSets{"apps", "v1", "statefulsets", "StatefulSet"};
inline constexpr ResourceType kDaemonSets{"apps", "v1", "daemonsets", "DaemonSet"};

// "shop/orders", the key of caches and queues; cluster-scoped objects have no slash.
std::string object_key(std::string_view ns, std::string_view name);

}  // namespace keyturn::kube
