// Deployments, StatefulSets and DaemonSets as the operator reads and restarts them: on demand, one
// namespace at a time, paged; nothing is cached.
//
// A restart is a server-side apply that owns only `keyturn.dev/secret-*` annotations of the pod
// template. An apply drops what its manager owned before and does not name now (KEP-555), so it
// names all of ours that are there, and it carries uid and resourceVersion of what was read: who
// read an older object loses with 409. Thread rule: any thread.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/rotation/policy.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

struct Workload {
  WorkloadRef ref;
  nlohmann::json object;

  const nlohmann::json& pod_spec() const;
  std::string restarted_for(const std::string& annotation) const;  // "" when never
  std::optional<WallTime> created() const;
  bool wants_pods() const;  // not scaled to zero
  std::string text() const { return ref.kind + "/" + ref.name; }
};

// Template annotations of a restart: annotation → version id.
using RestartMarks = std::map<std::string, std::string>;

class Workloads {
 public:
  explicit Workloads(kube::Client& client) : client_(client) {}

  // Those of the namespace that `wanted` picks.
  Result<std::vector<Workload>> list(const std::string& ns,
                                     const std::function<bool(const Workload&)>& wanted) const;
  // Those that exist.
  Result<std::vector<Workload>> get(const std::string& ns,
                                    const std::vector<WorkloadRef>& refs) const;
  // Conflict: it was changed meanwhile; NotFound: gone.
  Status restart(const std::string& ns, const Workload& workload, const RestartMarks& marks) const;

 private:
  kube::Client& client_;
};

// The object of that apply.
nlohmann::json restart_object(const std::string& ns, const Workload& workload,
                              const RestartMarks& marks);

}  // namespace keyturn::rotation
