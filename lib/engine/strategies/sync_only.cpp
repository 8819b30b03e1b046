#include "lib/engine/strategies/sync_only.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lib/engine/strategies/options.h"

namespace keyturn::engine {
namespace {

Error read_only() {
  return invalid("ReadOnly",
                 "syncOnly never writes to AWS; choose a strategy that rotates, such as generic");
}

}  // namespace

Result<std::unique_ptr<Strategy>> SyncOnlyStrategy::make(const nlohmann::json& options,
                                                         const std::string& path) {
  if (auto done = Options(options, path).finish(); !done) return std::move(done).error();
  return std::unique_ptr<Strategy>(std::make_unique<SyncOnlyStrategy>());
}

const Traits& SyncOnlyStrategy::traits() const {
  static const Traits kTraits{"syncOnly", Backend::ReadOnly, false, false, false};
  return kTraits;
}

Status SyncOnlyStrategy::recognise(const SecretString&) const { return {}; }

Result<SecretString> SyncOnlyStrategy::create(const StepContext&, const SecretString&) const {
  return read_only();
}

Result<SecretString> SyncOnlyStrategy::carry(const SecretString&, const SecretString&) const {
  return read_only();
}

bool SyncOnlyStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  return a == b;
}

}  // namespace keyturn::engine
