// What was asked of the sandbox: counts and a log by operation, never values.
// Thread rule: any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace keyturn::sandbox {

// One request as faults and counts see it.
struct Call {
  std::string service;  // "kubernetes", "secretsmanager", "sts", "timestream-influxdb", "influxdb",
                        // "astra"
  std::string operation;  // verb ("get", "list", "watch", "apply", …) or AWS operation
  std::string resource;   // plural ("secrets", "rotationpolicies/status") or "" ; AWS: the secret's
                          // id as sent
  std::string ns, name;   // InfluxDB and Astra: the instance's (organisation's) name and the id
                          // in the path
};

class CallLog {
 public:
  struct Entry {
    std::uint64_t number = 0;
    std::int64_t at_ms = 0;  // since the log was made or cleared
    Call call;
    int status = 0;  // 0: no answer was sent
    std::int64_t micros = 0;
    std::string fault;  // id of the fault that hit it, or ""
  };

  explicit CallLog(std::size_t keep = 20'000) : keep_(keep) {}
  void add(Entry entry);
  void clear();
  std::vector<Entry> entries() const;
  std::uint64_t total() const;
  // "service operation resource" → count; empty arguments match everything.
  std::map<std::string, std::uint64_t> counts() const;
  std::uint64_t count(const std::string& service, const std::string& operation = "",
                      const std::string& resource = "") const;

 private:
  struct Key {
    std::string service, operation, resource;
    auto operator<=>(const Key&) const = default;
  };
  const std::size_t keep_;
  mutable std::mutex mutex_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::uint64_t total_ = 0;
  std::deque<Entry> entries_;
  std::map<Key, std::uint64_t> counts_;
};

}  // namespace keyturn::sandbox
