// Who signs a policy's AWS calls, and the clients that go with it: one cached set per (identity,
// region), never one per reconcile.
//
// The operator's own identity is the default chain. `serviceAccountName`: TokenRequest (audience
// sts.amazonaws.com) → AssumeRoleWithWebIdentity for the role in the ServiceAccount's annotation
// eks.amazonaws.com/role-arn; only if it carries keyturn.dev/rotation-identity: "true".
// `secretRef`: static keys. `roleArn`: assumed on top, session tagged with namespace and policy;
// from the operator's identity only if an access rule names the role.
//
// Thread rule: any thread; building a client may do Kubernetes requests (bounded), calls on it do
// AWS requests.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "controller/kube/client.h"
#include "controller/rotation/access.h"
#include "controller/rotation/policy.h"
#include "controller/rotation/secret_knowledge.h"
#include "lib/aws/elasticache.h"
#include "lib/aws/session.h"
#include "lib/aws/timestream_influxdb.h"
#include "lib/base/result.h"
#include "lib/engine/strategies/reference_memory.h"

namespace keyturn::rotation {

struct AwsAccess {
  Scope scope;
  std::string region;
  bool operator_identity = true;  // access rules apply to secrets and resources
  std::shared_ptr<aws::SecretsManager> secrets;
  std::shared_ptr<aws::TimestreamInfluxdb> timestream{};
  std::shared_ptr<aws::Elasticache> elasticache{};
  std::shared_ptr<http::Transport> transport{};  // for backends
  std::shared_ptr<engine::ReferenceMemory> memory{};
};

class Identities {
 public:
  struct Deps {
    kube::Client& client;
    std::shared_ptr<http::Transport> transport;  // to AWS
    std::shared_ptr<http::Transport> backends;
    aws::Settings settings;
    aws::Environment env;
    std::string default_region;  // operator config's, else the settings'
    Duration request_deadline{15'000};
    Clock& clock;
    Rng& rng;
    aws::RequestObserver* observer = nullptr;
  };
  explicit Identities(Deps deps);
  ~Identities();

  // Denied "IdentityNotAllowed" / "IdentityNotFound", Invalid "NoRegion" / "IdentityIncomplete" …,
  // with the remedy. The ServiceAccount's or Secret's say is heard again for each new session: the
  // calls of an access that was given fail with the same errors.
  Result<std::shared_ptr<AwsAccess>> for_policy(const Policy& policy, const AccessRules& rules);
  // The identity was refused: build it anew next time, its ServiceAccount may name another role.
  void forget(const Scope& scope);

  static Scope scope_of(const Policy& policy, const std::string& default_region);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::rotation
