// Writes target Secrets by server-side apply and remembers what it wrote until the watch shows it.
//
// Every apply carries the resourceVersion that was looked at: who looked at an older world loses
// with 409 and looks again. For a Secret that is not in sight it carries "1", which the API server
// ignores when the object does not exist (201) and refuses when it does (409), so that an unmanaged
// Secret is never overwritten unseen.
//
// Thread rule: any thread; two writes of one target at the same time are decided by the API server.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "controller/kube/client.h"
#include "controller/kube/informer_set.h"
#include "controller/rotation/managed_secret.h"
#include "controller/rotation/policy.h"
#include "controller/rotation/targets.h"
#include "lib/base/result.h"

namespace keyturn::rotation {

struct WrittenTarget {
  // The version that an existing Secret of ours held before, if it was another (then workloads are
  // restarted); "" otherwise.
  std::string replaced;
  bool created = false;
};

class TargetSync {
 public:
  using SecretInformer = kube::InformerSet<ManagedSecret>;

  // `claims`: whether that policy ("ns/name") exists and lists that Secret as a target.
  TargetSync(
      kube::Client& client, const SecretInformer& secrets,
      std::function<bool(const std::string& policy_key, const std::string& secret_name)> claims)
      : client_(client), secrets_(secrets), claims_(std::move(claims)) {}

  // The newest sight of a target: what we wrote last, or the watch.
  std::shared_ptr<const ManagedSecret> find(const std::string& key) const;
  TargetState judge(const Policy& policy, const TargetSpec& target, const std::string& arn,
                    const std::string& version_id, bool spec_written) const;

  // Errors: Conflict "TargetInUse", Denied "TargetNotManaged", Invalid (the API server's words),
  // Transient …
  Result<WrittenTarget> write(const Policy& policy, const TargetSpec& target,
                              const std::string& arn, const std::string& version_id,
                              const RenderedData& data);

  // From the informer. Ours: the watch shows our own last write, perhaps before its reply has come;
  // nothing to look at. Overtaken:
  // somebody wrote after us, so what the watch showed before (older than our write) is nothing to
  // compare with.
  enum class Observed { NotWritten, Ours, Overtaken, StillBehind };
  Observed observed(const std::string& key, const ManagedSecret* now);

 private:
  Result<WrittenTarget> write_or_look(const Policy& policy, const TargetSpec& target,
                                      const std::string& arn, const std::string& version_id,
                                      const RenderedData& data);
  Result<WrittenTarget> write_over(const Policy& policy, const TargetSpec& target,
                                   const std::string& arn, const std::string& version_id,
                                   const RenderedData& data,
                                   const std::shared_ptr<const ManagedSecret>& existing);
  Status recreate(const Policy& policy, const TargetSpec& target, const ManagedSecret& existing);
  Result<std::shared_ptr<const ManagedSecret>> look(const std::string& ns, const std::string& name);

  kube::Client& client_;
  const SecretInformer& secrets_;
  const std::function<bool(const std::string&, const std::string&)> claims_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const ManagedSecret>> written_;
  std::unordered_map<std::string, std::string> writing_;  // the version, until the reply has come
};

// Kubernetes resource versions compare as decimal strings (KEP-5504; true of every etcd-backed
// server before it).
bool resource_version_before(const std::string& a, const std::string& b);

}  // namespace keyturn::rotation
