#include "tests/sandbox/call_log.h"

namespace keyturn::sandbox {

void CallLog::add(Entry entry) {
  const std::lock_guard lock(mutex_);
  entry.number = ++total_;
  entry.at_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                    std::chrono::steady_clock::now() - start_)
                    .count();
  // Secret ids of AWS would make a counter for each; the resources of the others are few.
  const bool few = entry.call.service == "kubernetes" || entry.call.service == "influxdb";
  ++counts_[{entry.call.service, entry.call.operation, few ? entry.call.resource : ""}];
  entries_.push_back(std::move(entry));
  if (entries_.size() > keep_) entries_.pop_front();
}

void CallLog::clear() {
  const std::lock_guard lock(mutex_);
  start_ = std::chrono::steady_clock::now();
  total_ = 0;
  entries_.clear();
  counts_.clear();
}

std::vector<CallLog::Entry> CallLog::entries() const {
  const std::lock_guard lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

std::uint64_t CallLog::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

std::map<std::string, std::uint64_t> CallLog::counts() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::uint64_t> out;
  for (const auto& [key, count] : counts_) {
    out[key.service + " " + key.operation + (key.resource.empty() ? "" : " " + key.resource)] =
        count;
  }
  return out;
}

std::uint64_t CallLog::count(const std::string& service, const std::string& operation,
                             const std::string& resource) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [key, count] : counts_) {
    if ((service.empty() || key.service == service) &&
        (operation.empty() || key.operation == operation) &&
        (resource.empty() || key.resource == resource)) {
      sum += count;
    }
  }
  return sum;
}

}  // namespace keyturn::sandbox
