#include "lib/engine/strategies/reference_memory.h"

#include <utility>

namespace keyturn::engine {
namespace {

// More means that values name ever new things: then nothing is worth remembering.
constexpr std::size_t kMost = 4096;

}  // namespace

std::optional<std::string> ReferenceMemory::secret_name(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(arn);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

void ReferenceMemory::remember_secret(const std::string& arn, const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (names_.size() >= kMost) names_.clear();
  names_.insert_or_assign(arn, name);
}

std::optional<ReferenceMemory::Database> ReferenceMemory::database(const std::string& identifier,
                                                                   MonoTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = databases_.find(identifier);
  if (found == databases_.end() || found->second.until <= now) return std::nullopt;
  return found->second;
}

void ReferenceMemory::remember_database(const std::string& identifier, Database database) {
  const std::lock_guard lock(mutex_);
  if (databases_.size() >= kMost) databases_.clear();
  databases_.insert_or_assign(identifier, std::move(database));
}

void ReferenceMemory::forget_database(const std::string& identifier) {
  const std::lock_guard lock(mutex_);
  databases_.erase(identifier);
}

std::vector<std::string> ReferenceMemory::caches(const std::string& key, MonoTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = caches_.find(key);
  if (found == caches_.end() || found->second.until <= now) return {};
  return found->second.hosts;
}

void ReferenceMemory::remember_caches(const std::string& key, std::vector<std::string> hosts,
                                      MonoTime until) {
  const std::lock_guard lock(mutex_);
  if (caches_.size() >= kMost) caches_.clear();
  caches_.insert_or_assign(key, Caches{std::move(hosts), until});
}

}  // namespace keyturn::engine
