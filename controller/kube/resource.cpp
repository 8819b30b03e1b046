#include "controller/kube/resource.h"

#include "lib/base/text.h"

namespace keyturn::kube {

std::string ResourceType::api_version() const {
  if (group.empty()) return std::string(version);
  return std::string(group) + "/" + std::string(version);
}

std::string ResourceType::path(std::string_view ns, std::string_view name,
                               std::string_view subresource) const {
  std::string path = group.empty() ? "/api/" : "/apis/";
  path += api_version();
  if (namespaced && !ns.empty()) path += "/namespaces/" + url_encode(ns);
  path += "/";
  path += plural;
  if (!name.empty()) path += "/" + url_encode(name);
  if (!subresource.empty()) path += "/" + std::string(subresource);
  return path;
}

std::string object_key(std::string_view ns, std::string_view name) {
  if (ns.empty()) return std::string(name);
  std::string key;
  key.reserve(ns.size() + 1 + name.size());
  key.append(ns).append("/").append(name);
  return key;
}

}  // namespace keyturn::kube
