// Plays the controllers of Deployments, StatefulSets and DaemonSets, and a kubelet whose containers
// start at once: pods of an older template are replaced in one go, and every pod gets a status with
// the time at which its containers started. Pods belong to their workload directly (there are no
// ReplicaSets); a DaemonSet has one node.
//
// paused, OnDelete and partition are honoured. Thread rule: called by Controllers' thread alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/object_store.h"
#include "tests/sandbox/object_writer.h"
#include "tests/sandbox/resource.h"

namespace keyturn::sandbox {

class WorkloadController {
 public:
  WorkloadController(ObjectStore& store, Registry& registry, ObjectWriter& writer,
                     const Clock& clock)
      : store_(store), registry_(registry), writer_(writer), clock_(clock) {}

  // Brings pods and status to what the object says.
  void roll_out(const Resource& resource, const ObjectPtr& object);
  // A pod that nobody has given a status yet.
  void start_pod(const ObjectPtr& pod);

 private:
  struct Pods {
    int updated = 0;
    int old = 0;
  };
  Pods replace_pods(const Resource& resource, const ObjectPtr& object, int replicas);
  void create_pod(const Resource& resource, const ObjectPtr& object, const std::string& name,
                  const std::string& hash);

  ObjectStore& store_;
  Registry& registry_;
  ObjectWriter& writer_;
  const Clock& clock_;
  std::uint64_t named_ = 0;  // so that a new pod never has the name of an old one
};

}  // namespace keyturn::sandbox
