// The Kubernetes side of a command: flags that kubectl has, too, and a client made from them.
// Thread rule: main thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/cli/output.h"
#include "controller/kube/client.h"
#include "controller/rotation/policy.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace CLI {
class App;
}

namespace keyturn::cli {

struct ClusterFlags {
  std::string ns;
  bool all_namespaces = false;
  std::string kubeconfig;
  std::string context;
  Output output = Output::Table;

  void add_to(CLI::App& command, bool with_all_namespaces);
  void add_output_to(CLI::App& command);
};

class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> connect(const ClusterFlags& flags);

  const std::string& ns() const { return ns_; }
  kube::Client& client() { return *client_; }
  Clock& clock() { return clock_; }

  // NotFound says how to list what there is.
  Result<nlohmann::json> policy_object(const std::string& name);
  Result<rotation::Policy> policy(const std::string& name);
  // The namespace's, or all with `all`.
  Result<std::vector<nlohmann::json>> policy_objects(bool all);

 private:
  SystemClock clock_;
  std::string ns_;
  std::unique_ptr<kube::Client> client_;
};

}  // namespace keyturn::cli
