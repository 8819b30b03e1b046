#include "controller/rotation/access.h"

#include <algorithm>

#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using List = std::vector<std::string> AccessRule::*;

constexpr std::string_view kNamespaceVariable = "{namespace}";

// A namespace is a DNS label: put into a pattern it brings no `*` with it.
std::string with_namespace(std::string pattern, std::string_view ns) {
  for (std::size_t at = pattern.find(kNamespaceVariable); at != std::string::npos;
       at = pattern.find(kNamespaceVariable, at + ns.size())) {
    pattern.replace(at, kNamespaceVariable.size(), ns);
  }
  return pattern;
}

bool applies(const AccessRule& rule, std::string_view ns) {
  return std::any_of(rule.namespaces.begin(), rule.namespaces.end(),
                     [&](const std::string& pattern) { return glob_match(pattern, ns); });
}

// Whether an entry of `list` in a rule for this namespace satisfies `matches`.
template <class Matches>
bool any_entry(const std::vector<AccessRule>& rules, std::string_view ns, List list,
               Matches matches) {
  for (const AccessRule& rule : rules) {
    if ((rule.*list).empty() || !applies(rule, ns)) continue;
    for (const std::string& pattern : rule.*list) {
      if (matches(with_namespace(pattern, ns))) return true;
    }
  }
  return false;
}

// A YAML text for every input: JSON's double quotes are YAML's.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text, 2048)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

Error denied(std::string_view ns, const char* what, std::string_view value, const char* list) {
  std::string message = "no access rule lets namespace " + std::string(ns) + " use the " + what +
                        " " + printable(value, 2048) + "; ";
  // The value may come from a tenant's secret. A rule with its text in it must not mean more than
  // that text.
  if (value.find_first_of("*{") != std::string_view::npos || printable(value, 2048) != value) {
    message +=
        "it has characters that stand for others in a rule, so no rule can name it: change the " +
        std::string(what);
  } else {
    message += "this rule in the operator's configuration, under access, would:  - {namespaces: [" +
               quoted(ns) + "], " + list + ": [" + quoted(value) + "]}";
  }
  return make_error(ErrorClass::Denied, "NoAccessRule", std::move(message));
}

Status check(const std::vector<AccessRule>& rules, std::string_view ns, List list,
             const char* list_name, const char* what, std::string_view value) {
  if (any_entry(rules, ns, list,
                [&](const std::string& pattern) { return glob_match(pattern, value); }))
    return {};
  return denied(ns, what, value, list_name);
}

bool is_arn(std::string_view text) { return text.starts_with("arn:"); }

// Where the name begins in a secret's ARN (or in a pattern for one); npos when that cannot be told.
// A name has no colon, so there is one such place.
std::size_t name_begin(std::string_view arn) {
  constexpr std::string_view kBefore = ":secret:";
  const std::size_t at = arn.find(kBefore);
  return at == std::string_view::npos ? at : at + kBefore.size();
}

// "shop/db-AbCdEf" → "shop/db": Secrets Manager puts a hyphen and six characters behind the name.
std::string_view without_ending(std::string_view name) {
  return name.size() > 7 && name[name.size() - 7] == '-' ? name.substr(0, name.size() - 7) : name;
}

// Whether the name part of an ARN pattern could match `name` with a hyphen and six unknown
// characters behind it. Says yes in doubt: before the first star everything must agree, behind it
// anything may.
bool could_match_with_ending(std::string_view pattern, std::string_view name) {
  const std::string known = std::string(name) + "-";
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos)
    return pattern.size() == known.size() + 6 && pattern.starts_with(known);
  const std::string_view literal = pattern.substr(0, star);
  return known.starts_with(literal) || literal.starts_with(known);
}

bool might_match(std::string_view pattern, std::string_view secret_id) {
  const std::size_t id_name = is_arn(secret_id) ? name_begin(secret_id) : 0;
  if (id_name == std::string_view::npos) return false;  // an ARN of something else
  const std::string_view name = secret_id.substr(id_name);
  if (!is_arn(pattern)) {
    return glob_match(pattern, name) || (id_name != 0 && glob_match(pattern, without_ending(name)));
  }
  if (glob_match(pattern, secret_id)) return true;
  const std::size_t pattern_name = name_begin(pattern);
  if (pattern_name == std::string_view::npos) return true;  // `arn:aws:secretsmanager:**`
  // Of a name, account and region are not known yet.
  const bool same_place =
      id_name == 0 || glob_match(pattern.substr(0, pattern_name), secret_id.substr(0, id_name));
  return same_place && could_match_with_ending(pattern.substr(pattern_name), name);
}

}  // namespace

Status AccessRules::secret(std::string_view ns, std::string_view canonical_name,
                           std::string_view arn) const {
  const bool allowed = any_entry(rules_, ns, &AccessRule::secrets, [&](const std::string& pattern) {
    return glob_match(pattern, is_arn(pattern) ? arn : canonical_name);
  });
  if (allowed) return {};
  return denied(ns, "secret", canonical_name.empty() ? arn : canonical_name, "secrets");
}

Status AccessRules::resource(std::string_view ns, std::string_view arn) const {
  return check(rules_, ns, &AccessRule::resources, "resources", "resource", arn);
}

Status AccessRules::backend(std::string_view ns, std::string_view host_port) const {
  return check(rules_, ns, &AccessRule::backends, "backends", "backend", lower_ascii(host_port));
}

Status AccessRules::role(std::string_view ns, std::string_view role_arn) const {
  return check(rules_, ns, &AccessRule::roles, "roles", "role", role_arn);
}

bool AccessRules::might_touch_secret(std::string_view ns, std::string_view secret_id) const {
  return any_entry(rules_, ns, &AccessRule::secrets,
                   [&](const std::string& pattern) { return might_match(pattern, secret_id); });
}

}  // namespace keyturn::rotation
