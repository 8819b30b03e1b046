#include "controller/rotation/target_sync.h"

#include <nlohmann/json.hpp>

#include "lib/base/log.h"

namespace keyturn::rotation {
namespace {

constexpr const char* kNotThere = "1";  // see the header: "only if it does not exist"

// Of what an apply of ours names, only `type` cannot be changed (validation.ValidateSecretUpdate).
bool type_is_immutable(const Error& error) {
  return error.cls == ErrorClass::Invalid && error.code == "FieldImmutable";
}

}  // namespace

bool resource_version_before(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::shared_ptr<const ManagedSecret> TargetSync::find(const std::string& key) const {
  auto seen = secrets_.get(key);
  const std::lock_guard lock(mutex_);
  const auto it = written_.find(key);
  if (it == written_.end()) return seen;
  if (seen && !resource_version_before(seen->resource_version, it->second->resource_version))
    return seen;
  return it->second;
}

TargetSync::Observed TargetSync::observed(const std::string& key, const ManagedSecret* now) {
  const std::lock_guard lock(mutex_);
  const auto writing = writing_.find(key);
  if (writing != writing_.end() && now && now->intact && now->version_id == writing->second)
    return Observed::Ours;
  const auto it = written_.find(key);
  if (it == written_.end()) return Observed::NotWritten;
  const std::string& ours = it->second->resource_version;
  if (now && resource_version_before(now->resource_version, ours)) return Observed::StillBehind;
  // A deletion that we hear of may be older than our write only for an instant; dropping the memory
  // costs a look, never safety.
  const bool same = now && now->resource_version == ours;
  written_.erase(it);
  return same ? Observed::Ours : Observed::Overtaken;
}

TargetState TargetSync::judge(const Policy& policy, const TargetSpec& target,
                              const std::string& arn, const std::string& version_id,
                              bool spec_written) const {
  const auto existing = find(kube::object_key(policy.ns, target.name));
  return judge_target(policy, target, existing.get(), arn, version_id, spec_written);
}

Result<std::shared_ptr<const ManagedSecret>> TargetSync::look(const std::string& ns,
                                                              const std::string& name) {
  auto object = client_.get(kube::kSecrets, ns, name, /*metadata_only=*/true);
  if (!object) {
    if (object.error().cls == ErrorClass::NotFound) return std::shared_ptr<const ManagedSecret>();
    return std::move(object).error();
  }
  auto secret = decode_managed_secret(*object);
  if (!secret) return std::move(secret).error();
  return std::make_shared<const ManagedSecret>(std::move(secret).value());
}

Result<WrittenTarget> TargetSync::write(const Policy& policy, const TargetSpec& target,
                                        const std::string& arn, const std::string& version_id,
                                        const RenderedData& data) {
  const std::string key = kube::object_key(policy.ns, target.name);
  {
    const std::lock_guard lock(mutex_);
    writing_[key] = version_id;
  }
  auto written = write_or_look(policy, target, arn, version_id, data);
  const std::lock_guard lock(mutex_);
  writing_.erase(key);
  return written;
}

Result<WrittenTarget> TargetSync::write_or_look(const Policy& policy, const TargetSpec& target,
                                                const std::string& arn,
                                                const std::string& version_id,
                                                const RenderedData& data) {
  auto existing = find(kube::object_key(policy.ns, target.name));
  auto written = write_over(policy, target, arn, version_id, data, existing);
  if (written || written.error().cls != ErrorClass::Conflict ||
      written.error().code == "TargetInUse")
    return written;
  // The world is another than the watch shows: look once and try once more; then the queue tries.
  auto now = look(policy.ns, target.name);
  if (!now) return std::move(now).error();
  return write_over(policy, target, arn, version_id, data, std::move(now).value());
}

Result<WrittenTarget> TargetSync::write_over(const Policy& policy, const TargetSpec& target,
                                             const std::string& arn, const std::string& version_id,
                                             const RenderedData& data,
                                             const std::shared_ptr<const ManagedSecret>& existing) {
  if (existing) {
    const bool claimed = existing->policy != policy.key() && claims_(existing->policy, target.name);
    if (auto allowed = may_write(policy, target, *existing, claimed); !allowed)
      return std::move(allowed).error();
  }
  nlohmann::json object = secret_object(policy, target, arn, version_id, data,
                                        existing ? existing->resource_version : kNotThere);
  const kube::ApplyOptions options{.metadata_only_reply = true, .sensitive = true};
  auto reply = client_.apply(kube::kSecrets, policy.ns, object, options);
  if (!reply && existing && type_is_immutable(reply.error())) {
    if (auto removed = recreate(policy, target, *existing); !removed) {
      wipe_data(object);
      return std::move(removed).error();
    }
    object["metadata"]["resourceVersion"] = kNotThere;
    reply = client_.apply(kube::kSecrets, policy.ns, object, options);
  }
  wipe_data(object);
  if (!reply)
    return std::move(reply).error().with_context("Secret " + policy.ns + "/" + target.name);
  WrittenTarget result;
  result.created = !existing;
  if (existing && existing->policy == policy.key() && existing->secret_arn == arn &&
      existing->version_id != version_id)
    result.replaced = existing->version_id;
  if (auto secret = decode_managed_secret(*reply)) {
    const std::string key = kube::object_key(policy.ns, target.name);
    const auto seen = secrets_.get(key);
    const std::lock_guard lock(mutex_);
    if (!seen || resource_version_before(seen->resource_version, secret->resource_version)) {
      written_[key] = std::make_shared<const ManagedSecret>(std::move(secret).value());
    }
  }
  return result;
}

Status TargetSync::recreate(const Policy& policy, const TargetSpec& target,
                            const ManagedSecret& existing) {
  const std::string name = policy.ns + "/" + target.name;
  if (!existing.made_by_us || existing.policy != policy.key()) {
    return invalid("TargetTypeDiffers",
                   "Secret " + name + " has another type than spec.targets[].type (" + target.type +
                       ") and was not made by Keyturn; delete it yourself, or set the type it has");
  }
  log::info("recreating a Secret whose type changed",
            {{"namespace", policy.ns}, {"policy", policy.name}, {"secret", target.name}});
  auto removed = client_.remove(kube::kSecrets, policy.ns, target.name, existing.uid,
                                existing.resource_version);
  if (!removed && removed.error().cls != ErrorClass::NotFound)
    return std::move(removed).error().with_context("Secret " + name);
  return {};
}

}  // namespace keyturn::rotation
