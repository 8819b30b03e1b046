// From spec.strategy to a Strategy. Thread rule: pure functions.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "lib/base/result.h"
#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

// The keys that spec.strategy may hold.
std::span<const std::string_view> strategy_names();

// `options`: the JSON object under that key. Invalid "UnknownStrategy" (with the nearest name) or
// "InvalidStrategy"; the message starts with the path of the wrong option,
// `spec.strategy.generic.fields[0].length: …`. `deps`: see deps.h; without them it serves
// validation and decisions only.
Result<std::unique_ptr<Strategy>> make_strategy(std::string_view name, std::string_view options,
                                                const StrategyDeps& deps = {});

}  // namespace keyturn::engine
