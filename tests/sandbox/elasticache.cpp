#include "tests/sandbox/elasticache.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "lib/base/text.h"
#include "tests/sandbox/aws_error.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kAccount = "123456789012";
constexpr std::size_t kMostPasswords = 2;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string element(const std::string& name, const std::string& text) {
  return "<" + name + ">" + escaped(text) + "</" + name + ">";
}

std::string reply(const std::string& action, const std::string& result) {
  return "<" + action + "Response xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><" +
         action + "Result>" + result + "</" + action +
         "Result><ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata></" + action +
         "Response>";
}

void permit(const Principal& caller, const std::string& operation, const std::string& arn) {
  const std::string action = "elasticache:" + operation;
  if (permits(caller, action, {arn})) return;
  throw AwsError(
      "AccessDenied",
      "User: " + caller.arn + " is not authorized to perform: " + action + " on resource: " + arn,
      403);
}

// What no client of ours may send.
void only(const Form& form, const std::set<std::string>& names) {
  for (const auto& [key, value] : form) {
    const bool known = key == "Action" || key == "Version" || names.contains(key) ||
                       (key.starts_with("Passwords.member.") && names.contains("Passwords"));
    if (!known) throw AwsError("InvalidParameterValue", "unknown parameter " + printable(key));
  }
}

std::string needed(const Form& form, const char* name) {
  std::string value = field_of_form(form, name);
  if (value.empty())
    throw AwsError("InvalidParameterValue", std::string(name) + " must not be empty");
  return value;
}

void check_password(const std::string& password) {
  const bool good =
      password.size() >= 16 && password.size() <= 128 &&
      std::all_of(password.begin(), password.end(), [](char c) {
        return c > ' ' && c < 0x7f && std::string_view(",\"/@").find(c) == std::string_view::npos;
      });
  if (good) return;
  throw AwsError(
      "InvalidParameterValue",
      "Passwords must be 16 to 128 printable characters other than , \" / @: " + password);
}

std::vector<std::string> passwords_of(const Form& form) {
  std::vector<std::string> out;
  for (const auto& [key, value] : form) {
    if (!key.starts_with("Passwords.member.")) continue;
    if (key != "Passwords.member." + std::to_string(out.size() + 1))
      throw AwsError("InvalidParameterValue", "members must be numbered from 1: " + printable(key));
    check_password(value);
    out.push_back(value);
  }
  if (out.empty() || out.size() > kMostPasswords)
    throw AwsError("InvalidParameterValue", "a user has one or two passwords");
  if (out.size() == 2 && out[0] == out[1])
    throw AwsError("InvalidParameterValue", "the two passwords must differ");
  return out;
}

}  // namespace

std::string ElastiCache::arn(const std::string& what) const {
  return "arn:aws:elasticache:" + region_ + ":" + kAccount + ":" + what;
}

std::string ElastiCache::subject(const Form& form) {
  for (const char* name : {"UserId", "UserGroupId", "ReplicationGroupId"}) {
    if (std::string id = field_of_form(form, name); !id.empty()) return id;
  }
  return "";
}

std::string ElastiCache::call(const Form& form, const Principal& caller,
                              const std::string& region) {
  if (field_of_form(form, "Version") != "2015-02-02")
    throw AwsError("NoSuchVersion", "Version must be 2015-02-02");
  const std::string action = field_of_form(form, "Action");
  const std::lock_guard lock(mutex_);
  settle();
  if (region != region_ && action == "DescribeUsers")
    throw AwsError("UserNotFound", "User " + subject(form) + " not found.", 404);
  if (action == "DescribeUsers") return users_xml(form, caller);
  if (action == "ModifyUser") return modify_xml(form, caller);
  if (action == "DescribeUserGroups") return user_groups_xml(form, caller);
  if (action == "DescribeReplicationGroups") return groups_xml(form, caller);
  throw AwsError("InvalidAction", "the sandbox does not serve " + printable(action));
}

std::string ElastiCache::user_members(const CacheUserState& user) const {
  std::string groups;
  if (const auto group = groups_.find(user.group); group != groups_.end())
    groups = element("member", group->second.users);
  return element("UserId", user.id) + element("UserName", user.name) +
         element("Status", user.status) + element("Engine", "redis") +
         element("AccessString", user.access) + "<UserGroupIds>" + groups +
         "</UserGroupIds><Authentication>" + element("Type", user.authentication) +
         (user.passwords.empty()
              ? ""
              : element("PasswordCount", std::to_string(user.passwords.size()))) +
         "</Authentication>" + element("ARN", user.arn);
}

std::string ElastiCache::users_xml(const Form& form, const Principal& caller) {
  only(form, {"UserId"});
  const std::string id = needed(form, "UserId");
  permit(caller, "DescribeUsers", arn("user:" + id));
  const auto found = users_.find(id);
  if (found == users_.end()) throw AwsError("UserNotFound", "User " + id + " not found.", 404);
  return reply("DescribeUsers",
               "<Users><member>" + user_members(found->second) + "</member></Users>");
}

std::string ElastiCache::modify_xml(const Form& form, const Principal& caller) {
  only(form, {"UserId", "Passwords"});
  const std::string id = needed(form, "UserId");
  permit(caller, "ModifyUser", arn("user:" + id));
  const auto found = users_.find(id);
  if (found == users_.end()) throw AwsError("UserNotFound", "User " + id + " not found.", 404);
  CacheUserState& user = found->second;
  std::vector<std::string> passwords = passwords_of(form);
  if (user.authentication != "password")
    throw AwsError("InvalidParameterCombination", "the user does not authenticate by passwords");
  if (user.status != "active")
    throw AwsError("InvalidUserState", "User " + id + " is not in active state.");
  user.status = "modifying";
  user.next = std::move(passwords);
  user.due = clock_.mono() + change_time_;
  ++user.changes;
  return reply("ModifyUser", user_members(user));
}

std::string ElastiCache::user_groups_xml(const Form& form, const Principal& caller) {
  only(form, {"UserGroupId"});
  const std::string id = needed(form, "UserGroupId");
  permit(caller, "DescribeUserGroups", arn("usergroup:" + id));
  for (const auto& [name, group] : groups_) {
    if (group.users != id) continue;
    return reply("DescribeUserGroups",
                 "<UserGroups><member>" + element("UserGroupId", id) + element("Status", "active") +
                     element("Engine", "redis") + "<ReplicationGroups>" + element("member", name) +
                     "</ReplicationGroups><ServerlessCaches/></member></UserGroups>");
  }
  throw AwsError("UserGroupNotFound", "UserGroup " + id + " not found.", 404);
}

std::string ElastiCache::groups_xml(const Form& form, const Principal& caller) {
  only(form, {"ReplicationGroupId"});
  const std::string id = needed(form, "ReplicationGroupId");
  permit(caller, "DescribeReplicationGroups", arn("replicationgroup:" + id));
  const auto found = groups_.find(id);
  if (found == groups_.end())
    throw AwsError("ReplicationGroupNotFoundFault", "ReplicationGroup " + id + " not found.", 404);
  const Group& group = found->second;
  std::string shards, first;
  for (const std::string& endpoint : group.spec.endpoints) {
    const std::size_t colon = endpoint.rfind(':');
    const std::string where =
        element("Address", endpoint.substr(0, colon)) + element("Port", endpoint.substr(colon + 1));
    if (first.empty()) first = where;
    shards += "<NodeGroup>" + element("NodeGroupId", "0001") + element("Status", "available") +
              (group.spec.cluster_mode ? "" : "<PrimaryEndpoint>" + where + "</PrimaryEndpoint>") +
              "</NodeGroup>";
  }
  return reply(
      "DescribeReplicationGroups",
      "<ReplicationGroups><ReplicationGroup>" + element("ReplicationGroupId", id) +
          element("Status", "available") + "<PendingModifiedValues/>" +
          (group.spec.cluster_mode ? "<ConfigurationEndpoint>" + first + "</ConfigurationEndpoint>"
                                   : "") +
          "<NodeGroups>" + shards + "</NodeGroups>" +
          element("ClusterEnabled", group.spec.cluster_mode ? "true" : "false") +
          element("AuthTokenEnabled", "false") +
          element("TransitEncryptionEnabled", group.spec.tls ? "true" : "false") +
          element("ARN", group.arn) + "<UserGroupIds>" + element("member", group.users) +
          "</UserGroupIds></ReplicationGroup></ReplicationGroups>");
}

// Carries out what is due: as late as somebody looks.
void ElastiCache::settle() {
  for (auto& [id, user] : users_) {
    if (!user.next || clock_.mono() < user.due) continue;
    user.passwords = *std::move(user.next);
    user.next.reset();
    user.status = "active";
    apply(user);
  }
}

void ElastiCache::apply(const CacheUserState& user) {
  const auto group = groups_.find(user.group);
  if (group == groups_.end()) return;
  std::vector<std::string> words = {"ACL", "SETUSER", user.name, "reset"};
  for (const std::string& word : split(user.access, ' ')) words.push_back(word);
  for (const std::string& password : user.passwords) words.push_back(">" + password);
  if (user.authentication == "no-password") words.emplace_back("nopass");
  for (const auto& server : group->second.servers) server->command(words);
}

CacheUserState& ElastiCache::need_user(const std::string& id) {
  const auto found = users_.find(id);
  if (found == users_.end()) throw std::invalid_argument("no such user: " + id);
  return found->second;
}

ElastiCache::Group& ElastiCache::need_group(const std::string& id) {
  const auto found = groups_.find(id);
  if (found == groups_.end()) throw std::invalid_argument("no such replication group: " + id);
  return found->second;
}

std::vector<std::string> ElastiCache::create_group(const CacheGroupSpec& spec) {
  const std::lock_guard lock(mutex_);
  Group group{spec, {}, arn("replicationgroup:" + spec.id), spec.id + "-users"};
  for (int i = 0; i < spec.shards; ++i) {
    group.servers.push_back(std::make_unique<RedisServer>(*authority_));
    group.spec.endpoints.push_back("127.0.0.1:" + std::to_string(group.servers.back()->port()));
  }
  return groups_.insert_or_assign(spec.id, std::move(group)).first->second.spec.endpoints;
}

CacheUserState ElastiCache::create_user(CacheUserState user) {
  const std::lock_guard lock(mutex_);
  need_group(user.group);
  if (user.name.empty()) user.name = user.id;
  user.arn = arn("user:" + user.id);
  apply(user);
  return users_.insert_or_assign(user.id, std::move(user)).first->second;
}

void ElastiCache::set_passwords(const std::string& id, std::vector<std::string> passwords) {
  const std::lock_guard lock(mutex_);
  settle();
  CacheUserState& user = need_user(id);
  user.passwords = std::move(passwords);
  user.next.reset();
  user.status = "active";
  apply(user);
}

void ElastiCache::set_authentication(const std::string& id, const std::string& type) {
  const std::lock_guard lock(mutex_);
  CacheUserState& user = need_user(id);
  user.authentication = type;
  apply(user);
}

void ElastiCache::remove_user(const std::string& id) {
  const std::lock_guard lock(mutex_);
  CacheUserState user = need_user(id);
  users_.erase(id);
  user.access = "off";
  user.passwords.clear();
  apply(user);
}

void ElastiCache::stop(const std::string& id, bool stopped) {
  const std::lock_guard lock(mutex_);
  Group& group = need_group(id);
  for (const auto& server : group.servers) stopped ? server->stop() : server->start();
  if (stopped) return;
  for (const auto& [name, user] : users_) {
    if (user.group == id) apply(user);
  }
}

CacheUserState ElastiCache::user(const std::string& id) {
  const std::lock_guard lock(mutex_);
  settle();
  return need_user(id);
}

void ElastiCache::set_change_time(Duration time) {
  const std::lock_guard lock(mutex_);
  change_time_ = time;
}

bool ElastiCache::accepts(const std::string& name, const std::string& password) {
  const std::lock_guard lock(mutex_);
  return std::any_of(users_.begin(), users_.end(), [&](const auto& entry) {
    const CacheUserState& user = entry.second;
    return user.name == name && (user.authentication == "no-password" ||
                                 std::find(user.passwords.begin(), user.passwords.end(),
                                           password) != user.passwords.end());
  });
}

}  // namespace keyturn::sandbox
