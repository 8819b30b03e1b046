// What does not change about the things that secrets refer to, so that AWS is asked for it once and
// not in every pass: the name of a secret, by its whole ARN (one secret has it, for ever), and
// where a Timestream database answers (kept for a day at most; forgotten when nobody answers
// there), or the caches that a user of ElastiCache logs in to. Holds nothing secret. The access
// rules are asked every time all the same.
//
// One for each identity and region: what one may not resolve, another's memory must not tell it.
// Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"

namespace keyturn::engine {

class ReferenceMemory {
 public:
  struct Database {
    std::string arn;
    std::string base;  // "https://host:port"
    MonoTime until{};
  };

  std::optional<std::string> secret_name(const std::string& arn) const;
  void remember_secret(const std::string& arn, const std::string& name);
  std::optional<Database> database(const std::string& identifier, MonoTime now) const;
  void remember_database(const std::string& identifier, Database database);
  void forget_database(const std::string& identifier);
  // "host:port" of the primaries of whatever `key` names; empty: not known (any more).
  std::vector<std::string> caches(const std::string& key, MonoTime now) const;
  void remember_caches(const std::string& key, std::vector<std::string> hosts, MonoTime until);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> names_;
  std::map<std::string, Database> databases_;
  struct Caches {
    std::vector<std::string> hosts;
    MonoTime until{};
  };
  std::map<std::string, Caches> caches_;
};

}  // namespace keyturn::engine
