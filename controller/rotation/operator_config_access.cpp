#include "controller/rotation/operator_config_access.h"

#include <algorithm>
#include <array>

#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using YAML::Node;

constexpr std::string_view kVariable = "{namespace}";

bool letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The first character that none of the names a pattern is for can have; 0 when there is none.
char stray(std::string_view pattern, std::string_view allowed) {
  const auto it = std::find_if(pattern.begin(), pattern.end(), [&](char c) {
    return c != '*' && !letter_or_digit(c) && allowed.find(c) == std::string_view::npos;
  });
  return it == pattern.end() ? '\0' : *it;
}

std::string without_variable(std::string text) {
  for (std::size_t at = text.find(kVariable); at != std::string::npos; at = text.find(kVariable)) {
    text.erase(at, kVariable.size());
  }
  return text;
}

// What is wrong with a pattern; "" when nothing is.
using Check = std::string (*)(const std::string& pattern);

std::string check_characters(const std::string& pattern, std::string_view allowed,
                             const char* whose) {
  const std::string rest = without_variable(pattern);
  if (rest.find_first_of("{}") != std::string::npos)
    return "{namespace} is the only thing that may stand in braces";
  const char c = stray(rest, allowed);
  if (c == '\0') return "";
  return std::string("has '") + c + "', which no " + whose +
         " has; `*` stands for any run without /, `**` for any";
}

std::string check_namespace(const std::string& pattern) {
  const bool good = std::all_of(pattern.begin(), pattern.end(), [](char c) {
    return c == '*' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
  });
  return good ? "" : "must be the name of a namespace; `*` stands for any run";
}

std::string check_secret(const std::string& pattern) {
  if (pattern.starts_with("arn:") && pattern.find(":secretsmanager:") == std::string::npos) {
    return "is no ARN of Secrets Manager; others belong under resources or roles";
  }
  return check_characters(pattern, pattern.starts_with("arn:") ? "/_+=.@!:-" : "/_+=.@!-",
                          "secret's name");
}

std::string check_arn(const std::string& pattern) {
  if (!pattern.starts_with("arn:")) return "must begin with arn:";
  return check_characters(pattern, "/_+=,.@!:-", "ARN");
}

std::string check_role(const std::string& pattern) {
  if (!pattern.starts_with("arn:") || pattern.find(":iam:") == std::string::npos) {
    return "must be a role's ARN such as arn:aws:iam::123456789012:role/name";
  }
  return check_arn(pattern);
}

std::string check_backend(const std::string& pattern) {
  if (pattern.find(':') == std::string::npos)
    return "must be host:port, such as \"*.db.internal:5432\"";
  if (lower_ascii(pattern) != pattern) return "must be in lower case";
  return check_characters(pattern, ".-:[]_", "host");
}

void read_patterns(ConfigReader& in, const Node& node, const std::string& path, Check check,
                   std::vector<std::string>& patterns) {
  in.list(node, path, [&](const Node& item, const std::string& at) {
    const auto pattern = in.text(item, at);
    if (!pattern) return;
    const std::string wrong = check(*pattern);
    if (!wrong.empty()) return in.problem(item, at, wrong);
    patterns.push_back(*pattern);
  });
}

bool has(const std::vector<std::string>& patterns, std::string_view wanted) {
  return std::find(patterns.begin(), patterns.end(), wanted) != patterns.end();
}

AccessRule read_rule(ConfigReader& in, const Node& node, const std::string& path) {
  AccessRule rule;
  const auto into = [&](std::vector<std::string>& patterns, Check check) {
    return [&in, &patterns, check](const Node& n, const std::string& p) {
      read_patterns(in, n, p, check, patterns);
    };
  };
  const std::array<ConfigReader::Key, 5> keys{{
      {"namespaces", into(rule.namespaces, check_namespace)},
      {"secrets", into(rule.secrets, check_secret)},
      {"resources", into(rule.resources, check_arn)},
      {"backends", into(rule.backends, check_backend)},
      {"roles", into(rule.roles, check_role)},
  }};
  const std::size_t before = in.count();
  in.map(node, path, keys);
  if (in.count() != before) return rule;  // what is missing below may be what was refused above
  if (rule.namespaces.empty()) in.problem(node, path, "needs namespaces, or it is for nobody");
  if (rule.secrets.empty() && rule.resources.empty() && rule.backends.empty() &&
      rule.roles.empty()) {
    in.problem(node, path, "allows nothing: give it secrets, resources, backends or roles");
  }
  if ((has(rule.namespaces, "*") || has(rule.namespaces, "**")) && has(rule.secrets, "**")) {
    in.warning(node, path, "lets every namespace use every secret that the operator can");
  }
  return rule;
}

}  // namespace

AccessRules read_access(ConfigReader& in, const Node& node, const std::string& path) {
  std::vector<AccessRule> rules;
  in.list(node, path, [&](const Node& item, const std::string& at) {
    rules.push_back(read_rule(in, item, at));
  });
  return AccessRules(std::move(rules));
}

}  // namespace keyturn::rotation
