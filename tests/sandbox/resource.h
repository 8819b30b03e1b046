// What a served resource is, and the registry of all of them: built-in kinds and whatever
// CustomResourceDefinitions add while the sandbox runs.
// Thread rule: Resource is immutable; Registry may be used from any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/sandbox/json.h"
#include "tests/sandbox/schema.h"

namespace keyturn::sandbox {

struct Column {
  std::string name, type, format, description, json_path;
  int priority = 0;
};

struct Resource {
  std::string group, version, plural, singular, kind;
  std::vector<std::string> short_names, categories;
  bool namespaced = true;
  bool status = false;               // has a status subresource
  bool generation = false;           // metadata.generation follows the spec
  bool custom = false;               // from a CRD: pruned, defaulted, validated
  bool unconditional_update = true;  // a PUT may leave out metadata.resourceVersion
  Json openapi;                      // the schema as published
  SchemaPtr schema;
  std::vector<Column> columns;  // of a CRD
  std::string stored_as;        // overrides storage() where versions of a kind share objects

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  // "secrets", "deployments.apps": for messages.
  std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
  std::string storage() const { return stored_as.empty() ? qualified() : stored_as; }
  std::string kind_and_group() const { return group.empty() ? kind : kind + "." + group; }
};
using ResourcePtr = std::shared_ptr<const Resource>;

class Registry {
 public:
  Registry();  // with the built-in kinds

  ResourcePtr find(const std::string& group, const std::string& version,
                   const std::string& plural) const;
  // Any version that stores its objects under this name.
  ResourcePtr by_storage(const std::string& storage) const;
  std::vector<ResourcePtr> all() const;  // by group, version, plural

  // From a CustomResourceDefinition (stored form). Replaces what an earlier one defined.
  void define(const Json& crd);
  void undefine(const Json& crd);
  // Counts definitions: tells caches that something changed.
  std::uint64_t generation() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, ResourcePtr> resources_;  // "group/version/plural"
  std::uint64_t generation_ = 0;
};

std::vector<Resource> builtin_resources();
// The schema of metadata, for field ownership; added to every kind.
Json object_meta_schema();

}  // namespace keyturn::sandbox
