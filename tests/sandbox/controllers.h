// The few controllers that an API server without them would be useless without: garbage collection
// of owned objects, emptying of deleted namespaces, and workloads whose pods start at once
// (workload_controller.h). Thread rule: one thread of its own; notify() from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "tests/sandbox/object_store.h"
#include "tests/sandbox/object_writer.h"
#include "tests/sandbox/resource.h"
#include "tests/sandbox/workload_controller.h"

namespace keyturn::sandbox {

class Controllers {
 public:
  Controllers(ObjectStore& store, Registry& registry, ObjectWriter& writer, const Clock& clock);
  ~Controllers();
  Controllers(const Controllers&) = delete;
  Controllers& operator=(const Controllers&) = delete;

  void notify(const std::string& resource, const StoreEvent& event);
  // Returns when everything notified so far has been dealt with.
  void settle();
  // Roll-outs no longer progress and pods no longer start by themselves (tests write the status),
  // or do again, for what changes from then on.
  void set_rollouts(bool automatic);

 private:
  struct Item {
    std::string resource;
    StoreEvent event;
  };
  void loop();
  void work(const Item& item);
  void collect(const ObjectStore::Ref& ref);
  void empty_namespace(const std::string& ns);
  void run_workloads(const Item& item);
  void replace_pod(const ObjectPtr& pod);

  ObjectStore& store_;
  Registry& registry_;
  ObjectWriter& writer_;
  WorkloadController workloads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  bool busy_ = false;
  bool stopping_ = false;
  bool automatic_rollouts_ = true;
  std::thread thread_;
};

}  // namespace keyturn::sandbox
