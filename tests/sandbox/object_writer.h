// Every way an object changes: create, replace, patch, apply, delete, with the bookkeeping that
// goes with it (metadata, generation, ownership, validation, finalizers). Used by the HTTP side, by
// the loader and by tests in the same process.
//
// Refusals are thrown as ApiError. Thread rule: any thread.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/managed_fields.h"
#include "tests/sandbox/object_store.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

struct WriteOptions {
  std::string manager = "sandbox";
  std::string subresource;  // "" or "status"
  bool dry_run = false;
  bool force = false;  // apply only
  std::string field_validation = "Warn";
  std::vector<std::string>* warnings = nullptr;
};

struct DeleteOptions {
  std::string uid, resource_version;  // preconditions; "" = none
  std::string propagation = "Background";
  bool dry_run = false;
};

enum class PatchType { Merge, Operations, Strategic };

struct Written {
  ObjectPtr object;
  bool created = false;
};
struct Removed {
  ObjectPtr object;
  bool gone = true;  // false: waits for finalizers
};

class ObjectWriter {
 public:
  ObjectWriter(ObjectStore& store, Registry& registry, const Clock& clock);

  ObjectPtr create(const Resource& resource, const std::string& ns, Json body,
                   const WriteOptions& options = {});
  ObjectPtr replace(const Resource& resource, const std::string& ns, const std::string& name,
                    Json body, const WriteOptions& options = {});
  ObjectPtr patch(const Resource& resource, const std::string& ns, const std::string& name,
                  PatchType type, const Json& patch, const WriteOptions& options = {});
  Written apply(const Resource& resource, const std::string& ns, const std::string& name,
                Json config, const WriteOptions& options = {});
  Removed remove(const Resource& resource, const std::string& ns, const std::string& name,
                 const DeleteOptions& options = {});
  // Takes a finalizer away, as the controller that put it there does.
  void drop_finalizer(const Resource& resource, const ObjectPtr& object,
                      const std::string& finalizer);

 private:
  using Change = std::function<Json(const Json& live)>;
  ObjectPtr update(const Resource& resource, const std::string& ns, const std::string& name,
                   const Change& change, bool applied, const WriteOptions& options);
  ObjectPtr finish_update(const Resource& resource, const ObjectPtr& live, const Json& before,
                          Json next, bool applied, const WriteOptions& options);
  ObjectPtr insert(const Resource& resource, const std::string& ns, Json doc, bool applied,
                   const WriteOptions& options);
  void check_namespace(const Resource& resource, const std::string& ns,
                       const std::string& name) const;
  void decode(const Resource& resource, Json& body, const WriteOptions& options, bool strict) const;
  void check(const Resource& resource, const Json& doc, const Json* live) const;
  static void check_size(const Json& doc);
  static void check_preconditions(const Resource& resource, const ObjectPtr& live,
                                  const DeleteOptions& options);
  void orphan_dependents(const ObjectPtr& owner);
  // Being deleted, and nothing left to wait for.
  static bool waits_for_nothing(const Json& doc);
  // The write that takes the last finalizer away is never stored: the object goes as it was, and
  // its writer sees what it wrote at the old version. Null: somebody else wrote in between.
  ObjectPtr remove_freed(const Resource& resource, const ObjectPtr& live, Json next);
  std::string now() const;
  WriteContext context_of(const Resource& resource, const WriteOptions& options) const;

  ObjectStore& store_;
  Registry& registry_;
  const Clock& clock_;
};

}  // namespace keyturn::sandbox
