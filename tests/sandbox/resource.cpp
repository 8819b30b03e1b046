#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {
namespace {

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const Json& entry : list) out.push_back(entry.get<std::string>());
  return out;
}

std::vector<Column> columns_of(const Json& version) {
  std::vector<Column> out;
  const Json& list = at(version, "additionalPrinterColumns");
  if (!list.is_array()) return out;
  for (const Json& entry : list) {
    const Json& priority = at(entry, "priority");
    out.push_back({text_at(entry, "name"), text_at(entry, "type"), text_at(entry, "format"),
                   text_at(entry, "description"), text_at(entry, "jsonPath"),
                   priority.is_number() ? priority.get<int>() : 0});
  }
  return out;
}

Resource resource_of(const Json& crd, const Json& version) {
  Resource out;
  out.custom = true;
  out.unconditional_update = false;
  out.group = text_at(crd, "spec", "group");
  out.version = text_at(version, "name");
  const Json& names = at(crd, "spec", "names");
  out.plural = text_at(names, "plural");
  out.kind = text_at(names, "kind");
  out.singular = text_at(names, "singular");
  out.short_names = texts(at(names, "shortNames"));
  out.categories = texts(at(names, "categories"));
  out.namespaced = text_at(crd, "spec", "scope") != "Cluster";
  out.status = at(version, "subresources", "status").is_object();
  out.generation = true;
  out.openapi = at(version, "schema", "openAPIV3Schema");
  if (!out.openapi.is_object())
    out.openapi = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  out.openapi["properties"]["apiVersion"] = {{"type", "string"}};
  out.openapi["properties"]["kind"] = {{"type", "string"}};
  out.openapi["properties"]["metadata"] = object_meta_schema();
  out.schema = Schema::parse(out.openapi);
  out.columns = columns_of(version);
  return out;
}

std::string key_of(const Resource& resource) {
  return resource.group + "/" + resource.version + "/" + resource.plural;
}

}  // namespace

Registry::Registry() {
  for (Resource& resource : builtin_resources()) {
    const std::string key = key_of(resource);
    resources_[key] = std::make_shared<Resource>(std::move(resource));
  }
}

ResourcePtr Registry::find(const std::string& group, const std::string& version,
                           const std::string& plural) const {
  const std::lock_guard lock(mutex_);
  const auto found = resources_.find(group + "/" + version + "/" + plural);
  return found == resources_.end() ? nullptr : found->second;
}

ResourcePtr Registry::by_storage(const std::string& storage) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, resource] : resources_) {
    if (resource->storage() == storage) return resource;
  }
  return nullptr;
}

std::vector<ResourcePtr> Registry::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<ResourcePtr> out;
  for (const auto& [key, resource] : resources_) out.push_back(resource);
  return out;
}

void Registry::define(const Json& crd) {
  undefine(crd);
  for (const Json& version : at(crd, "spec", "versions")) {
    if (at(version, "served") != true) continue;
    auto resource = std::make_shared<Resource>(resource_of(crd, version));
    const std::lock_guard lock(mutex_);
    const std::string key = key_of(*resource);
    resources_[key] = std::move(resource);
    ++generation_;
  }
}

void Registry::undefine(const Json& crd) {
  const std::string group = text_at(crd, "spec", "group");
  const std::string plural = text_at(crd, "spec", "names", "plural");
  const std::lock_guard lock(mutex_);
  std::erase_if(resources_, [&](const auto& entry) {
    const Resource& resource = *entry.second;
    return resource.custom && resource.group == group && resource.plural == plural;
  });
  ++generation_;
}

std::uint64_t Registry::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

}  // namespace keyturn::sandbox
