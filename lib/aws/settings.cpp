// load_settings(), is_region(), endpoint_for() of session.h.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "lib/aws/profile.h"
#include "lib/aws/session.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

// The services Keyturn talks to, with their names in AWS_ENDPOINT_URL_<…> (and, in lower case, in
// profiles).
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kServices = {{
    {"secretsmanager", "SECRETS_MANAGER"},
    {"sts", "STS"},
    {"elasticache", "ELASTICACHE"},
    {"timestream-influxdb", "TIMESTREAM_INFLUXDB"},
}};

struct Partition {
  std::string_view region_prefix;
  std::string_view suffix;
  std::string_view dualstack_suffix;  // empty: there is none
};
// From the SDKs' partition data; the first prefix that fits counts.
constexpr Partition kPartitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "amazonaws.com", "api.aws"},
    {"us-iso-", "c2s.ic.gov", ""},
    {"us-isob-", "sc2s.sgov.gov", ""},
    {"us-isof-", "csp.hci.ic.gov", ""},
    {"eu-isoe-", "cloud.adc-e.uk", ""},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"", "amazonaws.com", "api.aws"},
};

bool is_true(const std::string& text) { return iequals_ascii(text, "true"); }

// scheme://host[:port][/path], nothing else: no user, query or fragment. The slash at the end is
// dropped.
Result<std::string> checked_override(const std::string& service, std::string_view url) {
  const auto bad = [&](const char* why) {
    return invalid("BadEndpoint", "the endpoint configured for " + service + ", \"" +
                                      printable(url, 200) + "\", " + why);
  };
  const std::string_view scheme = url.starts_with("https://") ? "https://" : "http://";
  if (!url.starts_with(scheme)) return bad("does not start with https:// or http://");
  const std::string_view rest = url.substr(scheme.size());
  const bool printable_ascii =
      std::all_of(rest.begin(), rest.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!printable_ascii || rest.find_first_of("@?#\\\"<>") != std::string_view::npos) {
    return bad("may hold only a host, a port and a path");
  }
  if (rest.empty() || rest[0] == '/' || rest[0] == ':') return bad("names no host");
  std::string out(url);
  while (out.back() == '/') out.pop_back();
  return out;
}

std::string service_host(const Settings& settings, const std::string& service,
                         const std::string& region, const Partition& partition) {
  const bool gov = partition.region_prefix == "us-gov-";
  // STS has no FIPS name in GovCloud: its ordinary one is validated.
  const bool fips_name = settings.use_fips && !(service == "sts" && gov && !settings.use_dualstack);
  // Secrets Manager's ordinary name already answers on IPv6 in these partitions.
  const bool ordinary_is_dual =
      service == "secretsmanager" &&
      (partition.region_prefix.empty() || gov || partition.region_prefix == "cn-");
  const bool dual_suffix = settings.use_dualstack && !ordinary_is_dual;
  return service + (fips_name ? "-fips." : ".") + region + "." +
         std::string(dual_suffix ? partition.dualstack_suffix : partition.suffix);
}

Result<int> parse_attempts(const std::string& text) {
  const bool digits =
      !text.empty() && text.size() <= 2 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int count = digits ? std::stoi(text) : 0;
  if (count < 1) {
    return invalid("BadSetting", "AWS_MAX_ATTEMPTS is \"" + printable(text, 40) +
                                     "\": expected a number from 1 to 99");
  }
  return count;
}

void load_endpoints(const Environment& env, const Profile& profile, Settings& settings) {
  const std::string everywhere = env("AWS_ENDPOINT_URL").value_or("");
  for (const auto& [service, key] : kServices) {
    std::string url = env("AWS_ENDPOINT_URL_" + std::string(key)).value_or("");
    if (url.empty() && everywhere.empty()) url = profile.service_endpoint(lower_ascii(key));
    if (!url.empty()) settings.endpoint_urls.emplace(service, std::move(url));
  }
  const std::string general = everywhere.empty() ? profile.get("endpoint_url") : everywhere;
  if (!general.empty()) settings.endpoint_urls.emplace("", general);
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<Settings> load_settings(const Environment& env) {
  auto profile = load_profile(env);
  if (!profile) return profile.error();
  const auto setting = [&](const char* variable, const char* property) {
    const std::string value = env(variable).value_or("");
    return value.empty() ? profile->get(property) : value;
  };

  Settings out;
  out.region = env("AWS_REGION").value_or("");
  if (out.region.empty()) out.region = setting("AWS_DEFAULT_REGION", "region");
  if (!out.region.empty() && !is_region(out.region)) {
    return invalid("BadRegion", "AWS_REGION (or the profile's region) is \"" +
                                    printable(out.region, 60) +
                                    "\", which is not an AWS region such as eu-west-1");
  }
  if (const std::string attempts = setting("AWS_MAX_ATTEMPTS", "max_attempts"); !attempts.empty()) {
    const Result<int> count = parse_attempts(attempts);
    if (!count) return count.error();
    out.max_attempts = *count;
  }
  out.use_fips = is_true(setting("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
  out.use_dualstack = is_true(setting("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"));
  if (!is_true(setting("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"))) {
    load_endpoints(env, *profile, out);
  }
  if (const std::string bundle = setting("AWS_CA_BUNDLE", "ca_bundle"); !bundle.empty()) {
    auto pem = read_small_file(bundle, 8u << 20);
    if (!pem) return pem.error().with_context("AWS_CA_BUNDLE");
    out.ca_bundle_pem = std::string(*pem);  // without the reading buffer's spare room
    if (out.ca_bundle_pem.find("-----BEGIN ") == std::string::npos) {
      return invalid("BadSetting", "AWS_CA_BUNDLE: " + bundle + " holds no PEM certificate");
    }
  }
  return out;
}

bool is_region(std::string_view text) {
  // letters, one or more -letters, -digits: ^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$
  if (text.size() > 32) return false;
  const std::vector<std::string> parts = split(text, '-');
  const auto all = [](const std::string& part, char low, char high) {
    return !part.empty() &&
           std::all_of(part.begin(), part.end(), [&](char c) { return c >= low && c <= high; });
  };
  if (parts.size() < 3 || parts[0].size() < 2 || parts[0].size() > 4) return false;
  if (parts.back().size() > 2 || !all(parts.back(), '0', '9')) return false;
  return std::all_of(parts.begin(), parts.end() - 1,
                     [&](const std::string& p) { return all(p, 'a', 'z'); });
}

Result<std::string> endpoint_for(const Settings& settings, const std::string& service,
                                 const std::string& region) {
  if (region.empty()) {
    return invalid("NoRegion",
                   "no AWS region: set AWS_REGION, `region` in the profile, or spec.region");
  }
  if (!is_region(region)) {
    return invalid("BadRegion",
                   "\"" + printable(region, 60) + "\" is not an AWS region such as eu-west-1");
  }
  auto configured = settings.endpoint_urls.find(service);
  if (configured == settings.endpoint_urls.end()) configured = settings.endpoint_urls.find("");
  if (configured != settings.endpoint_urls.end()) {
    if (settings.use_fips || settings.use_dualstack) {
      return invalid("BadEndpoint", "an endpoint is configured for " + service +
                                        ": it cannot be combined with AWS_USE_FIPS_ENDPOINT or "
                                        "AWS_USE_DUALSTACK_ENDPOINT; remove one of them");
    }
    return checked_override(service, configured->second);
  }
  const auto* partition =
      std::find_if(std::begin(kPartitions), std::end(kPartitions),
                   [&](const Partition& p) { return region.starts_with(p.region_prefix); });
  if (settings.use_dualstack && partition->dualstack_suffix.empty()) {
    return invalid("BadEndpoint",
                   "AWS_USE_DUALSTACK_ENDPOINT: there is no dual-stack endpoint in " + region);
  }
  return "https://" + service_host(settings, service, region, *partition);
}

}  // namespace keyturn::aws
