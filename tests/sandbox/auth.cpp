#include "tests/sandbox/auth.h"

#include <algorithm>

#include "lib/base/digest.h"
#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/base/uuid.h"

namespace keyturn::sandbox {
namespace {

std::string url64(std::string_view text) { return base64url(as_bytes_of(text)); }

std::optional<std::string> from_url64(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  auto decoded = base64_decode(text);
  if (!decoded) return std::nullopt;
  return std::move(*decoded);
}

bool lists(const Json& list, const std::string& wanted) {
  if (!list.is_array()) return false;
  return std::any_of(list.begin(), list.end(),
                     [&](const Json& entry) { return entry == wanted || entry == "*"; });
}

bool rule_allows(const Json& rule, const KubeRequest& request) {
  std::string resource = request.plural;
  if (!request.subresource.empty()) resource += "/" + request.subresource;
  // An apply is a patch; where it creates, create is asked for too, which the caller checks.
  const std::string verb = request.verb == "apply" ? "patch" : request.verb;
  if (!lists(at(rule, "verbs"), verb) || !lists(at(rule, "apiGroups"), request.group)) return false;
  if (!lists(at(rule, "resources"), resource)) return false;
  const Json& names = at(rule, "resourceNames");
  if (names.is_array() && !names.empty()) {
    return std::find(names.begin(), names.end(), Json(request.name)) != names.end();
  }
  return true;
}

bool subject_is(const Json& subject, const User& user, const std::string& binding_ns) {
  const std::string kind = text_at(subject, "kind");
  const std::string name = text_at(subject, "name");
  if (kind == "User") return name == user.name;
  if (kind == "Group")
    return std::find(user.groups.begin(), user.groups.end(), name) != user.groups.end();
  if (kind != "ServiceAccount") return false;
  const std::string ns = text_at(subject, "namespace");
  return user.name == "system:serviceaccount:" + (ns.empty() ? binding_ns : ns) + ":" + name;
}

}  // namespace

Auth::Auth(const ObjectStore& store, const Clock& clock) : store_(store), clock_(clock) {
  SystemRng rng;
  signing_key_ = uuid_v4(rng) + uuid_v4(rng);
}

void Auth::add_token(const std::string& token, User user) {
  const std::lock_guard lock(mutex_);
  tokens_[token] = std::move(user);
}

void Auth::remove_token(const std::string& token) {
  const std::lock_guard lock(mutex_);
  tokens_.erase(token);
}

std::string Auth::issue(const std::string& ns, const std::string& service_account,
                        const std::vector<std::string>& audiences, std::int64_t seconds) const {
  const std::int64_t now = epoch_seconds(clock_.now());
  const Json claims = {{"iss", "https://kubernetes.default.svc"},
                       {"sub", "system:serviceaccount:" + ns + ":" + service_account},
                       {"aud", audiences},
                       {"iat", now},
                       {"nbf", now},
                       {"exp", now + seconds}};
  const std::string body = url64(R"({"alg":"HS256","typ":"JWT"})") + "." + url64(claims.dump());
  return body + "." + base64url(hmac_sha256(as_bytes_of(signing_key_), body));
}

std::optional<Auth::Claims> Auth::verify(const std::string& jwt) const {
  const std::size_t dot = jwt.rfind('.');
  const std::size_t first = jwt.find('.');
  if (dot == std::string::npos || first == dot) return std::nullopt;
  const std::string body = jwt.substr(0, dot);
  if (base64url(hmac_sha256(as_bytes_of(signing_key_), body)) != jwt.substr(dot + 1))
    return std::nullopt;
  const auto decoded = from_url64(body.substr(first + 1));
  if (!decoded) return std::nullopt;
  const Json json = Json::parse(*decoded, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Claims out;
  out.subject = json.value("sub", "");
  out.expires = json.value("exp", std::int64_t{0});
  for (const Json& audience : at(json, "aud")) out.audiences.push_back(audience.get<std::string>());
  if (out.expires <= epoch_seconds(clock_.now())) return std::nullopt;
  return out;
}

std::optional<User> Auth::authenticate(const HttpRequest& request) const {
  const std::string header = request.header("authorization");
  if (header.empty()) {
    if (request.client_cn.empty()) return std::nullopt;
    return User{request.client_cn, request.client_groups};
  }
  if (!header.starts_with("Bearer ")) return std::nullopt;
  const std::string token = header.substr(7);
  {
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(token);
    if (found != tokens_.end()) return found->second;
  }
  const auto claims = verify(token);
  if (!claims || !claims->subject.starts_with("system:serviceaccount:")) return std::nullopt;
  // Only tokens for the API server itself open it.
  if (std::find(claims->audiences.begin(), claims->audiences.end(),
                "https://kubernetes.default.svc") == claims->audiences.end()) {
    return std::nullopt;
  }
  const std::vector<std::string> parts = split(claims->subject, ':');
  return User{
      claims->subject,
      {"system:serviceaccounts", "system:serviceaccounts:" + parts[2], "system:authenticated"}};
}

bool Auth::binding_allows(const Json& binding, const User& user, const KubeRequest& request,
                          const std::string& ns) const {
  const Json& subjects = at(binding, "subjects");
  if (!subjects.is_array() || std::none_of(subjects.begin(), subjects.end(), [&](const Json& s) {
        return subject_is(s, user, ns);
      })) {
    return false;
  }
  const bool cluster = text_at(binding, "roleRef", "kind") == "ClusterRole";
  const ObjectPtr role = store_.get(
      cluster ? "clusterroles.rbac.authorization.k8s.io" : "roles.rbac.authorization.k8s.io",
      cluster ? "" : ns, text_at(binding, "roleRef", "name"));
  if (!role) return false;
  const Json& rules = at(role->doc(), "rules");
  return rules.is_array() && std::any_of(rules.begin(), rules.end(), [&](const Json& rule) {
           return rule_allows(rule, request);
         });
}

bool Auth::allowed(const User& user, const KubeRequest& request) const {
  if (std::find(user.groups.begin(), user.groups.end(), "system:masters") != user.groups.end())
    return true;
  const auto cluster =
      store_.list("clusterrolebindings.rbac.authorization.k8s.io", "", "", 0, std::nullopt);
  for (const ObjectPtr& binding : cluster->objects) {
    if (binding_allows(binding->doc(), user, request, "")) return true;
  }
  const std::string ns = request.plural == "namespaces" ? request.name : request.ns;
  if (ns.empty()) return false;
  const auto local = store_.list("rolebindings.rbac.authorization.k8s.io", ns, "", 0, std::nullopt);
  return std::any_of(local->objects.begin(), local->objects.end(), [&](const ObjectPtr& binding) {
    return binding_allows(binding->doc(), user, request, ns);
  });
}

}  // namespace keyturn::sandbox
