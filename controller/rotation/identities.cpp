#include "controller/rotation/identities.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "lib/aws/cached_provider.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;

constexpr const char* kRotationIdentity = "keyturn.dev/rotation-identity";
constexpr const char* kRoleAnnotation = "eks.amazonaws.com/role-arn";
constexpr const char* kAudience = "sts.amazonaws.com";
constexpr int kTokenSeconds = 3600;
constexpr Duration kKeysKept{3'600'000};  // of a Secret; they are read again from a quarter before

std::string annotation(const json& object, const char* name) {
  const auto pointer = json::json_pointer("/metadata/annotations");
  if (!object.contains(pointer) || !object[pointer].is_object()) return "";
  const auto it = object[pointer].find(name);
  return it != object[pointer].end() && it->is_string() ? it->get<std::string>() : "";
}

// STS allows 2 to 64 of [\w+=,.@-].
std::string session_name(const Policy& policy) {
  std::string name = "keyturn-" + policy.ns + "-" + policy.name;
  for (char& c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("_+=,.@-").find(c) != std::string_view::npos;
    if (!fine) c = '-';
  }
  return name.substr(0, 64);
}

// Denied, not NotFound: behind a request to AWS that would say that the secret is not there.
Error from_kube(Error error, const std::string& what) {
  if (error.cls == ErrorClass::NotFound)
    return make_error(ErrorClass::Denied, "IdentityNotFound",
                      what + " does not exist; create it or correct spec.identity");
  return std::move(error).with_context(what);
}

// One base64 field of a Secret's data; absent when the key is.
Result<std::optional<SecretString>> field(const json& secret, const char* key) {
  const auto data = secret.find("data");
  if (data == secret.end() || !data->is_object() || !data->contains(key) ||
      !(*data)[key].is_string())
    return std::optional<SecretString>();
  auto bytes = base64_decode((*data)[key].get_ref<const std::string&>());
  if (!bytes) return invalid("IdentityIncomplete", std::string("key ") + key + " is not base64");
  return std::optional(SecretString::take(std::string(trim(*bytes))));
}

}  // namespace

struct Identities::Impl {
  explicit Impl(Deps d) : deps(std::move(d)) {}

  aws::ChainOptions chain(const std::string& region) const {
    aws::ChainOptions options;
    options.transport = deps.transport;
    options.settings = deps.settings;
    options.settings.region = region;  // STS is asked in the region of the secret
    options.env = deps.env;
    options.clock = &deps.clock;
    options.rng = &deps.rng;
    options.observer = deps.observer;
    return options;
  }

  Result<std::shared_ptr<aws::CredentialsProvider>> source(const Policy& policy,
                                                           const std::string& region);
  Result<std::shared_ptr<aws::CredentialsProvider>> service_account(const Policy& policy,
                                                                    const std::string& region);
  Result<std::shared_ptr<aws::CredentialsProvider>> static_keys(const Policy& policy);
  Result<std::string> role_of(const std::string& ns, const std::string& account);
  Result<SecretString> token(const std::string& ns, const std::string& account,
                             const std::string& role);
  Result<aws::Credentials> read_keys(const std::string& ns, const std::string& name);

  Deps deps;
  std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<AwsAccess>>
      cache;  // scope, and the policy where a role is assumed for it
  std::unordered_map<std::string, std::shared_ptr<aws::CredentialsProvider>>
      operator_chain;  // by region: STS is regional
};

Identities::Identities(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
Identities::~Identities() = default;

Scope Identities::scope_of(const Policy& policy, const std::string& default_region) {
  const IdentityRef& identity = policy.spec.identity();
  std::string scope = "operator";
  if (!identity.service_account_name.empty())
    scope = "sa:" + policy.ns + "/" + identity.service_account_name;
  if (!identity.secret_ref_name.empty())
    scope = "keys:" + policy.ns + "/" + identity.secret_ref_name;
  if (!identity.role_arn.empty())
    scope += "+role:" + identity.role_arn + "/" + identity.external_id + "/" + policy.ns;
  return scope + "@" + (policy.spec.region.empty() ? default_region : policy.spec.region);
}

Result<std::shared_ptr<AwsAccess>> Identities::for_policy(const Policy& policy,
                                                          const AccessRules& rules) {
  const IdentityRef& identity = policy.spec.identity();
  // From the operator's identity only by rule, and the rules may have changed since the session was
  // made.
  if (identity.is_operator() && !identity.role_arn.empty()) {
    if (auto allowed = rules.role(policy.ns, identity.role_arn); !allowed)
      return std::move(allowed).error();
  }
  const std::string& fallback =
      impl_->deps.default_region.empty() ? impl_->deps.settings.region : impl_->deps.default_region;
  const std::string region = policy.spec.region.empty() ? fallback : policy.spec.region;
  if (region.empty()) {
    return invalid("NoRegion",
                   "no AWS region is known: set spec.region, `region` in the operator's config, or "
                   "AWS_REGION");
  }
  const Scope scope = scope_of(policy, fallback);
  // A role's session is tagged with the policy, so each policy has its own; everything else is
  // shared by the scope.
  const std::string key = identity.role_arn.empty() ? scope : scope + "#" + policy.name;
  {
    const std::lock_guard lock(impl_->mutex);
    if (const auto it = impl_->cache.find(key); it != impl_->cache.end()) return it->second;
  }
  auto provider = impl_->source(policy, region);
  if (!provider) return std::move(provider).error();
  if (!identity.role_arn.empty()) {
    aws::AssumeRoleOptions role{
        identity.role_arn,
        identity.external_id,
        session_name(policy),
        {{"keyturn-namespace", policy.ns}, {"keyturn-policy", policy.name}}};
    provider = aws::make_assume_role_provider(impl_->chain(region), std::move(provider).value(),
                                              std::move(role));
  }
  aws::SessionOptions options;
  options.transport = impl_->deps.transport;
  options.credentials = std::move(provider).value();
  options.settings = impl_->deps.settings;
  options.region = region;
  options.clock = &impl_->deps.clock;
  options.rng = &impl_->deps.rng;
  options.observer = impl_->deps.observer;
  options.request_timeout = impl_->deps.request_deadline;
  auto session = aws::make_session(std::move(options));
  if (!session) return std::move(session).error();
  auto access = std::make_shared<AwsAccess>(
      AwsAccess{scope, region, identity.is_operator(), aws::make_secrets_manager(*session),
                aws::make_timestream_influxdb(*session), aws::make_elasticache(*session),
                impl_->deps.backends, std::make_shared<engine::ReferenceMemory>()});
  const std::lock_guard lock(impl_->mutex);
  return impl_->cache.try_emplace(key, std::move(access)).first->second;
}

void Identities::forget(const Scope& scope) {
  if (scope.starts_with("operator@")) return;  // the chain refreshes itself
  const std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->cache, [&](const auto& entry) { return entry.second->scope == scope; });
}

Result<std::shared_ptr<aws::CredentialsProvider>> Identities::Impl::source(
    const Policy& policy, const std::string& region) {
  if (!policy.spec.identity().service_account_name.empty()) return service_account(policy, region);
  if (!policy.spec.identity().secret_ref_name.empty()) return static_keys(policy);
  const std::lock_guard lock(mutex);
  auto& provider = operator_chain[region];
  if (!provider) {
    auto made = aws::make_default_chain(chain(region));
    if (!made) return std::move(made).error().with_context("the operator's AWS identity");
    provider = std::move(made).value();
  }
  return provider;
}

// The role that the ServiceAccount names, if it may be used at all.
Result<std::string> Identities::Impl::role_of(const std::string& ns, const std::string& name) {
  const std::string what = "ServiceAccount " + ns + "/" + name;
  auto account = deps.client.get(kube::kServiceAccounts, ns, name, /*metadata_only=*/true);
  if (!account) return from_kube(std::move(account).error(), what);
  if (annotation(*account, kRotationIdentity) != "true") {
    return make_error(ErrorClass::Denied, "IdentityNotAllowed",
                      what + " may not be used for rotation; annotate it with " +
                          kRotationIdentity + ": \"true\"");
  }
  std::string role = annotation(*account, kRoleAnnotation);
  if (role.empty())
    return invalid("IdentityIncomplete",
                   what + " names no role; annotate it with " + std::string(kRoleAnnotation));
  return role;
}

Result<std::shared_ptr<aws::CredentialsProvider>> Identities::Impl::service_account(
    const Policy& policy, const std::string& region) {
  const std::string& name = policy.spec.identity().service_account_name;
  auto role = role_of(policy.ns, name);
  if (!role) return std::move(role).error();
  aws::WebIdentityOptions web{
      *role, session_name(policy),
      [this, ns = policy.ns, name, role = *role] { return token(ns, name, role); }};
  return aws::make_web_identity_provider(chain(region), std::move(web));
}

// Asked for at each new session: what the ServiceAccount allowed once it may have taken back.
Result<SecretString> Identities::Impl::token(const std::string& ns, const std::string& account,
                                             const std::string& role) {
  auto now = role_of(ns, account);
  if (!now) return std::move(now).error();
  if (*now != role) {
    return make_error(ErrorClass::Denied, "IdentityChanged",
                      "ServiceAccount " + ns + "/" + account + " names another role by now");
  }
  const json request = {
      {"apiVersion", "authentication.k8s.io/v1"},
      {"kind", "TokenRequest"},
      {"spec", {{"audiences", {kAudience}}, {"expirationSeconds", kTokenSeconds}}}};
  auto reply = deps.client.create(kube::kServiceAccounts, ns, request, "token", account);
  if (!reply)
    return from_kube(std::move(reply).error(), "token of ServiceAccount " + ns + "/" + account);
  const auto pointer = json::json_pointer("/status/token");
  if (!reply->contains(pointer) || !(*reply)[pointer].is_string()) {
    return make_error(
        ErrorClass::Transient, "NoToken",
        "TokenRequest for ServiceAccount " + ns + "/" + account + " was answered without a token");
  }
  return SecretString::take(std::move((*reply)[pointer].get_ref<std::string&>()));
}

// Read again when AWS refuses them, and now and then: people replace keys before they end the old.
Result<std::shared_ptr<aws::CredentialsProvider>> Identities::Impl::static_keys(
    const Policy& policy) {
  const std::string& name = policy.spec.identity().secret_ref_name;
  auto keys = std::make_shared<aws::CachedProvider>(
      "keys of Secret " + policy.ns + "/" + name,
      [this, ns = policy.ns, name] { return read_keys(ns, name); }, deps.clock, deps.rng);
  if (auto first = keys->get(); !first) return std::move(first).error();
  return std::shared_ptr<aws::CredentialsProvider>(std::move(keys));
}

Result<aws::Credentials> Identities::Impl::read_keys(const std::string& ns,
                                                     const std::string& name) {
  const std::string what = "Secret " + ns + "/" + name + " (spec.identity.secretRef)";
  auto secret = deps.client.get(kube::kSecrets, ns, name);
  if (!secret) return from_kube(std::move(secret).error(), what);
  auto id = field(*secret, "accessKeyId");
  auto key = field(*secret, "secretAccessKey");
  auto session = field(*secret, "sessionToken");
  for (auto& value : (*secret)["data"]) {
    if (value.is_string()) cleanse(value.get_ref<std::string&>());
  }
  for (const auto* part : {&id, &key, &session}) {
    if (!*part) return Error(part->error()).with_context(what);
  }
  if (!*id || !*key || (*id)->empty() || (*key)->empty()) {
    return invalid("IdentityIncomplete",
                   what + " must hold the keys accessKeyId and secretAccessKey");
  }
  aws::Credentials keys;
  keys.access_key_id = std::string((*id)->reveal());
  keys.secret_access_key = std::move(**key);
  if (*session) keys.session_token = std::move(**session);
  keys.expiration = deps.clock.now() + kKeysKept;
  return keys;
}

}  // namespace keyturn::rotation
