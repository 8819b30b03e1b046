// parse_policy(): any JSON gives an answer, an accepted spec keeps the promises that other code
// builds on, and a status goes round.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "controller/rotation/policy.h"
#include "controller/rotation/validate_names.h"

namespace {

using keyturn::rotation::Policy;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_accepted(const Policy& policy) {
  const auto& spec = policy.spec;
  require(keyturn::rotation::is_secret_id(spec.secret_id));
  require(spec.region.empty() || keyturn::rotation::is_region(spec.region));
  require(!spec.strategy.name.empty() && nlohmann::json::accept(spec.strategy.options));
  require(spec.targets.size() <= 16);
  for (const auto& target : spec.targets) {
    require(keyturn::rotation::is_dns_subdomain(target.name));
    require(target.type.find("service-account") == std::string::npos);
    require(target.has_data || target.data.empty());
    for (const auto& [key, value] : target.labels)
      require(!keyturn::rotation::is_reserved_key(key));
    for (const auto& [key, value] : target.annotations)
      require(!keyturn::rotation::is_reserved_key(key));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = nlohmann::json::parse(
      std::string_view(reinterpret_cast<const char*>(data), size), nullptr, false);
  if (json.is_discarded()) return 0;
  const auto policy = keyturn::rotation::parse_policy(json);
  const auto problems = keyturn::rotation::policy_problems(json);
  if (!policy) {
    require(problems.size() == 1);
    return 0;
  }
  require(policy->invalid.has_value() == !problems.empty());
  if (!policy->invalid) check_accepted(*policy);
  auto again = json;
  again["status"] = keyturn::rotation::status_json(policy->status);
  require(keyturn::rotation::status_json(keyturn::rotation::parse_policy(again)->status) ==
          again["status"]);
  return 0;
}
