#include "lib/aws/elasticache_codec.h"

#include <charconv>
#include <pugixml.hpp>
#include <utility>

namespace keyturn::aws {
namespace {

// Reads elements one after the other and remembers the first that does not fit.
class Reader {
 public:
  Reader(const std::string& body, const std::string& operation) {
    if (document_.load_buffer(body.data(), body.size())) {
      result_ =
          document_.child((operation + "Response").c_str()).child((operation + "Result").c_str());
    }
    if (!result_) complain("it is not an answer to " + operation);
  }

  pugi::xml_node result() const { return result_; }

  std::string required(pugi::xml_node node, const char* name) {
    std::string value = node.child_value(name);
    if (value.empty()) complain(std::string(name) + " is missing");
    return value;
  }

  int number(pugi::xml_node node, const char* name, int least, int most, int fallback) {
    const std::string text = node.child_value(name);
    if (text.empty()) return fallback;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most)
      return value;
    complain(std::string(name) + " is not a number from " + std::to_string(least) + " to " +
             std::to_string(most));
    return fallback;
  }

  std::optional<CacheEndpoint> endpoint(pugi::xml_node node) {
    CacheEndpoint out;
    out.host = node.child_value("Address");
    if (out.host.empty()) return std::nullopt;
    out.port = number(node, "Port", 1, 65'535, 6379);
    return out;
  }

  std::optional<Error> problem() const {
    if (problem_.empty()) return std::nullopt;
    return make_error(ErrorClass::Transient, "BadReply", "the reply cannot be used: " + problem_);
  }

 private:
  void complain(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
  }

  pugi::xml_document document_;
  pugi::xml_node result_;
  std::string problem_;
};

std::vector<std::string> members(pugi::xml_node list) {
  std::vector<std::string> out;
  for (const pugi::xml_node& member : list.children("member"))
    out.emplace_back(member.child_value());
  return out;
}

bool is_true(pugi::xml_node node, const char* name) {
  return std::string_view(node.child_value(name)) == "true";
}

Result<CacheUser> decode_user(Reader& reply, pugi::xml_node node) {
  CacheUser out;
  out.id = reply.required(node, "UserId");
  out.name = reply.required(node, "UserName");
  out.arn = reply.required(node, "ARN");
  out.status = reply.required(node, "Status");
  const pugi::xml_node authentication = node.child("Authentication");
  out.authentication = authentication.child_value("Type");
  out.password_count = reply.number(authentication, "PasswordCount", 0, 100, 0);
  out.user_groups = members(node.child("UserGroupIds"));
  if (auto problem = reply.problem()) return *std::move(problem);
  return out;
}

}  // namespace

Result<CacheUser> decode_described_user(const std::string& body) {
  Reader reply(body, "DescribeUsers");
  if (auto problem = reply.problem()) return *std::move(problem);
  const pugi::xml_node user = reply.result().child("Users").child("member");
  if (!user) return make_error(ErrorClass::NotFound, "UserNotFound", "there is no such user");
  return decode_user(reply, user);
}

Result<CacheUser> decode_modified_user(const std::string& body) {
  Reader reply(body, "ModifyUser");
  return decode_user(reply, reply.result());
}

Result<CacheUserGroup> decode_user_group(const std::string& body) {
  Reader reply(body, "DescribeUserGroups");
  if (auto problem = reply.problem()) return *std::move(problem);
  const pugi::xml_node node = reply.result().child("UserGroups").child("member");
  if (!node)
    return make_error(ErrorClass::NotFound, "UserGroupNotFound", "there is no such user group");
  CacheUserGroup out;
  out.id = reply.required(node, "UserGroupId");
  out.status = node.child_value("Status");
  out.replication_groups = members(node.child("ReplicationGroups"));
  out.serverless_caches = members(node.child("ServerlessCaches"));
  if (auto problem = reply.problem()) return *std::move(problem);
  return out;
}

Result<ReplicationGroup> decode_replication_group(const std::string& body) {
  Reader reply(body, "DescribeReplicationGroups");
  if (auto problem = reply.problem()) return *std::move(problem);
  const pugi::xml_node node = reply.result().child("ReplicationGroups").child("ReplicationGroup");
  if (!node) {
    return make_error(ErrorClass::NotFound, "ReplicationGroupNotFoundFault",
                      "there is no such replication group");
  }
  ReplicationGroup out;
  out.id = reply.required(node, "ReplicationGroupId");
  out.arn = reply.required(node, "ARN");
  out.status = reply.required(node, "Status");
  out.auth_token_status = node.child("PendingModifiedValues").child_value("AuthTokenStatus");
  out.tls = is_true(node, "TransitEncryptionEnabled");
  out.auth_token = is_true(node, "AuthTokenEnabled");
  out.user_groups = members(node.child("UserGroupIds"));
  out.configuration = reply.endpoint(node.child("ConfigurationEndpoint"));
  for (const pugi::xml_node& shard : node.child("NodeGroups").children("NodeGroup")) {
    if (auto primary = reply.endpoint(shard.child("PrimaryEndpoint")))
      out.primaries.push_back(*std::move(primary));
  }
  if (auto problem = reply.problem()) return *std::move(problem);
  return out;
}

}  // namespace keyturn::aws
