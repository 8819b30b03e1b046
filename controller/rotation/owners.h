// Which policies follow which secret: one owner (the oldest rotating policy), many readers.
//
// Keyed by the ARN without its region, so that a replica's followers count. Filled as passes learn
// a policy's ARN. Thread rule: any thread.
#pragma once

#include <mutex>
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
  using Members = std::vector<Follower>;  // sorted by key
  using BySecret = std::unordered_map<std::string, Members>;
  std::vector<std::string> others_locked(const Members& members, const std::string& key) const;
  std::vector<std::string> leave_locked(BySecret::value_type& secret, const std::string& key);
  mutable std::mutex mutex_;
  BySecret by_secret_;
  std::unordered_map<std::string, BySecret::pointer> secret_of_;  // by policy
};

}  // namespace keyturn::rotation
