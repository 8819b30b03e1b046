// The AUTH tokens of a replication group.
#include <algorithm>
#include <stdexcept>

#include "tests/sandbox/elasticache.h"
#include "tests/sandbox/elasticache_xml.h"

namespace keyturn::sandbox {
namespace {

void check_token(const std::string& token) {
  const bool good = token.size() >= 16 && token.size() <= 128 &&
                    std::all_of(token.begin(), token.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                             (c >= 'a' && c <= 'z') ||
                             std::string_view("!&#$^<>-").find(c) != std::string_view::npos;
                    });
  if (good) return;
  throw AwsError("InvalidParameterValue",
                 "AuthToken must be 16 to 128 letters, digits or !&#$^<>-: " + token);
}

bool holds(const std::vector<std::string>& tokens, const std::string& token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

}  // namespace

std::string ElastiCache::modify_group_xml(const Form& form, const Principal& caller) {
  only(form, {"ReplicationGroupId", "ApplyImmediately", "AuthToken", "AuthTokenUpdateStrategy"});
  const std::string id = needed(form, "ReplicationGroupId");
  permit(caller, "ModifyReplicationGroup", arn("replicationgroup:" + id));
  const auto found = groups_.find(id);
  if (found == groups_.end())
    throw AwsError("ReplicationGroupNotFoundFault", "ReplicationGroup " + id + " not found.", 404);
  Group& group = found->second;
  if (field_of_form(form, "ApplyImmediately") != "true")
    throw AwsError("InvalidParameterCombination", "a token is changed with ApplyImmediately alone");
  const std::string token = needed(form, "AuthToken");
  const std::string strategy = needed(form, "AuthTokenUpdateStrategy");
  if (strategy == "DELETE")
    throw AwsError("InvalidParameterValue",
                   "AuthTokenUpdateStrategy DELETE is not supported currently.");
  if (strategy != "ROTATE" && strategy != "SET")
    throw AwsError("InvalidParameterValue",
                   "AuthTokenUpdateStrategy must be SET, ROTATE or DELETE");
  check_token(token);
  if (group.spec.tokens.empty())
    throw AwsError("InvalidParameterCombination",
                   "the sandbox serves groups that have a token alone");
  if (group.next)
    throw AwsError("InvalidReplicationGroupState",
                   "Replication group " + id + " is not available.");
  if (strategy == "ROTATE") {
    rotate(group, token);
  } else if (token != group.spec.tokens.back()) {
    throw AwsError("InvalidParameterValue", "The token must be the one that was rotated last.");
  } else {
    group.next = {token};
    group.token_status = "SETTING";
    ++group.changes.sets;
  }
  group.due = clock_.mono() + change_time_;
  return reply("ModifyReplicationGroup", group_members(group));
}

void ElastiCache::rotate(Group& group, const std::string& token) {
  const std::vector<std::string>& live = group.spec.tokens;
  const bool drops =
      live.size() == 2 && is_current_ && std::any_of(live.begin(), live.end(), is_current_);
  if (told_ && (drops || holds(live, token))) {
    told_("ROTATE of replication group " + group.spec.id +
          (drops ? " while two tokens are live, one of them AWSCURRENT's"
                 : " with a token that it has"));
  }
  group.next = {live.back(), token};
  group.token_status = "ROTATING";
  ++group.changes.rotations;
}

void ElastiCache::settle_tokens() {
  for (auto& [id, group] : groups_) {
    if (!group.next || clock_.mono() < group.due) continue;
    group.spec.tokens = *std::move(group.next);
    group.next.reset();
    group.token_status.clear();
    apply_tokens(group);
  }
}

// A token is a password of Redis' user `default`.
void ElastiCache::apply_tokens(const Group& group) {
  if (group.spec.tokens.empty()) return;
  std::vector<std::string> words = {"ACL", "SETUSER", "default", "reset",
                                    "on",  "~*",      "&*",      "+@all"};
  for (const std::string& token : group.spec.tokens) words.push_back(">" + token);
  for (const auto& server : group.servers) server->command(words);
}

void ElastiCache::set_tokens(const std::string& id, std::vector<std::string> tokens) {
  const std::lock_guard lock(mutex_);
  settle();
  Group& group = need_group(id);
  group.spec.tokens = std::move(tokens);
  group.next.reset();
  apply_tokens(group);
}

std::vector<std::string> ElastiCache::tokens(const std::string& id) {
  const std::lock_guard lock(mutex_);
  settle();
  return need_group(id).spec.tokens;
}

bool ElastiCache::accepts_token(const std::string& id, const std::string& token) {
  return holds(tokens(id), token);
}

ElastiCache::TokenChanges ElastiCache::token_changes(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return need_group(id).changes;
}

void ElastiCache::forbid(std::function<bool(const std::string&)> is_current,
                         std::function<void(const std::string&)> told) {
  const std::lock_guard lock(mutex_);
  is_current_ = std::move(is_current);
  told_ = std::move(told);
}

}  // namespace keyturn::sandbox
