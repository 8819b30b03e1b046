// Access keys, sessions, roles and what they may do: as much of IAM as tests need to provoke
// refusals. Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::sandbox {

// Deny wins over Allow; nothing matching is a denial. `actions`: "secretsmanager:Get*";
// `resources`: the secret's name or ARN as the caller gave it, or its resolved ARN; globs where **
// passes '/'.
struct IamRule {
  bool allow = true;
  std::vector<std::string> actions = {"**"};
  std::vector<std::string> resources = {"**"};
};

struct Principal {
  std::string access_key, secret_key, session_token;
  std::string account = "123456789012";
  std::string arn;                  // filled in when empty
  std::optional<WallTime> expires;  // sessions
  std::vector<IamRule> rules = {IamRule{}};
};

struct Role {
  std::string arn;
  std::string account = "123456789012";
  std::vector<std::string>
      web_identity_subjects;  // globs of the token's sub; empty: no web identity
  std::string audience = "sts.amazonaws.com";
  std::vector<std::string> principals = {"**"};  // globs of caller ARNs for AssumeRole
  std::string external_id;                       // required by AssumeRole when set
  std::vector<IamRule> rules = {IamRule{}};
};

class AwsAccounts {
 public:
  explicit AwsAccounts(const Clock& clock) : clock_(clock) {}

  void add_key(Principal principal);
  void remove_key(const std::string& access_key);
  // Replaces what the key (and nothing else) may do.
  void set_rules(const std::string& access_key, std::vector<IamRule> rules);
  std::optional<Principal> find(const std::string& access_key) const;

  void add_role(Role role);
  std::optional<Role> role(const std::string& arn) const;
  Principal start_session(const Role& role, const std::string& session_name, std::int64_t seconds);
  // Ends sessions early: their keys answer ExpiredTokenException.
  void expire_sessions();

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;
  SystemRng rng_;
  std::map<std::string, Principal> keys_;
  std::map<std::string, Role> roles_;
};

bool permits(const Principal& principal, const std::string& action,
             const std::vector<std::string>& names);

}  // namespace keyturn::sandbox
