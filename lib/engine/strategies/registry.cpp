#include "lib/engine/strategies/registry.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/suggest.h"
#include "lib/base/text.h"
#include "lib/engine/strategies/astra_token.h"
#include "lib/engine/strategies/elasticache_user.h"
#include "lib/engine/strategies/generic.h"
#include "lib/engine/strategies/influxdb_token.h"
#include "lib/engine/strategies/influxdb_user.h"
#include "lib/engine/strategies/lambda.h"
#include "lib/engine/strategies/sync_only.h"

namespace keyturn::engine {
namespace {

using Make = Result<std::unique_ptr<Strategy>> (*)(const nlohmann::json& options,
                                                   const std::string& path,
                                                   const StrategyDeps& deps);

// Those that need nothing but the secret itself.
template <class T>
Result<std::unique_ptr<Strategy>> without_deps(const nlohmann::json& options,
                                               const std::string& path, const StrategyDeps&) {
  return T::make(options, path);
}

constexpr std::array<std::string_view, 7> kNames = {"astraToken",    "elasticacheUser", "generic",
                                                    "influxdbToken", "influxdbUser",    "lambda",
                                                    "syncOnly"};
constexpr std::array<Make, kNames.size()> kMake = {
    &AstraTokenStrategy::make,      &ElasticacheUserStrategy::make, &without_deps<GenericStrategy>,
    &InfluxdbTokenStrategy::make,   &InfluxdbUserStrategy::make,    &LambdaStrategy::make,
    &without_deps<SyncOnlyStrategy>};

}  // namespace

std::span<const std::string_view> strategy_names() { return kNames; }

Result<std::unique_ptr<Strategy>> make_strategy(std::string_view name, std::string_view options,
                                                const StrategyDeps& deps) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    std::string known;
    for (std::string_view one : kNames) known += (known.empty() ? "" : ", ") + std::string(one);
    return invalid("UnknownStrategy", "spec.strategy: \"" + printable(name, 60) +
                                          "\" is not a strategy" + did_you_mean(name, kNames) +
                                          " (strategies: " + known + ")");
  }
  const std::string path = "spec.strategy." + std::string(name);
  const auto json = nlohmann::json::parse(options, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return invalid("InvalidStrategy", path + ": must be an object; write {} for an empty one");
  return kMake[static_cast<std::size_t>(found - kNames.begin())](json, path, deps);
}

}  // namespace keyturn::engine
