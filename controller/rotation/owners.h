// Which policies follow which secret: one owner (the oldest rotating policy), many readers.
//
// Keyed by the ARN without its region, so that a replica's followers count. Filled as passes learn
// a policy's ARN. Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/clock.h"

namespace keyturn::rotation {

struct Follower {
  std::string key;       // policy
  bool rotates = false;  // has a rotating strategy
  WallTime created{};
  bool allowed = true;  // access rules let it
};

class Owners {
 public:
  // Registers or updates; returns the keys of other policies whose ownership may have changed by
  // it.
  std::vector<std::string> set(const std::string& arn, const Follower& follower);
  // Access rules let it no more; the same keys.
  std::vector<std::string> deny(const std::string& key);
  std::vector<std::string> remove(const std::string& key);

  // The oldest rotating policy of this secret ("" when none); of the same second, the first by
  // namespace/name: a restart and a person come to the same answer.
  std::string owner(const std::string& arn) const;
  std::vector<Follower> followers(const std::string& arn) const;

 private:
  std::vector<std::string> others_locked(const std::string& group, const std::string& key) const;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::map<std::string, Follower>> by_secret_;
  std::unordered_map<std::string, std::string> secret_of_;
};

}  // namespace keyturn::rotation
