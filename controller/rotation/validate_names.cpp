#include "controller/rotation/validate_names.h"

#include <algorithm>
#include <array>

namespace keyturn::rotation {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLowerDigits = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kLettersDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool only(std::string_view text, std::string_view set, std::string_view more = {}) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return set.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos;
  });
}
bool one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// Calls `good` for each part between separators; true when there is a part and all are good.
template <class Good>
bool every_part(std::string_view text, char separator, Good good) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (!good(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool bounded(std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most;
}

// Takes the text up to and including ':' off the front; the part before it, or "" (no such part is
// empty where it is used).
std::string_view take_part(std::string_view& text) {
  const std::size_t end = text.find(':');
  if (end == std::string_view::npos) return {};
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end + 1);
  return part;
}

bool is_partition(std::string_view text) {
  return text.starts_with("aws") && only(text, kLower, "-");
}

struct SecretArn {
  bool valid = false;
  std::string_view region, name;
};
SecretArn split_secret_arn(std::string_view text) {
  SecretArn arn;
  if (take_part(text) != "arn" || !is_partition(take_part(text)) ||
      take_part(text) != "secretsmanager") {
    return arn;
  }
  arn.region = take_part(text);
  const std::string_view account = take_part(text);
  if (!is_region(arn.region)) return arn;
  if (account.empty() || !only(account, kDigits) || take_part(text) != "secret") return arn;
  arn.name = text;
  arn.valid = true;
  return arn;
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return bounded(text, 1, 63) && only(text, kLowerDigits, "-") && text.front() != '-' &&
         text.back() != '-';
}

bool is_dns_subdomain(std::string_view text) {
  return bounded(text, 1, 253) && every_part(text, '.', [](std::string_view part) {
           return !part.empty() && only(part, kLowerDigits, "-") && part.front() != '-' &&
                  part.back() != '-';
         });
}

bool is_data_key(std::string_view text) {
  return bounded(text, 1, 253) && only(text, kLettersDigits, "-_.") && text != "." &&
         !text.starts_with("..");
}

bool is_label_value(std::string_view text) {
  return text.empty() ||
         (text.size() <= 63 && only(text, kLettersDigits, "-_.") &&
          one_of(text.front(), kLettersDigits) && one_of(text.back(), kLettersDigits));
}

bool is_label_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return !text.empty() && is_label_value(text);
  return is_dns_subdomain(text.substr(0, slash)) && slash + 1 < text.size() &&
         is_label_value(text.substr(slash + 1));
}

bool is_secret_id(std::string_view text) {
  const SecretArn arn = split_secret_arn(text);
  const std::string_view name = arn.valid ? arn.name : text;
  return bounded(name, 1, 519) &&
         only(name, kLettersDigits, "/_+=.@!-");  // 512, "-" and six random characters
}

std::string_view region_of_secret_id(std::string_view text) {
  return split_secret_arn(text).region;
}

bool is_region(std::string_view text) {
  if (!bounded(text, 1, 32)) return false;
  const std::size_t last = text.rfind('-');
  if (last == std::string_view::npos) return false;
  const std::string_view number = text.substr(last + 1);
  const std::string_view words = text.substr(0, last);
  if (!bounded(number, 1, 2) || !only(number, kDigits)) return false;
  return words.find('-') != std::string_view::npos &&
         every_part(words, '-',
                    [](std::string_view part) { return !part.empty() && only(part, kLower); });
}

bool is_role_arn(std::string_view text) {
  if (take_part(text) != "arn" || !is_partition(take_part(text)) || take_part(text) != "iam") {
    return false;
  }
  if (!text.starts_with(':')) return false;  // IAM has no region
  text.remove_prefix(1);
  const std::string_view account = take_part(text);
  return !account.empty() && only(account, kDigits) && text.starts_with("role/") &&
         text.size() > 5 && only(text.substr(5), kLettersDigits, "/_+=,.@-");
}

bool is_reserved_key(std::string_view key) {
  // Recommended labels that describe an application and that no tool decides by. The other two,
  // managed-by and instance, tell Helm and Argo CD whose object this is.
  constexpr std::array<std::string_view, 4> kDescriptive{
      "app.kubernetes.io/name", "app.kubernetes.io/version", "app.kubernetes.io/component",
      "app.kubernetes.io/part-of"};
  constexpr std::array<std::string_view, 18> kDomains{
      "keyturn.dev",         "kubernetes.io", "k8s.io",          "argoproj.io", "helm.sh",
      "fluxcd.io",           "stakater.com",  "emberstack.com",  "mittwald.de", "appscode.com",
      "external-secrets.io", "hashicorp.com", "cert-manager.io", "bitnami.com", "crossplane.io",
      "cattle.io",           "k14s.io",       "openshift.io"};
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return false;
  if (std::find(kDescriptive.begin(), kDescriptive.end(), key) != kDescriptive.end()) return false;
  const std::string_view prefix = key.substr(0, slash);
  return std::any_of(kDomains.begin(), kDomains.end(), [&](std::string_view domain) {
    return prefix.ends_with(domain) &&
           (prefix.size() == domain.size() || prefix[prefix.size() - domain.size() - 1] == '.');
  });
}

}  // namespace keyturn::rotation
